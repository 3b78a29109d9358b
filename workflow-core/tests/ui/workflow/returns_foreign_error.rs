use workflow_core::prelude::*;

struct Odd;

type Halved = Result<u64, Odd>;

#[register_workflow]
async fn half(number: u64) -> Halved {
    if number % 2 == 0 { Ok(number / 2) } else { Err(Odd) }
}

fn main() {}
