use workflow_core::prelude::*;

#[register_workflow(inline)]
fn greet() {}

fn main() {
    greet();
}
