//! Warnings about task queues that no live worker serves.

use std::collections::BTreeMap;

use workflow_core::graph::Graph;
use workflow_core::store::StoredWorker;
use workflow_store::{Catalog, Cause};

use crate::failure::Failure;
use crate::output;

/// Warns if no live worker serves the task queue of a run.
pub(crate) fn warn_of_queue(store: &dyn Catalog, queue: &str) -> Result<(), Failure> {
    let Some(workers) = pollster::block_on(store.workers())? else { return Ok(()) };
    if !is_served(&workers, queue) {
        output::warning(format_args!("no live worker serves {queue}; {}", cure(queue)));
    }
    Ok(())
}

/// Warns about each task queue that jobs name and no live worker serves.
pub(crate) fn warn_of_jobs(store: &dyn Catalog, graph: &Graph) -> Result<(), Failure> {
    let mut queues = BTreeMap::new();
    for (job, queue) in graph.task_queues() {
        queues.entry(queue).or_insert(job);
    }
    if queues.is_empty() {
        return Ok(());
    }
    let Some(workers) = pollster::block_on(store.workers())? else { return Ok(()) };
    for (queue, job) in queues {
        if !is_served(&workers, queue) {
            output::warning(format_args!(
                "no live worker serves {queue}, the task queue of job {job}; {}",
                cure(queue)
            ));
        }
    }
    Ok(())
}

fn is_served(workers: &[StoredWorker], queue: &str) -> bool {
    workers.iter().any(|worker| worker.serves(queue))
}

fn cure(queue: &str) -> String {
    Cause::NoWorker { queue: queue.to_owned() }.cure()
}
