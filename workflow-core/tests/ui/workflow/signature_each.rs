use workflow_core::prelude::*;

#[register_workflow(name = "greet")]
fn greet(names: Each<'_, String>) -> usize {
    names.len()
}

fn main() {}
