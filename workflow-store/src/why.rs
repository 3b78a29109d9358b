//! Why a run, or a job of it, makes no progress.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use serde_json::Value as Json;
use workflow_core::Status;
use workflow_core::event::{Stall, Waiting, decisive_line, format_time};
use workflow_core::graph::recorded_dependencies;
use workflow_core::id::RunId;
use workflow_core::store::{
    Asleep, LimitWait, OwnerId, StoreError, StoredRun, StoredTask, StoredWorker, WorkflowSnapshot,
};

use crate::catalog::{Catalog, JobSummary, RunDetails};
use crate::catalog_error::CatalogError;

/// A reason why a run or a job of it makes no progress, or what it does.
#[derive(Debug, Clone, PartialEq)]
pub struct StallReason {
    /// The job; `None` if it concerns the whole run.
    pub job: Option<String>,
    /// The cause.
    pub cause: Cause,
}

/// The cause of a [`StallReason`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// The run has ended; with the reason, unless it completed or somebody cancelled it.
    Ended(Status, Option<String>),
    /// The run has ended on a system that retries no runs, such as Temporal; with the reason as in
    /// [`Ended`](Self::Ended).
    EndedForGood(Status, Option<String>),
    /// Engines cannot resume the run.
    Stalled(Stall),
    /// The job waits for a signal or for a time.
    Waiting(Waiting),
    /// The job failed, and its next attempt starts later.
    Retry {
        /// The time of the next attempt.
        at: SystemTime,
    },
    /// The job waits for other jobs.
    Dependencies(Vec<String>),
    /// The job waits for a slot of its engine, or for a limit that it names.
    JobSlot {
        /// The name of the worker that drives the run, if all of its slots for jobs are taken.
        full: Option<String>,
    },
    /// The job waits for a child run.
    ChildRun(RunId),
    /// The job is running.
    Running {
        /// The attempt, from 1.
        attempt: u32,
        /// When the attempt started.
        since: SystemTime,
    },
    /// An engine drives the run, and is about to start its first job.
    Starting,
    /// The run was asked to cancel, and its jobs are stopping.
    Cancelling,
    /// The run, or the job that names a task queue, waits in it, and a worker with a free slot serves
    /// it.
    Queued {
        /// The task queue.
        queue: String,
    },
    /// The run, or the job that names a task queue, waits in one that no live worker serves.
    NoWorker {
        /// The task queue.
        queue: String,
    },
    /// The programs of the live workers that serve the task queue of the run, or of the job, do not
    /// have the workflow.
    UnknownWorkflow {
        /// The task queue.
        queue: String,
        /// The workflow.
        workflow: String,
        /// The names of the workers.
        workers: Vec<String>,
    },
    /// The run waits for a limit of its key.
    Limit(LimitWait),
    /// All workers that serve the run's task queue are full.
    WorkersFull {
        /// The task queue.
        queue: String,
        /// The names of the workers.
        workers: Vec<String>,
    },
    /// No worker that serves the job's task queue has a free slot for jobs.
    JobSlotsFull {
        /// The task queue.
        queue: String,
        /// The names of the workers.
        workers: Vec<String>,
    },
    /// The worker that drives the run, or executes the job, has missed heartbeats, and its lease has
    /// not expired.
    OwnerSilent {
        /// The name of the worker.
        worker: String,
        /// The time since its last heartbeat.
        silent_for: Duration,
    },
    /// The engine that drove the run, or executed the job, has died or is late to renew its lease.
    OwnerDied {
        /// The task queue whose workers take it over.
        queue: String,
    },
    /// The run waits outside of the memory of workers. The reasons of its jobs say for what.
    Evicted {
        /// The task queue whose workers resume it.
        queue: String,
    },
    /// The run is resumed by the engine that drives the run which started it.
    OuterRun(RunId),
    /// An external program runs it.
    External,
}

