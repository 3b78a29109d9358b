use workflow_core::prelude::*;

struct Name;

#[register_workflow(name = "greet")]
fn greet(flow: &mut Flow, name: Name) {
    let _ = (flow, name);
}

fn main() {}
