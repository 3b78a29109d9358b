//! What the events of a run say of its jobs, attempt by attempt.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;
use workflow_core::{AttemptView, Event, EventKind, JobView, RunView, StoreError, StoredRun};
use workflow_store::Catalog;

use super::time::{seconds, text};

/// The jobs of a run, and what some of them left.
pub(crate) struct Record {
    pub(crate) view: RunView,
    /// The jobs whose values are wanted.
    wanted: HashSet<String>,
    outputs: HashMap<String, Json>,
    values: HashMap<String, Map<String, Json>>,
}

/// How many events are read at once.
const PAGE: usize = 1000;

impl Record {
    /// Reads the events of a run, and what these jobs left.
    pub(crate) async fn read(
        catalog: &dyn Catalog,
        run: &StoredRun,
        wanted: impl IntoIterator<Item = String>,
    ) -> Result<Self, StoreError> {
        let mut record = Self {
            view: RunView::of_graph(&run.workflow.graph),
            wanted: wanted.into_iter().collect(),
            outputs: HashMap::new(),
            values: HashMap::new(),
        };
        let mut from = 0;
        loop {
            let events = catalog.events(run.id, from, PAGE).await?;
            from += events.len() as u64;
            let last = events.len() < PAGE;
            events.into_iter().for_each(|event| record.add(event));
            if last {
                return Ok(record);
            }
        }
    }

    fn add(&mut self, event: Event) {
        self.view.apply(&event);
        if event.kind.job().is_none_or(|job| !self.wanted.contains(job)) {
            return;
        }
        match event.kind {
            EventKind::JobCompleted { job, output: Some(output), .. } => {
                self.outputs.insert(job, (*output).clone());
            }
            EventKind::ValueKept { job, key, value } => {
                self.values.entry(job).or_default().insert(key, value);
            }
            _ => {}
        }
    }

    /// What a job left, if that was wanted.
    pub(crate) fn output(&self, job: &str) -> Option<&Json> {
        self.outputs.get(job)
    }

    /// The values that a job kept, if those were wanted.
    pub(crate) fn values(&self, job: &str) -> Map<String, Json> {
        self.values.get(job).cloned().unwrap_or_default()
    }
}

/// One try of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attempt {
    /// Which, from 1.
    attempt: u32,
    /// Where it stands.
    #[schema(value_type = String, examples("completed"))]
    status: &'static str,
    /// When it began.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it ended.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// How long it took.
    duration_seconds: Option<f64>,
    /// What it failed with.
    error: Option<Failure>,
    /// What it noted: exit code, memory, processor time and the like.
    #[schema(value_type = Object)]
    facts: Map<String, Json>,
}

/// What an attempt failed with.
#[derive(Debug, Serialize, ToSchema)]
struct Failure {
    /// In which way: `retryable`, `terminal`, `panicked` or `cancelled`; of a timeout the time
    /// that was exceeded: `start_to_close`, `schedule_to_close` or `heartbeat`.
    #[schema(value_type = String, examples("retryable"))]
    kind: Json,
    /// The error and its causes.
    message: String,
    /// Its decisive line.
    line: String,
    /// The error's type in the program, where it says more than `String`.
    error_type: Option<String>,
}

impl From<&workflow_core::Failure> for Failure {
    fn from(of: &workflow_core::Failure) -> Self {
        // A timeout is written as an object of one key, whose value says which.
        let kind = match serde_json::to_value(of.kind).unwrap_or_default() {
            Json::Object(kind) => kind.into_iter().next().map(|(_, which)| which),
            kind => Some(kind),
        };
        let is_plain = matches!(of.error_type.as_str(), "" | "&str" | "alloc::string::String");
        Self {
            kind: kind.unwrap_or_default(),
            message: of.message.clone(),
            line: of.decisive_line(),
            error_type: (!is_plain).then(|| of.error_type.clone()),
        }
    }
}

impl From<&AttemptView> for Attempt {
    fn from(of: &AttemptView) -> Self {
        Self {
            attempt: of.number,
            status: of.status.as_str(),
            started_at: text(of.started_at),
            ended_at: of.ended_at.map(text),
            duration_seconds: seconds(Some(of.started_at), of.ended_at),
            error: of.error.as_ref().map(Failure::from),
            facts: of.facts.clone(),
        }
    }
}

/// A bar of a Gantt chart: one try of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bar {
    /// The name of the job.
    job: String,
    /// Which try of it, from 1.
    attempt: u32,
    /// When it began.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it ended; null while it is under way.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// Where it stands.
    #[schema(value_type = String, examples("completed"))]
    status: &'static str,
}

impl Bar {
    pub(crate) fn all(jobs: &[JobView]) -> Vec<Self> {
        let bars = jobs.iter().flat_map(|job| {
            job.attempts.iter().map(|of| Self {
                job: job.name.clone(),
                attempt: of.number,
                started_at: text(of.started_at),
                ended_at: of.ended_at.map(text),
                status: of.status.as_str(),
            })
        });
        bars.collect()
    }
}
