//! The name of a task queue.

use workflow_core::prelude::*;

#[job(task_queue = "")]
fn train() -> u64 {
    7
}

fn main() {}
