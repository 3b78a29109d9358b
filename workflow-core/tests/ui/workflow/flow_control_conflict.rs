use workflow_core::prelude::*;

#[register_workflow(name = "greet", concurrency(limit = 1, on_conflict = "wait"))]
fn greet() {}

fn main() {}
