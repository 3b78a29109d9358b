use workflow_core::prelude::*;

#[register_workflow(metadata = ["demo"])]
fn greet() {}

fn main() {
    greet();
}
