use workflow_core::prelude::*;

#[register_workflow(tags = ["demo", 3])]
fn greet() {}

fn main() {
    greet();
}
