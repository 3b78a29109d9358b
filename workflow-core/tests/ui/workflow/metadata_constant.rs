use workflow_core::prelude::*;

#[register_workflow(metadata = METADATA)]
fn greet() {}

fn main() {
    greet();
}
