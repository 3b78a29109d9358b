use workflow_core::prelude::*;

#[register_workflow(schedule = "every day")]
fn greet() {}

fn main() {
    greet();
}
