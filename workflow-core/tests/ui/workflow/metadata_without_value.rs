use workflow_core::prelude::*;

#[register_workflow(metadata)]
fn greet() {}

fn main() {
    greet();
}
