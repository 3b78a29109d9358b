use workflow_core::prelude::*;

#[register_workflow(metadata = "{ \"a\": }")]
fn greet() {}

fn main() {
    greet();
}
