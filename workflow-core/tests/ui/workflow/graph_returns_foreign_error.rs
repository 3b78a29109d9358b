use workflow_core::prelude::*;

struct Odd;

type Drawn = Result<Handle<u64>, Odd>;

#[register_workflow]
fn half(flow: &mut Flow) -> Drawn {
    let _ = flow;
    Err(Odd)
}

fn main() {}
