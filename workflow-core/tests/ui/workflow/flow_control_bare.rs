use workflow_core::prelude::*;

#[register_workflow(name = "greet", debounce)]
fn greet() {}

fn main() {}
