//! Attempts of jobs that wait for the workers of a task queue of their own.

use std::collections::BTreeMap;
use std::time::SystemTime;

use async_trait::async_trait;
use serde_json::Value as Json;

use super::{ClaimRequest, Lease, Owner, OwnerId, StoreError, StoredRun};
use crate::id::RunId;
use crate::run_log::OutputStream;

/// The part of a [`Store`](super::Store) that hands attempts of jobs to the workers of their task
/// queues.
///
/// The engine that drives a run opens a task for such an attempt, and a worker of the queue claims
/// it, makes the attempt, and ends the task with its outcome. The engine of the run reads the
/// outcome. The task is removed by the [append](super::Store::append) that records the end of the
/// attempt, so that each outcome is recorded once, whatever engines and workers die meanwhile.
///
/// [`Store::queue_changes`](super::Store::queue_changes) also announces open, ended and stopped
/// tasks, and output.
#[async_trait]
pub trait TaskStore: Send + Sync {
    /// Opens a task of a run, under the run's lease. Does nothing if the task exists, with or
    /// without an outcome, and removes tasks of the same job that are older.
    ///
    /// # Errors
    ///
    /// Fails with [`StoreError::LeaseLost`] when the run has another owner by now, and when the
    /// task cannot be persisted.
    async fn open_task(&self, lease: &Lease, task: &NewTask) -> Result<(), StoreError>;

    /// Requests that the attempt of a task stops. A task that no live worker has claimed ends as
    /// cancelled at once. Does nothing if the task has ended.
    ///
    /// # Errors
    ///
    /// Fails with [`StoreError::LeaseLost`] when the run has another owner by now, and when the
    /// store cannot be changed.
    async fn stop_task(&self, lease: &Lease, task: &TaskKey) -> Result<(), StoreError>;

    /// Returns what workers have sent for the runs of this owner: output, each piece once, and
    /// outcomes, until the end of the attempt is recorded.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn task_answers(&self, owner: OwnerId) -> Result<Vec<TaskAnswer>, StoreError>;

    /// Claims waiting tasks of these queues: of runs with a higher priority first, then older ones.
    /// Tasks whose worker has died wait again.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed; then no task is claimed.
    async fn claim_tasks(
        &self,
        owner: Owner,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedTask>, StoreError>;

    /// Returns the tasks that this owner holds, and whether their attempts must stop. A task that
    /// it has lost is missing.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn held_tasks(&self, owner: OwnerId) -> Result<Vec<HeldTask>, StoreError>;

    /// Persists the progress of an attempt since the last report.
    ///
    /// # Errors
    ///
    /// Fails with [`TaskError::Lost`] when another worker has the task by now or the attempt is
    /// over, and when the store cannot be changed.
    async fn report_task(
        &self,
        lease: &TaskLease,
        progress: &TaskProgress,
    ) -> Result<(), TaskError>;

    /// Ends a task with the outcome of its attempt, and the last progress.
    ///
    /// # Errors
    ///
    /// As [`report_task`](Self::report_task).
    async fn end_task(
        &self,
        lease: &TaskLease,
        progress: &TaskProgress,
        outcome: &Json,
    ) -> Result<(), TaskError>;

    /// Releases tasks, so that other workers can claim them at once. Lost tasks are ignored.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn release_tasks(&self, leases: &[TaskLease]) -> Result<(), StoreError>;

    /// Returns the open tasks of a run, oldest first.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn tasks(&self, run: RunId) -> Result<Vec<StoredTask>, StoreError>;
}

/// Identifies a task: an attempt of a job, and how many signals it has received.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    /// The run.
    pub run: RunId,
    /// The name of the job.
    pub job: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The number of signals that the attempt has received. An attempt that waits for a signal ends
    /// its task, and continues with another one.
    pub signals: u32,
}

/// A task to open.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// The key.
    pub key: TaskKey,
    /// The task queue.
    pub queue: String,
    /// The attempt, a [`JobTask`](crate::executor::JobTask).
    pub attempt: Json,
}

/// The right of a worker to end a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskLease {
    /// The number of the task. A store never uses it again.
    pub task: u64,
    /// The engine of the worker.
    pub owner: OwnerId,
    /// The fencing token: the number of workers that have claimed the task, from 1.
    pub token: u64,
}

/// A task that a worker has claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedTask {
    /// The right to end it.
    pub lease: TaskLease,
    /// The attempt, a [`JobTask`](crate::executor::JobTask).
    pub attempt: Json,
    /// The values that earlier workers persisted during the attempt, by key.
    pub persisted: BTreeMap<String, Json>,
    /// How many workers have died during the attempt.
    pub deaths: u32,
    /// The run.
    pub run: StoredRun,
}

/// A task that an owner holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldTask {
    /// The right to end it.
    pub lease: TaskLease,
    /// Whether the attempt must stop.
    pub is_stopped: bool,
}

/// The progress of an attempt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskProgress {
    /// Values that it persisted, by key.
    pub persisted: BTreeMap<String, Json>,
    /// Its output, in order.
    pub output: Vec<(OutputStream, String)>,
}

impl TaskProgress {
    /// Whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.persisted.is_empty() && self.output.is_empty()
    }
}

/// What a worker has sent to the engine of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskAnswer {
    /// The task.
    pub key: TaskKey,
    /// New output, in order.
    pub output: Vec<(OutputStream, String)>,
    /// How the task ended, if it has.
    pub end: Option<TaskEnd>,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskEnd {
    /// A worker made the attempt, with this
    /// [`AttemptOutcome`](crate::executor::AttemptOutcome).
    Outcome(Json),
    /// It was stopped while no live worker had it.
    Cancelled,
}

/// An open task as a store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTask {
    /// The task.
    pub key: TaskKey,
    /// Its task queue.
    pub queue: String,
    /// When it was opened.
    pub opened_at: SystemTime,
    /// The engine of the worker that has claimed it; `None` while it waits.
    pub owner: Option<OwnerId>,
    /// Whether that engine is alive.
    pub is_owner_alive: bool,
}

/// Why a worker cannot report on a task.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// Another worker has the task, or the attempt is over.
    #[error("lost task {task}: another worker has it, or its attempt is over")]
    Lost {
        /// The number of the task.
        task: u64,
    },
    /// The store could not be changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
