//! Retries of runs: a new run starts with the outcomes of an old one. Their events are the first of
//! its record, as if it had been interrupted there.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use workflow_core::engine::Enqueued;
use workflow_core::event::{Event, EventKind, JobOrigin};
use workflow_core::graph::recorded_dependencies;
use workflow_core::id::RunId;
use workflow_core::store::{BeginOutcome, NewRun, StoreError, StoredRun, Trigger, read_events};
use workflow_core::value::{Type, ValueError};
use workflow_core::workflow::PlanError;
use workflow_core::{Status, Workflow};

use crate::catalog::Catalog;
use crate::catalog_error::CatalogError;

/// The jobs that run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetrySource<'a> {
    /// All jobs that did not complete.
    Failed,
    /// This job, too.
    From(&'a str),
}

/// Options of a retry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryRequest {
    /// The name of the user. Default: none.
    pub user: Option<String>,
    /// The idempotency key: retrying again with the same key returns the existing run. Default:
    /// none.
    pub idempotency_key: Option<String>,
}

/// Why a run cannot be retried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetryError {
    /// The store failed, or does not have the run.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The run has not ended.
    #[error("run {run} is {status} and cannot be retried yet; wait for its end, or cancel it")]
    NotEnded {
        /// The run.
        run: RunId,
        /// Its status.
        status: Status,
    },
    /// The definition of the workflow has changed.
    #[error(
        "the definition of `{workflow}` has changed since run {run}, so its outcomes cannot be reused; run everything again"
    )]
    Changed {
        /// The name of the workflow.
        workflow: String,
        /// The run.
        run: RunId,
    },
    /// The input of the run does not fit the workflow.
    #[error(
        "the input of run {run} does not fit `{workflow}`: {error}; start a new run with an input that fits"
    )]
    Input {
        /// The name of the workflow.
        workflow: String,
        /// The run.
        run: RunId,
        /// What is wrong.
        error: ValueError,
    },
    /// The workflow cannot be planned.
    #[error("workflow `{workflow}` cannot run: {error}")]
    Plan {
        /// The name of the workflow.
        workflow: String,
        /// Why.
        error: PlanError,
    },
    /// The run has no such job.
    #[error("run {run} has no job `{job}`; its jobs are {}", known.join(", "))]
    NoJob {
        /// The run.
        run: RunId,
        /// The requested job.
        job: String,
        /// The jobs of the run.
        known: Vec<String>,
    },
    /// A dependency of the job did not complete.
    #[error(
        "cannot retry from `{job}`: `{before}`, which it waits for, did not complete in run {run}; retry from `{before}`, or retry the failed jobs"
    )]
    NoOutcome {
        /// The run.
        run: RunId,
        /// The requested job.
        job: String,
        /// The job that it waits for.
        before: String,
    },
}

impl From<StoreError> for RetryError {
    fn from(error: StoreError) -> Self {
        Self::Catalog(error.into())
    }
}

/// Retries a run that has ended: starts a new run with the same input and the outcomes of the jobs
/// that do not run again. A job always runs again if one of its dependencies does. The new run is
/// pending until an engine of the store starts it.
///
/// `workflow` is the workflow of the old run's
/// [snapshot](workflow_core::store::WorkflowSnapshot::workflow). If the idempotency key has been
/// used before, returns the existing run. On a [handle](Catalog::seen_by) of a user, the run
/// belongs to that user, whatever `request.user` is.
///
/// # Errors
///
/// Fails when the old run has not ended, when the definition of the workflow has changed, when it
/// cannot run with the old input or is inactive, and when the requested job is not in the run or a
/// dependency of it did not complete.
pub async fn retry_run(
    store: &dyn Catalog,
    old: &StoredRun,
    workflow: &dyn Workflow,
    again: RetrySource<'_>,
    request: RetryRequest,
) -> Result<Enqueued, RetryError> {
    if !old.status.is_final() {
        return Err(RetryError::NotEnded { run: old.id, status: old.status });
    }
    check(workflow, old)?;
    let workflow_id = store.run_summary(old.id).await?.workflow_id;
    let events = read_events(store, old.id).await?;
    let reused = ReusedOutcomes::of(old, &events, again)?;
    let new = NewRun {
        workflow_id: Some(workflow_id),
        input: old.input.clone(),
        trigger: Trigger::Retry,
        idempotency_key: request.idempotency_key,
        user: request.user,
        runs_dir: old.runs_dir.clone(),
        task_queue: old.task_queue.clone(),
        priority: old.priority,
        scheduled_for: old.scheduled_for,
        flow_control: old.flow_control.clone(),
        ..NewRun::new(old.workflow.clone())
    };
    let id = new.id;
    match store.begin(new, reused.record(old.id, events)).await? {
        BeginOutcome::New(_) => Ok(Enqueued::New(id)),
        BeginOutcome::Cancelled => Ok(Enqueued::Cancelled(id)),
        BeginOutcome::Existing(run, by) => Ok(Enqueued::Existing(run.id, by)),
    }
}