impl Cause {
    /// The cause as a string, such as `no_worker`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ended(..) | Self::EndedForGood(..) => "ended",
            Self::Stalled(stall) => stall.reason(),
            Self::Waiting(Waiting::Signal { .. }) => "signal",
            Self::Waiting(_) => "time",
            Self::Retry { .. } => "retry",
            Self::Dependencies(_) => "dependencies",
            Self::JobSlot { .. } => "job_slot",
            Self::ChildRun(_) => "child_run",
            Self::Running { .. } => "running",
            Self::Starting => "starting",
            Self::Cancelling => "cancelling",
            Self::Queued { .. } => "queued",
            Self::NoWorker { .. } => "no_worker",
            Self::UnknownWorkflow { .. } => "unknown_workflow",
            Self::Limit(LimitWait::Concurrency { .. }) => "concurrency",
            Self::Limit(LimitWait::Rate { .. }) => "rate",
            Self::Limit(_) => "debounce",
            Self::WorkersFull { .. } | Self::JobSlotsFull { .. } => "workers_full",
            Self::OwnerSilent { .. } => "owner_silent",
            Self::OwnerDied { .. } => "owner_died",
            Self::Evicted { .. } => "evicted",
            Self::OuterRun(_) => "outer_run",
            Self::External => "external",
        }
    }

    /// What a person can do about it.
    pub fn cure(&self) -> String {
        match self {
            Self::Ended(Status::Failed | Status::Cancelled, _) => {
                "retry its failed and unfinished jobs".to_owned()
            }
            Self::EndedForGood(Status::Failed | Status::Cancelled, _) => {
                "start a new run".to_owned()
            }
            Self::Stalled(stall) => stall.cure(),
            Self::Waiting(waiting) => waiting.cure(),
            Self::Dependencies(_) => "see why these jobs have not ended".to_owned(),
            Self::JobSlot { full: Some(_) } => "wait for other jobs to end, or raise the worker's \
                --max-concurrent-activities"
                .to_owned(),
            Self::JobSlot { full: None } => {
                "wait for other jobs to end, or raise the limit: one that \
                the job names, or `max_parallel` of the engine"
                    .to_owned()
            }
            Self::ChildRun(run) => format!("see why run {run} has not ended"),
            Self::Running { .. } => {
                "wait, or cancel the run; a timeout of the job would end an attempt that hangs"
                    .to_owned()
            }
            Self::NoWorker { queue } | Self::UnknownWorkflow { queue, .. } => {
                format!(
                    "start a worker that has the workflow: `worker --task-queue={}`",
                    shell_word(queue)
                )
            }
            Self::Limit(LimitWait::Concurrency { .. }) => {
                "wait for a run that holds a slot, or cancel it".to_owned()
            }
            Self::WorkersFull { .. } => "wait, start another worker, or raise \
                --max-concurrent-workflows of a worker"
                .to_owned(),
            Self::JobSlotsFull { .. } => "wait, start another worker, or raise \
                --max-concurrent-activities of a worker"
                .to_owned(),
            Self::OwnerSilent { .. } => "wait: if this worker has died, another one of the task \
                queue takes over when the lease has expired"
                .to_owned(),
            Self::OwnerDied { .. } => {
                "nothing to do: a worker takes it over when the lease has expired".to_owned()
            }
            Self::OuterRun(run) => format!("see why run {run} makes no progress"),
            Self::External => "look at the program that runs it".to_owned(),
            Self::Limit(_)
            | Self::Ended(..)
            | Self::EndedForGood(..)
            | Self::Retry { .. }
            | Self::Starting
            | Self::Cancelling
            | Self::Evicted { .. }
            | Self::Queued { .. } => "nothing to do".to_owned(),
        }
    }

    /// The runs that it concerns.
    pub fn runs(&self) -> Vec<RunId> {
        match self {
            Self::ChildRun(run) | Self::OuterRun(run) => vec![*run],
            Self::Limit(LimitWait::Concurrency { holders, .. }) => holders.clone(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for StallReason {
    /// Writes a clause, such as "job `load` waits for job `extract`".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = match &self.job {
            Some(job) => format!("job `{job}`"),
            None => "the run".to_owned(),
        };
        match &self.cause {
            Cause::Ended(status, reason) | Cause::EndedForGood(status, reason) => {
                let verb = if *status == Status::Cancelled { "was " } else { "" };
                let reason = reason.as_deref().map(decisive_line);
                let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                write!(f, "{subject} {verb}{status}{reason}")
            }
            Cause::Stalled(stall) => write!(f, "{stall}"),
            Cause::Waiting(waiting) => write!(f, "{waiting}"),
            Cause::Retry { at } => {
                write!(f, "{subject} failed; its next attempt starts at {}", format_time(*at))
            }
            Cause::Dependencies(jobs) => {
                let noun = if jobs.len() == 1 { "job" } else { "jobs" };
                write!(f, "{subject} waits for {noun} {}", quoted(jobs))
            }
            Cause::JobSlot { full: None } => write!(f, "{subject} is ready, and waits for a slot"),
            Cause::JobSlot { full: Some(worker) } => {
                write!(
                    f,
                    "{subject} is ready, and all slots for jobs of worker `{worker}` are taken"
                )
            }
            Cause::ChildRun(run) => write!(f, "{subject} waits for run {run}"),
            Cause::Running { attempt, since } => {
                write!(f, "{subject} is running, attempt {attempt} since {}", format_time(*since))
            }
            Cause::Starting => write!(f, "{subject} is starting"),
            Cause::Cancelling => write!(f, "{subject} is being cancelled"),
            Cause::Queued { queue } => {
                write!(f, "{subject} waits in task queue `{queue}`, and a worker will start it")
            }
            Cause::NoWorker { queue } => {
                write!(f, "{subject} waits in task queue `{queue}`, which no live worker serves")
            }
            Cause::UnknownWorkflow { queue, workflow, workers } => write!(
                f,
                "{subject} waits in task queue `{queue}`, whose live workers do not have workflow \
                 `{workflow}`: {}",
                quoted(workers)
            ),
            Cause::Limit(wait) => write!(f, "{subject} waits for its {wait}"),
            Cause::WorkersFull { queue, workers } => write!(
                f,
                "{subject} waits in task queue `{queue}`, whose workers have no free slot: {}",
                quoted(workers)
            ),
            Cause::JobSlotsFull { queue, workers } => write!(
                f,
                "{subject} waits in task queue `{queue}`, whose workers have no free slot for jobs: {}",
                quoted(workers)
            ),
            Cause::OwnerSilent { worker, silent_for } => write!(
                f,
                "worker `{worker}` drives {subject}, and has not reported for {} s",
                silent_for.as_secs()
            ),
            Cause::OwnerDied { queue } => write!(
                f,
                "the process that drove {subject} has stopped; it waits in task queue `{queue}`"
            ),
            Cause::Evicted { queue } => write!(
                f,
                "{subject} was evicted to the store; a worker of task queue `{queue}` resumes it when \
                 its wait ends"
            ),
            Cause::OuterRun(run) => {
                write!(f, "{subject} continues with run {run}, which started it")
            }
            Cause::External => write!(f, "{subject} belongs to an external program"),
        }
    }
}

/// A name as one word of a shell command: users choose the names of task queues.
fn shell_word(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    match name.chars().all(is_plain) {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

impl Serialize for StallReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            job: Option<&'a str>,
            reason: &'a str,
            detail: String,
            cure: String,
            runs: Vec<RunId>,
        }
        Written {
            job: self.job.as_deref(),
            reason: self.cause.as_str(),
            detail: self.to_string(),
            cure: self.cause.cure(),
            runs: self.cause.runs(),
        }
        .serialize(serializer)
    }
}

