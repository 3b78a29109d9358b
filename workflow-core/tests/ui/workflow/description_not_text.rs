use workflow_core::prelude::*;

#[register_workflow(description = 3)]
fn greet() {}

fn main() {
    greet();
}
