//! Jobs, attempts and outputs of a run, read from its events.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;
use workflow_core::event::{AttemptView, Event, EventKind, JobView, RunView};
use workflow_core::store::{StoreError, StoredRun, for_each_event};
use workflow_store::Catalog;

use super::time::{seconds, text};

/// The jobs of a run, with the outputs of some of them.
pub(crate) struct Record {
    pub(crate) view: RunView,
    /// The jobs whose outputs and values to collect.
    wanted: HashSet<String>,
    outputs: HashMap<String, Json>,
    values: HashMap<String, Map<String, Json>>,
}

impl Record {
    /// Reads the events of a run, and the outputs and values of some jobs.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read.
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
        for_each_event(catalog, run.id, |event| record.add(event)).await?;
        Ok(record)
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
            EventKind::ValuePersisted { job, key, value } => {
                self.values.entry(job).or_default().insert(key, value);
            }
            _ => {}
        }
    }

    /// Returns the output of a job, if it was collected.
    pub(crate) fn output(&self, job: &str) -> Option<&Json> {
        self.outputs.get(job)
    }

    /// Returns the saved values of a job, if they were collected.
    pub(crate) fn values(&self, job: &str) -> Map<String, Json> {
        self.values.get(job).cloned().unwrap_or_default()
    }
}

/// An attempt of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attempt {
    /// Number of the attempt, from 1.
    attempt: u32,
    /// Status of the attempt.
    #[schema(value_type = String, examples("completed"))]
    status: &'static str,
    /// When it started.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it ended.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// Duration in seconds.
    duration_seconds: Option<f64>,
    /// Error of a failed attempt.
    error: Option<Failure>,
    /// Annotations: exit code, memory, CPU time and others.
    #[schema(value_type = Object)]
    annotations: Map<String, Json>,
}

/// The error of an attempt.
#[derive(Debug, Serialize, ToSchema)]
struct Failure {
    /// Kind: `retryable`, `terminal`, `panicked` or `cancelled`; for a timeout, the exceeded limit:
    /// `start_to_close`, `schedule_to_close` or `heartbeat`.
    #[schema(value_type = String, examples("retryable"))]
    kind: Json,
    /// Error message with its causes.
    message: String,
    /// Most significant line of the message.
    line: String,
    /// Type of the error in the program; null for plain text.
    error_type: Option<String>,
}

impl From<&workflow_core::event::Failure> for Failure {
    fn from(of: &workflow_core::event::Failure) -> Self {
        // A timeout is serialized as an object with one key; its value is the exceeded limit.
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
            annotations: of.annotations.clone(),
        }
    }
}

/// A bar of a Gantt chart: one attempt of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bar {
    /// Name of the job.
    job: String,
    /// Number of the attempt, from 1.
    attempt: u32,
    /// When it started.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it ended; null while it is running.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// Status of the attempt.
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
