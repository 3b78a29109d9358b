use workflow_core::prelude::*;

#[register_workflow(metadata = { "owner": OWNER })]
fn greet() {}

fn main() {
    greet();
}
