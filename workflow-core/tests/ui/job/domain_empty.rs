use workflow_core::prelude::*;

#[job(domain = "")]
fn double(number: &u64) -> u64 {
    number * 2
}

fn main() {}
