use workflow_core::prelude::*;

#[register_workflow(schedule = "0 0 31 2 *")]
fn greet() {}

fn main() {
    greet();
}
