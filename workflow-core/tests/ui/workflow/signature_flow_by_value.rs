use workflow_core::prelude::*;

#[register_workflow(name = "greet")]
fn greet(flow: Flow) {
    let _ = flow;
}

fn main() {
    greet(Flow::new());
}
