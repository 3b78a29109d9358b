use workflow_core::prelude::*;

#[register_workflow(name = "greet")]
fn greet(name: &dyn Send) {
    let _ = name;
}

fn main() {}
