use workflow_core::prelude::*;

#[register_workflow(name = "report", metadata = { "triggers": [{ "webhook": { "name": "push", "signature": "github" } }] })]
fn report() {}

fn main() {}