/// Returns why a run makes no progress: one reason for the whole run, or one for each job that has
/// not ended. A run that waits in the store has both. A run that makes progress has reasons, too,
/// which say what it does.
///
/// `catalog` is unrestricted, since only such a handle knows owners and workers. `viewer` is the
/// handle of the user who asks: reasons name no runs that it does not show. Both may be the same.
///
/// # Errors
///
/// Fails when the viewer sees no such run, and when the store cannot be read.
pub async fn why(
    catalog: &dyn Catalog,
    viewer: &dyn Catalog,
    run: RunId,
) -> Result<Vec<StallReason>, CatalogError> {
    viewer.run(run).await?.ok_or(StoreError::NoRun { run })?;
    let details = catalog.run_details(run).await?;
    let stored = catalog.run(run).await?.ok_or(StoreError::NoRun { run })?;
    let whole = |cause| Ok(vec![StallReason { job: None, cause }]);
    if details.run.status.is_final() {
        return whole(Cause::Ended(details.run.status, details.run.error));
    }
    if stored.workflow.is_external() {
        return whole(Cause::External);
    }
    if let Some(blocked @ Stall::Blocked(_)) = details.run.stall {
        return whole(Cause::Stalled(blocked));
    }
    let workers = catalog.workers().await?;
    let workers = workers.as_deref();
    let mut evicted = None;
    if is_abandoned(catalog, run).await? {
        if let Some(asleep) = catalog.asleep(run).await? {
            evicted = Some(why_evicted(workers, &stored, asleep));
        } else {
            let mut cause = why_abandoned(catalog, workers, stored).await?;
            if let Cause::Limit(LimitWait::Concurrency { holders, hidden, .. }) = &mut cause {
                *hidden = hide_unseen(viewer, holders).await?;
            }
            return whole(cause);
        }
    } else if let Some(silent) = silent(workers, stored.owner) {
        return whole(silent);
    }
    let children = children(catalog, run).await?;
    let queued = why_queued(catalog, workers, &stored).await?;
    let full = owner(workers, stored.owner).filter(|worker| worker.has_no_job_slot());
    let full = full.map(|worker| worker.report.name.clone());
    let mut reasons = why_jobs(&details, &stored.workflow.graph, &children, queued, full);
    if let Some(cause) = evicted {
        reasons.insert(0, StallReason { job: None, cause });
    } else if details.is_cancelling {
        reasons.insert(0, StallReason { job: None, cause: Cause::Cancelling });
    } else if reasons.is_empty() {
        reasons.push(StallReason { job: None, cause: Cause::Starting });
    }
    Ok(reasons)
}

