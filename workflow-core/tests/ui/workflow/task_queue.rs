//! The domain decides the task queue of a workflow.

use workflow_core::prelude::*;

#[register_workflow(task_queue = "gpu")]
fn train() -> u64 {
    7
}

fn main() {}
