use workflow_core::prelude::*;

#[register_workflow(name = "greet")]
fn greet(name: Handle<String>) {
    let _ = name;
}

fn main() {}