/// Removes the runs that a viewer does not see, and returns their number.
async fn hide_unseen(viewer: &dyn Catalog, runs: &mut Vec<RunId>) -> Result<usize, StoreError> {
    let all = std::mem::take(runs);
    let count = all.len();
    for run in all {
        if viewer.run(run).await?.is_some() {
            runs.push(run);
        }
    }
    Ok(count - runs.len())
}

/// Whether no live engine drives the run.
async fn is_abandoned(catalog: &dyn Catalog, run: RunId) -> Result<bool, StoreError> {
    let before = run.to_u128().checked_sub(1).map(RunId::from_u128);
    let first = catalog.abandoned(before, 1).await?;
    Ok(first.first().is_some_and(|first| first.id == run))
}

/// Why no engine drives a run that waits.
fn why_evicted(workers: Option<&[StoredWorker]>, run: &StoredRun, asleep: Asleep) -> Cause {
    if asleep.resumes_with != run.id {
        return Cause::OuterRun(asleep.resumes_with);
    }
    let serving = workers.map(|workers| serving(workers, &run.task_queue, &run.workflow));
    match serving {
        Some(Err(cause)) => cause,
        _ => Cause::Evicted { queue: run.task_queue.clone() },
    }
}

/// Why no engine drives the run.
async fn why_abandoned(
    catalog: &dyn Catalog,
    workers: Option<&[StoredWorker]>,
    run: StoredRun,
) -> Result<Cause, StoreError> {
    if let Some(parent) = &run.parent {
        return Ok(Cause::OuterRun(parent.run));
    }
    let queue = run.task_queue;
    // A store that does not know the workers cannot say more.
    let Some(workers) = workers else { return Ok(Cause::Queued { queue }) };
    let serving = match serving(workers, &queue, &run.workflow) {
        Ok(serving) => serving,
        Err(cause) => return Ok(cause),
    };
    if let Some(wait) = catalog.waits_for(run.id).await? {
        return Ok(Cause::Limit(wait));
    }
    if serving.iter().all(|worker| worker.is_full()) {
        let workers = names(&serving);
        return Ok(Cause::WorkersFull { queue, workers });
    }
    Ok(match run.owner {
        Some(_) => Cause::OwnerDied { queue },
        None => Cause::Queued { queue },
    })
}

/// Returns the live workers that run a workflow, or jobs of it, from a task queue.
///
/// # Errors
///
/// Fails with the cause if there are none: [`Cause::NoWorker`] or [`Cause::UnknownWorkflow`].
pub fn serving<'w>(
    workers: &'w [StoredWorker],
    queue: &str,
    workflow: &WorkflowSnapshot,
) -> Result<Vec<&'w StoredWorker>, Cause> {
    let of_queue: Vec<_> = workers.iter().filter(|worker| worker.serves(queue)).collect();
    let queue = queue.to_owned();
    if of_queue.is_empty() {
        return Err(Cause::NoWorker { queue });
    }
    let having: Vec<_> = of_queue.iter().copied().filter(|worker| worker.has(workflow)).collect();
    if having.is_empty() {
        let (workflow, workers) = (workflow.name.clone(), names(&of_queue));
        return Err(Cause::UnknownWorkflow { queue, workflow, workers });
    }
    Ok(having)
}

