use workflow_core::prelude::*;

#[register_workflow(name = "greet", concurrency(limit = 1, limit = 2))]
fn greet() {}

fn main() {}
