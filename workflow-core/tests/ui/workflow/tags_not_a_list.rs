use workflow_core::prelude::*;

#[register_workflow(metadata = { "tags": "demo" })]
fn greet() {}

fn main() {
    greet();
}
