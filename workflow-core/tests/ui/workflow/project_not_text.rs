use workflow_core::prelude::*;

#[register_workflow(project = true)]
fn greet() {}

fn main() {
    greet();
}
