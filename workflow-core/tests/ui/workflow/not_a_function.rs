use workflow_core::prelude::*;

#[register_workflow(name = "greet")]
struct Greet;

fn main() {
    let _ = Greet;
}
