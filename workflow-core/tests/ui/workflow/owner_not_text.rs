use workflow_core::prelude::*;

#[register_workflow(metadata = { "owner": null })]
fn greet() {}

fn main() {
    greet();
}
