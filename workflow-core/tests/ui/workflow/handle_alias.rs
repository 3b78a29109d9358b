use workflow_core::prelude::*;

type Number = Handle<u64>;

#[register_workflow]
fn same(flow: &mut Flow, number: Number) -> Number {
    let _ = flow;
    number
}

fn main() {}
