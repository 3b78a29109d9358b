use workflow_core::prelude::*;

#[job]
fn double(number: &Nmuber) -> u64 {
    2
}

fn main() {}
