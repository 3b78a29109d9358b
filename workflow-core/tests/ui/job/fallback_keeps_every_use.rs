use workflow_core::prelude::*;

#[job]
fn double(ctx: &JobContext, number: &mut u64) -> u64 {
    *number * u64::from(ctx.attempt())
}

fn main() {
    let mut flow = Flow::new();
    let two = flow.value(2_u64);
    let four: Handle<u64> = flow.job(double(two));
    let list = flow.value(vec![1_u64]);
    flow.job(map(list, double));
    flow.job(double::draw(four).name("again"));
    let number: u64 = double(&2);
    let number = number + double::call(&JobContext::detached(), &mut 2);
    assert_eq!(number, 6);
}
