use workflow_core::prelude::*;

#[job]
fn double(one: &JobContext, number: &u64, other: &JobContext) -> u64 {
    number * u64::from(one.attempt() + other.attempt())
}

fn main() {
    let mut flow = Flow::new();
    let two = flow.value(2_u64);
    let four = flow.job(double(two).name("four"));
    flow.output(four);
}
