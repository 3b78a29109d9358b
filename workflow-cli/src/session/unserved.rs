//! Warnings about task queues whose live workers do not run what waits there.

use std::collections::BTreeMap;

use workflow_core::graph::Graph;
use workflow_core::store::StoredRun;
use workflow_store::{Catalog, Cause, serving};

use crate::failure::Failure;
use crate::output;

/// Warns if no live worker of its task queue runs a run.
pub(crate) fn warn_of_queue(store: &dyn Catalog, run: &StoredRun) -> Result<(), Failure> {
    let Some(workers) = pollster::block_on(store.workers())? else { return Ok(()) };
    let Err(cause) = serving(&workers, &run.task_queue, &run.workflow) else { return Ok(()) };
    let (queue, cure) = (&run.task_queue, cause.cure());
    match &cause {
        Cause::UnknownWorkflow { workflow, .. } => output::warning(format_args!(
            "no live worker of {queue} has workflow `{workflow}`; {cure}"
        )),
        _ => output::warning(format_args!("no live worker serves {queue}; {cure}")),
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
        if !workers.iter().any(|worker| worker.serves(queue)) {
            output::warning(format_args!(
                "no live worker serves {queue}, the task queue of job {job}; {}",
                Cause::NoWorker { queue: queue.to_owned() }.cure()
            ));
        }
    }
    Ok(())
}
