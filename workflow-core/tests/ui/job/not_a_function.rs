use workflow_core::prelude::*;

#[job]
struct Double;

fn main() {
    let _ = Double;
}
