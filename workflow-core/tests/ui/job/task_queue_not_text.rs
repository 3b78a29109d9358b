//! The name of a task queue.

use workflow_core::prelude::*;

#[job(task_queue = 7)]
fn train() -> u64 {
    7
}

fn main() {}
