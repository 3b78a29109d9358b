use workflow_core::prelude::*;

#[register_workflow(name = "greet")]
fn greet(flow: &mut Flow) -> u64 {
    let _ = flow;
    3
}

fn main() {}
