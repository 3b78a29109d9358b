use workflow_core::prelude::*;

#[register_workflow(name = "greet", workflow_id = "greet")]
fn greet() {}

fn main() {
    greet();
}
