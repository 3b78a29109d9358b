use workflow_core::prelude::*;

struct Odd;

type Halved = Result<u64, Odd>;

#[job]
fn half(number: &u64) -> Halved {
    if number % 2 == 0 { Ok(number / 2) } else { Err(Odd) }
}

fn main() {
    let mut flow = Flow::new();
    let two = flow.value(2_u64);
    let one = flow.job(half(two).name("one"));
    flow.output(one);
}
