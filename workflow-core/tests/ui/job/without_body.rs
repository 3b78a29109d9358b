use workflow_core::prelude::*;

#[job]
fn double(number: &u64) -> u64;

fn main() {}
