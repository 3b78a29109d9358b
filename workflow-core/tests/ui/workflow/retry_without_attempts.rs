use workflow_core::prelude::*;

#[register_workflow(retry())]
fn greet() {}

fn main() {
    greet();
}
