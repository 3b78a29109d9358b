#![deny(warnings)]

use workflow_core::prelude::*;

#[register_workflow(name = "greet", project = "Web Shop")]
fn greet() {}

fn main() {}
