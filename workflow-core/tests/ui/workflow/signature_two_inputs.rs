use workflow_core::prelude::*;

#[register_workflow(name = "greet")]
fn greet(first: &str, last: &str) -> String {
    format!("{first} {last}")
}

fn main() {
    let _ = greet("Ada", "Lovelace");
}
