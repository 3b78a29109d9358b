use workflow_core::prelude::*;

#[register_workflow(name = "report", metadata = { "triggers": [{ "cron": { "at": "noon" } }] })]
fn report() {}

fn main() {}
