use workflow_core::prelude::*;

#[register_workflow(name = "greet")]
fn greet(flow: &mut Flow, ctx: &JobContext) {
    let _ = (flow, ctx);
}

fn main() {
    greet(&mut Flow::new(), &JobContext::detached());
}
