use workflow_core::prelude::*;

#[register_workflow(metadata = "{ \"a\": { \"b\": 1, \"b\": 2 } }")]
fn greet() {}

fn main() {
    greet();
}
