use workflow_core::prelude::*;

#[register_workflow(name = "greet")]
async fn greet(flow: &mut Flow) {
    let _ = flow;
}

fn main() {
    let _ = greet(&mut Flow::new());
}
