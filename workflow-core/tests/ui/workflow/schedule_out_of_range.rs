use workflow_core::prelude::*;

#[register_workflow(metadata = { "schedule": "61 * * * *" })]
fn greet() {}

fn main() {
    greet();
}
