use workflow_core::prelude::*;

#[register_workflow(description = "Greets", metadata = { "description": "Greets" })]
fn greet() {}

fn main() {
    greet();
}
