use workflow_core::prelude::*;

#[register_workflow(name = "greet")]
fn greet<T: Send>(name: T) {
    let _ = name;
}

fn main() {}
