use workflow_core::prelude::*;

#[register_workflow(name = "report", metadata = { "triggers": { "after": { "workflow": "ingest" } } })]
fn report() {}

fn main() {}
