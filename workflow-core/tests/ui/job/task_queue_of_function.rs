//! A function that only waits for its jobs has no task queue.

use workflow_core::prelude::*;

#[job(task_queue = "gpu")]
async fn train(ctx: WorkflowContext) -> Result<u64, JobError> {
    drop(ctx);
    Ok(7)
}

fn main() {}
