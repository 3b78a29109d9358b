use workflow_core::prelude::*;

#[register_workflow(metadata = { owner: "web" })]
fn greet() {}

fn main() {
    greet();
}
