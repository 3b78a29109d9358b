use workflow_core::prelude::*;

#[job]
fn draw(flow: &mut Flow) {
    let _ = flow;
}

fn main() {}
