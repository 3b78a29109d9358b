use workflow_core::prelude::*;

#[register_workflow(name = "greet", retry(maximum_attempts = 3))]
fn greet(flow: &mut Flow) {
    let _ = flow;
}

fn main() {
    greet(&mut Flow::new());
}