/// Checks that the definition of the workflow has not changed.
fn check(workflow: &dyn Workflow, old: &StoredRun) -> Result<(), RetryError> {
    let (name, run) = (|| old.workflow.name.clone(), old.id);
    let read = |kind: Type| kind.read(old.input.clone().unwrap_or_default());
    let input = workflow.input().map(read).transpose();
    let input = input.map_err(|error| RetryError::Input { workflow: name(), run, error })?;
    let plan = workflow.plan(input.as_deref());
    let plan = plan.map_err(|error| RetryError::Plan { workflow: name(), error })?;
    match *old.workflow.graph == plan.graph().to_json() {
        true => Ok(()),
        false => Err(RetryError::Changed { workflow: name(), run }),
    }
}

/// The jobs whose outcomes are reused, and the jobs that those started.
struct ReusedOutcomes {
    jobs: HashSet<String>,
    /// The attempt in which each of them completed.
    attempts: HashMap<String, u32>,
}

impl ReusedOutcomes {
    fn of(old: &StoredRun, events: &[Event], again: RetrySource<'_>) -> Result<Self, RetryError> {
        let dependencies = Dependencies::of(old);
        let mut attempts = HashMap::new();
        let mut undone = HashSet::new();
        for event in events {
            match &event.kind {
                EventKind::JobCompleted { job, attempt, .. } => {
                    attempts.insert(job.clone(), *attempt);
                }
                EventKind::JobStarted { origin: Some(origin), .. } => {
                    if let JobOrigin::Compensation { of } = &**origin {
                        undone.insert(of.clone());
                    }
                }
                _ => {}
            }
        }
        let stays = |job: &str| attempts.contains_key(job) && !undone.contains(job);
        if let RetrySource::From(job) = again {
            dependencies.check(old.id, job, stays)?;
        }
        let begins =
            |job: &str| !stays(job) || matches!(again, RetrySource::From(from) if from == job);
        let again = dependencies.after(begins);
        let stay = dependencies.jobs.iter().filter(|job| !again.contains(*job));
        let mut jobs: HashSet<String> = stay.map(|&job| job.to_owned()).collect();
        // A job comes after the job that started it.
        for event in events {
            if let EventKind::JobStarted { job, origin: Some(origin), .. } = &event.kind
                && let JobOrigin::Element { of: by, .. } | JobOrigin::Called { by, .. } = &**origin
                && jobs.contains(by)
            {
                jobs.insert(job.clone());
            }
        }
        Ok(Self { jobs, attempts })
    }

    /// The first events of the new run: its start, and the reused events with their original times.
    fn record(&self, old: RunId, events: Vec<Event>) -> Vec<Event> {
        let retry_of = Some(old);
        let begins = Event::new(0, SystemTime::now(), EventKind::RunStarted { retry_of });
        let stays = events.into_iter().filter(|event| self.stays(&event.kind));
        let renumber = |(sequence, event): (u64, Event)| Event::new(sequence, event.at, event.kind);
        [begins].into_iter().chain((1..).zip(stays).map(renumber)).collect()
    }

    fn stays(&self, kind: &EventKind) -> bool {
        let Some(job) = kind.job() else { return false };
        self.jobs.contains(job)
            && match kind {
                EventKind::JobStarted { attempt, .. } => {
                    self.attempts.get(job).is_none_or(|completed| completed == attempt)
                }
                EventKind::ValuePersisted { .. } => true,
                other => other.ends_job(),
            }
    }
}

/// The dependencies of the jobs.
struct Dependencies<'a> {
    jobs: Vec<&'a str>,
    before: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Dependencies<'a> {
    fn of(run: &'a StoredRun) -> Self {
        let graph = &*run.workflow.graph;
        let nodes = graph["nodes"].as_array().into_iter().flatten();
        let jobs = nodes.filter_map(|node| node["id"].as_str()).collect();
        Self { jobs, before: recorded_dependencies(graph) }
    }

    fn before(&self, job: &str) -> impl Iterator<Item = &'a str> {
        self.before.get(job).into_iter().flatten().copied()
    }

    /// The jobs that run again: these, and all that depend on one of them.
    fn after(&self, begins: impl Fn(&str) -> bool) -> HashSet<&'a str> {
        let jobs = || self.jobs.iter().copied();
        let mut again: HashSet<&str> = jobs().filter(|job| begins(job)).collect();
        loop {
            let waits = |job: &&str| self.before(job).any(|before| again.contains(before));
            let more: Vec<&str> = jobs().filter(|job| !again.contains(job)).filter(waits).collect();
            if more.is_empty() {
                return again;
            }
            again.extend(more);
        }
    }

    /// Checks that all dependencies of the job completed.
    fn check(&self, run: RunId, job: &str, stays: impl Fn(&str) -> bool) -> Result<(), RetryError> {
        if !self.jobs.contains(&job) {
            let known = self.jobs.iter().map(|&known| known.to_owned()).collect();
            let job = job.to_owned();
            return Err(RetryError::NoJob { run, job, known });
        }
        let mut left: Vec<&str> = self.before(job).collect();
        let mut seen = HashSet::new();
        while let Some(before) = left.pop() {
            if !stays(before) {
                let (job, before) = (job.to_owned(), before.to_owned());
                return Err(RetryError::NoOutcome { run, job, before });
            }
            if seen.insert(before) {
                left.extend(self.before(before));
            }
        }
        Ok(())
    }
}
