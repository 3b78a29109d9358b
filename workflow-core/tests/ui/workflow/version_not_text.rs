use workflow_core::prelude::*;

#[register_workflow(version = 1.0)]
fn greet() {}

fn main() {
    greet();
}
