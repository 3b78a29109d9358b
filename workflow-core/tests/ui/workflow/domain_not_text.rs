use workflow_core::prelude::*;

#[register_workflow(domain = ["sales"])]
fn greet() {}

fn main() {
    greet();
}
