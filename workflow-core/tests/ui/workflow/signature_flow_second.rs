use workflow_core::prelude::*;

#[register_workflow(name = "greet")]
fn greet(name: &str, flow: &mut Flow) {
    let _ = (name, flow);
}

fn main() {
    greet("Ada", &mut Flow::new());
}