/// The cause if all workers of an engine have missed heartbeats. An engine without workers sends
/// none.
fn silent(workers: Option<&[StoredWorker]>, owner_id: Option<OwnerId>) -> Option<Cause> {
    let latest = owner(workers, owner_id)?;
    latest.is_late().then(|| Cause::OwnerSilent {
        worker: latest.report.name.clone(),
        silent_for: latest.silent_for,
    })
}

/// The worker with this owner that has reported last.
fn owner(workers: Option<&[StoredWorker]>, owner: Option<OwnerId>) -> Option<&StoredWorker> {
    let of_owner = workers?.iter().filter(|worker| Some(worker.report.id.owner) == owner);
    of_owner.min_by_key(|worker| worker.silent_for)
}

fn names(workers: &[&StoredWorker]) -> Vec<String> {
    workers.iter().map(|worker| worker.report.name.clone()).collect()
}

/// Why jobs with a task queue of their own are not running, by their names.
async fn why_queued(
    catalog: &dyn Catalog,
    workers: Option<&[StoredWorker]>,
    run: &StoredRun,
) -> Result<HashMap<String, Cause>, StoreError> {
    let Some(tasks) = catalog.task_store() else { return Ok(HashMap::new()) };
    let tasks = tasks.tasks(run.id).await?;
    let cause =
        |task: StoredTask| Some((task.key.job.clone(), why_waits(task, workers, &run.workflow)?));
    Ok(tasks.into_iter().filter_map(cause).collect())
}

/// Why no worker executes a job; `None` if one does.
fn why_waits(
    task: StoredTask,
    workers: Option<&[StoredWorker]>,
    workflow: &WorkflowSnapshot,
) -> Option<Cause> {
    let StoredTask { queue, owner, is_owner_alive, .. } = task;
    if is_owner_alive {
        return silent(workers, owner);
    }
    // A store that does not know the workers cannot say more.
    let Some(workers) = workers else { return Some(Cause::Queued { queue }) };
    let serving = match serving(workers, &queue, workflow) {
        Ok(serving) => serving,
        Err(cause) => return Some(cause),
    };
    Some(if owner.is_some() {
        Cause::OwnerDied { queue }
    } else if serving.iter().all(|worker| worker.has_no_job_slot()) {
        let workers = names(&serving);
        Cause::JobSlotsFull { queue, workers }
    } else {
        Cause::Queued { queue }
    })
}

/// The unfinished child runs, by the name of their job.
async fn children(catalog: &dyn Catalog, run: RunId) -> Result<HashMap<String, RunId>, StoreError> {
    let mut children = HashMap::new();
    for child in catalog.children(run).await? {
        let parent = catalog.run(child).await?.and_then(|stored| stored.parent);
        children.extend(parent.map(|parent| (parent.job, child)));
    }
    Ok(children)
}

/// Why the jobs of a run that an engine drives have not ended.
fn why_jobs(
    details: &RunDetails,
    graph: &Json,
    children: &HashMap<String, RunId>,
    mut queued: HashMap<String, Cause>,
    full: Option<String>,
) -> Vec<StallReason> {
    let before = recorded_dependencies(graph);
    let ended: HashMap<&str, bool> =
        details.jobs.iter().map(|job| (job.name.as_str(), job.status.is_final())).collect();
    let waiting: HashMap<&str, &Waiting> =
        details.waiting.iter().map(|waiting| (waiting.job(), waiting)).collect();
    let mut cause = |job: &JobSummary| {
        if let Some(cause) = queued.remove(&job.name) {
            return cause;
        }
        if let Some(waiting) = waiting.get(job.name.as_str()) {
            return Cause::Waiting((*waiting).clone());
        }
        if let Some(at) = job.retry_at {
            return Cause::Retry { at };
        }
        if let Some(run) = children.get(&job.name) {
            return Cause::ChildRun(*run);
        }
        if job.status == Status::Running {
            let since = job.attempt_started_at.unwrap_or(details.run.started_at);
            return Cause::Running { attempt: job.attempts.max(1), since };
        }
        let open = before.get(job.name.as_str()).into_iter().flatten();
        let open = open.filter(|before| !ended.get(**before).copied().unwrap_or(true));
        let open: Vec<String> = open.map(|before| (*before).to_owned()).collect();
        match open.is_empty() {
            true => Cause::JobSlot { full: full.clone() },
            false => Cause::Dependencies(open),
        }
    };
    let open = details.jobs.iter().filter(|job| !job.status.is_final());
    open.map(|job| StallReason { job: Some(job.name.clone()), cause: cause(job) }).collect()
}
