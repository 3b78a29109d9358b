use workflow_core::prelude::*;

#[job]
fn extract() -> Vec<u64> {
    vec![1, 2]
}

#[job]
fn total(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}

#[job]
fn shift(number: u64, by: u64) -> u64 {
    number + by
}

fn main() {
    let mut flow = Flow::new();
    let numbers = flow.job(extract());
    #[deny(unused_must_use)]
    {
        total(numbers);
    }
}
