use workflow_core::prelude::*;

#[register_workflow(name = "report", metadata = { "triggers": [
    { "asset": { "name": "orders" } },
    { "asset": { "name": "orders" } },
] })]
fn report() {}

fn main() {}
