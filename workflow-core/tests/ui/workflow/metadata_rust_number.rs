use workflow_core::prelude::*;

#[register_workflow(metadata = { "n": 1_000 })]
fn greet() {}

fn main() {
    greet();
}
