use workflow_core::prelude::*;

#[register_workflow(nmae = "greet")]
fn greet() {}

fn main() {
    greet();
}
