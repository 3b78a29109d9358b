use workflow_core::prelude::*;

struct Odd;

#[job]
fn half(number: &u64) -> Result<u64, Odd> {
    if number % 2 == 0 { Ok(number / 2) } else { Err(Odd) }
}

fn main() {}
