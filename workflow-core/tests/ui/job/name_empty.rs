use workflow_core::prelude::*;

#[job(name = "")]
fn double(number: &u64) -> u64 {
    number * 2
}

fn main() {
    let mut flow = Flow::new();
    let two = flow.value(2_u64);
    let four = flow.job(double(two).name("four"));
    flow.output(four);
}
