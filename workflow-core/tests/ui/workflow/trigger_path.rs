use workflow_core::prelude::*;

#[register_workflow(name = "report", metadata = { "triggers": [{ "file": { "path": "/etc/*" } }] })]
fn report() {}

fn main() {}
