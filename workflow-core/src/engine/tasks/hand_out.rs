//! The side of the run: opens a task for an attempt, and waits for its outcome.

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::{Either, select};

use crate::engine::active::ActiveRun;
use crate::engine::delegation::{
    self, AttemptOutcome, AttemptRequest, is_addressable, not_addressable,
};
use crate::job::{BodyFuture, JobError, JobErrorKind};
use crate::store::{Lease, NewTask, StoreError, TaskEnd, TaskKey, TaskStore};
use crate::value::{from_json, to_json};

/// The delay before the task is opened again after the store was unreachable. It doubles with each
/// try.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The time between two requests to stop. The worker may have died since the last one.
const STOP_INTERVAL: Duration = Duration::from_millis(200);

/// Leaves all attempts of one launch to the workers of the job's task queue.
pub(in crate::engine) fn hand_out(run: &Arc<ActiveRun>, job: u32, attempt: u32) -> BodyFuture {
    let of = Arc::downgrade(run);
    delegation::attempt_by(run, job, attempt, move |request| {
        let run = Weak::clone(&of);
        Box::pin(async move {
            let outcome = outcome(&run, job, request).await;
            outcome.unwrap_or_else(|error| AttemptOutcome::failed(&error))
        })
    })
}

/// Waits until a worker has made the attempt.
///
/// # Errors
///
/// Fails if no worker can make it, and if it must stop because the run is lost to this engine.
async fn outcome(
    run: &Weak<ActiveRun>,
    job: u32,
    request: AttemptRequest,
) -> Result<AttemptOutcome, JobError> {
    let queue = request.task.task_queue.clone().ok_or_else(over)?;
    if !is_addressable(&request) {
        return Err(not_addressable(&request.task.function, &queue));
    }
    let active = run.upgrade().ok_or_else(over)?;
    let renewer = active.engine.lease_renewer.as_ref().ok_or_else(over)?;
    let (store, lease) = (Arc::clone(renewer.store()), renewer.lease_of(active.id));
    let lease = lease.ok_or_else(over)?;
    let task = new_task(&request, &queue)?;
    let key = task.key.clone();
    // Before the task is open, because the outcome may be there already.
    let mut answer = renewer.board().expect(key.clone(), job);
    drop(active);
    let tasks = store.task_store().ok_or_else(over)?;
    let mut wait = FIRST_WAIT;
    while let Err(error) = tasks.open_task(&lease, &task).await {
        match error {
            StoreError::Unavailable(error) => {
                tracing::debug!(run = %key.run, job = key.job, %error, "cannot open the task yet");
            }
            // The run is about to stop here.
            StoreError::LeaseLost { .. } => request.stop.requested().await,
            error => return Err(JobError::retryable(error)),
        }
        let pause = run.upgrade().ok_or_else(over)?.sleep(wait);
        if let Either::Right(_) = select(pause, pin!(request.stop.requested())).await {
            return Err(over());
        }
        wait = LONGEST_WAIT.min(wait * 2);
    }
    if let Either::Left((end, _)) = select(&mut answer, pin!(request.stop.requested())).await {
        return read(end);
    }
    loop {
        let pause = {
            let run = run.upgrade().ok_or_else(over)?;
            // The engine that resumes the run waits for the same task.
            if run.is_lost() {
                return Err(over());
            }
            run.runtime().sleep(STOP_INTERVAL)
        };
        stop(tasks, &lease, &key).await?;
        if let Either::Left((end, _)) = select(&mut answer, pause).await {
            return read(end);
        }
    }
}

/// The task of an attempt.
fn new_task(request: &AttemptRequest, queue: &str) -> Result<NewTask, JobError> {
    let task = &request.task;
    let signals = u32::try_from(task.signals.len()).unwrap_or(u32::MAX);
    let key = TaskKey { run: task.run, job: task.job.clone(), attempt: task.attempt, signals };
    let attempt = to_json(task).map_err(JobError::of_value)?;
    Ok(NewTask { key, queue: queue.to_owned(), attempt })
}

/// Reads the outcome of an attempt.
fn read(end: Option<TaskEnd>) -> Result<AttemptOutcome, JobError> {
    match end.ok_or_else(over)? {
        TaskEnd::Cancelled => Ok(AttemptOutcome::cancelled()),
        TaskEnd::Outcome(outcome) => from_json(outcome).map_err(|error| {
            let error = format!("the worker has sent an outcome that cannot be read: {error}");
            JobError::retryable(error)
        }),
    }
}

/// Requests that the attempt stops.
async fn stop(tasks: &dyn TaskStore, lease: &Lease, key: &TaskKey) -> Result<(), JobError> {
    match tasks.stop_task(lease, key).await {
        Ok(()) => Ok(()),
        Err(StoreError::LeaseLost { .. }) => Err(over()),
        Err(error) => {
            tracing::debug!(run = %key.run, job = key.job, %error, "cannot stop the task yet");
            Ok(())
        }
    }
}

/// The error of an attempt whose run is over, or continues elsewhere. Nobody sees it.
fn over() -> JobError {
    JobError::of_kind(JobErrorKind::Cancelled, "another engine drives the run")
}
