use workflow_core::prelude::*;

#[register_workflow(metadata = { "n": 18446744073709551616 })]
fn greet() {}

fn main() {
    greet();
}
