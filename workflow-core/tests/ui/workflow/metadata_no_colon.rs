use workflow_core::prelude::*;

#[register_workflow(metadata = { "n" = 1 })]
fn greet() {}

fn main() {
    greet();
}
