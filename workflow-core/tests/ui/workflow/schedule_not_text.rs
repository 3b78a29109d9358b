use workflow_core::prelude::*;

#[register_workflow(schedule = 5)]
fn greet() {}

fn main() {
    greet();
}
