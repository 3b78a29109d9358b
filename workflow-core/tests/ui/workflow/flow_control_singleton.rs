use workflow_core::prelude::*;

#[register_workflow(name = "greet", singleton = "yes")]
fn greet() {}

fn main() {}
