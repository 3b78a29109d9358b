use workflow_core::prelude::*;

#[register_workflow(metadata = { "owner": 'w' })]
fn greet() {}

fn main() {
    greet();
}
