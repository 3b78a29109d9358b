use workflow_core::prelude::*;

#[register_workflow(name = "report", metadata = { "triggers": [{ "after": { "workflows": "ingest" } }] })]
fn report() {}

fn main() {}
