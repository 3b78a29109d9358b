use workflow_core::prelude::*;

#[job]
fn double<T: Copy>(number: &T) -> T {
    *number
}

fn main() {
    let mut flow = Flow::new();
    let two = flow.value(2_u64);
    let four = flow.job(double(two).name("four"));
    flow.output(four);
}
