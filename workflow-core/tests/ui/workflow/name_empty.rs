use workflow_core::prelude::*;

#[register_workflow(name = "")]
fn greet() {}

fn main() {
    greet();
}
