use workflow_core::prelude::*;

#[register_workflow(name = "greet", concurrency(limt = 1))]
fn greet() {}

fn main() {}
