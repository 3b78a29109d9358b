use workflow_core::prelude::*;

#[register_workflow(name = "greet", concurrency(limit = 0))]
fn greet() {}

fn main() {}
