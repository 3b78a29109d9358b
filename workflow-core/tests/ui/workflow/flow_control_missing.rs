use workflow_core::prelude::*;

#[register_workflow(name = "greet", rate_limit(limit = 3))]
fn greet() {}

fn main() {}
