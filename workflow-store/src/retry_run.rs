//! A run that begins with outcomes of another: their events are the first of its record, as if
//! it had been interrupted there.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use workflow_core::{
    BeginOutcome, Enqueued, Event, EventKind, JobOrigin, NewRun, RunId, Status, StoreError,
    StoredRun, Trigger, Workflow,
};

use crate::catalog::Catalog;
use crate::catalog_error::CatalogError;

/// Which jobs run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetrySource<'a> {
    /// Those that did not complete.
    Failed,
    /// This one, too.
    From(&'a str),
}

/// Who asks for a run to be repeated, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryRequest {
    /// The name of the user who asks. Default: nobody.
    pub user: Option<String>,
    /// The idempotency key: repeating with the same key returns the existing run. Default: none.
    pub idempotency_key: Option<String>,
}

/// Why a run cannot be repeated with outcomes that it left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetryError {
    /// The store cannot be read or changed, or does not have the run.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The run goes on.
    #[error("run {run} is {status} and cannot be repeated yet; wait for its end, or cancel it")]
    NotEnded {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: Status,
    },
    /// The workflow has other jobs by now.
    #[error(
        "the definition of `{workflow}` changed since run {run}, so that outcomes of it do not \
         fit; run everything again"
    )]
    Changed {
        /// The name of the workflow.
        workflow: String,
        /// The run.
        run: RunId,
    },
    /// The run has no such job.
    #[error("run {run} has no job `{job}` to begin with; it has {}", known.join(", "))]
    NoJob {
        /// The run.
        run: RunId,
        /// The name that was given.
        job: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// What the job waits for did not complete.
    #[error(
        "`{job}` cannot be begun with: `{before}`, which it waits for, left no outcome in run \
         {run}; begin with `{before}`, or with what failed"
    )]
    NoOutcome {
        /// The run.
        run: RunId,
        /// The job that was to be begun with.
        job: String,
        /// The one that it waits for.
        before: String,
    },
}

impl From<StoreError> for RetryError {
    fn from(error: StoreError) -> Self {
        Self::Catalog(error.into())
    }
}

/// Begins a run that repeats one which has ended: with the same input, and with the outcomes of
/// the jobs that do not run again. A job runs again in any case when one that it waits for does.
/// Nobody drives it yet: an engine that serves the store takes it up.
///
/// `workflow` is what is run, as the snapshot of the old run
/// [gives it](workflow_core::WorkflowSnapshot::workflow). Under an idempotency key that was used
/// before, returns the run that is there. On a [handle](Catalog::seen_by) of a user the run is the
/// user's, whoever is named.
///
/// # Errors
///
/// Fails when the old run has not ended, when the workflow has other jobs by now or is not active,
/// and when the job that was named is not in the run or cannot be begun with.
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
    let events = events_of(store, old.id).await?;
    let kept = Kept::of(old, &events, again)?;
    let new = NewRun {
        workflow_id: Some(workflow_id),
        input: old.input.clone(),
        trigger: Trigger::Retry,
        idempotency_key: request.idempotency_key,
        user: request.user,
        runs_dir: old.runs_dir.clone(),
        ..NewRun::new(old.workflow.clone())
    };
    let id = new.id;
    match store.begin(new, kept.record(old.id, events)).await? {
        BeginOutcome::New(_) => Ok(Enqueued::New(id)),
        BeginOutcome::Existing(run) => Ok(Enqueued::Existing(run.id)),
    }
}

/// Sees to it that a run of this workflow can begin where the old one stood.
fn check(workflow: &dyn Workflow, old: &StoredRun) -> Result<(), RetryError> {
    let input =
        workflow.input().and_then(|kind| kind.read(old.input.clone().unwrap_or_default()).ok());
    let same = workflow
        .plan(input.as_deref())
        .is_ok_and(|plan| *old.workflow.graph == plan.graph().to_json());
    if same {
        return Ok(());
    }
    Err(RetryError::Changed { workflow: old.workflow.name.clone(), run: old.id })
}

async fn events_of(store: &dyn Catalog, run: RunId) -> Result<Vec<Event>, StoreError> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let page = store.events(run, events.len() as u64, PAGE).await?;
        let last = page.len() < PAGE;
        events.extend(page);
        if last {
            return Ok(events);
        }
    }
}

const PAGE: usize = 1000;

/// The jobs whose outcomes stay, and those that these started.
struct Kept {
    jobs: HashSet<String>,
    /// In which attempt each of them completed.
    attempts: HashMap<String, u32>,
}

impl Kept {
    fn of(old: &StoredRun, events: &[Event], again: RetrySource<'_>) -> Result<Self, RetryError> {
        let waits = Waits::of(old);
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
            waits.check(old.id, job, stays)?;
        }
        let begins =
            |job: &str| !stays(job) || matches!(again, RetrySource::From(from) if from == job);
        let again = waits.after(begins);
        let mut jobs: HashSet<String> =
            waits.jobs.iter().filter(|job| !again.contains(job.as_str())).cloned().collect();
        // Each comes after the job that started it.
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

    /// The first events of the new run: its beginning, and what stays, with the times at which it
    /// happened.
    fn record(&self, old: RunId, events: Vec<Event>) -> Vec<Event> {
        let repeats = Some(old);
        let begins = Event::new(0, SystemTime::now(), EventKind::RunStarted { repeats });
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
                EventKind::JobCompleted { .. } | EventKind::ValueKept { .. } => true,
                EventKind::JobFailed { .. }
                | EventKind::JobSkipped { .. }
                | EventKind::JobCancelled { .. } => true,
                _ => false,
            }
    }
}

/// Which jobs wait for which.
struct Waits {
    jobs: Vec<String>,
    before: HashMap<String, Vec<String>>,
}

impl Waits {
    fn of(run: &StoredRun) -> Self {
        let graph = &run.workflow.graph;
        let text = |json: &serde_json::Value| json.as_str().unwrap_or_default().to_owned();
        let list = |key: &str| graph[key].as_array().into_iter().flatten();
        let jobs = list("nodes").map(|node| text(&node["id"])).collect();
        let mut before: HashMap<String, Vec<String>> = HashMap::new();
        for edge in list("edges") {
            before.entry(text(&edge["target"])).or_default().push(text(&edge["source"]));
        }
        for group in list("groups") {
            let names = |key: &str| group[key].as_array().into_iter().flatten().map(text);
            for target in names("targets") {
                before.entry(target).or_default().extend(names("sources"));
            }
        }
        Self { jobs, before }
    }

    fn before(&self, job: &str) -> impl Iterator<Item = &str> {
        self.before.get(job).into_iter().flatten().map(String::as_str)
    }

    /// The jobs that begin again, and all that wait for one of them.
    fn after(&self, begins: impl Fn(&str) -> bool) -> HashSet<&str> {
        let mut again: HashSet<&str> =
            self.jobs.iter().map(String::as_str).filter(|job| begins(job)).collect();
        loop {
            let waits = |job: &&str| self.before(job).any(|before| again.contains(before));
            let jobs = self.jobs.iter().map(String::as_str);
            let more: Vec<&str> = jobs.filter(|job| !again.contains(job)).filter(waits).collect();
            if more.is_empty() {
                return again;
            }
            again.extend(more);
        }
    }

    /// Sees to it that what the job waits for completed.
    fn check(&self, run: RunId, job: &str, stays: impl Fn(&str) -> bool) -> Result<(), RetryError> {
        if !self.jobs.iter().any(|known| known == job) {
            let (job, known) = (job.to_owned(), self.jobs.clone());
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
