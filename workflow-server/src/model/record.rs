//! What the events of a run say of its jobs, attempt by attempt.

use std::collections::HashMap;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;
use workflow_core::{Event, EventKind, RunId, Status, StoreError};
use workflow_store::Catalog;

use super::time::{seconds, text};

/// The jobs of a run.
#[derive(Default)]
pub(crate) struct Record {
    jobs: Vec<JobRecord>,
    places: HashMap<String, usize>,
}

/// A job of a run.
pub(crate) struct JobRecord {
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) attempts: Vec<AttemptRecord>,
    pub(crate) output: Option<Json>,
    /// Why it will not run.
    pub(crate) reason: Option<String>,
    pub(crate) values: Map<String, Json>,
}

/// One try of a job.
pub(crate) struct AttemptRecord {
    attempt: u32,
    status: Status,
    started_at: SystemTime,
    ended_at: Option<SystemTime>,
    error: Option<Json>,
    facts: Map<String, Json>,
}

/// How many events are read at once.
const PAGE: usize = 1000;

impl Record {
    /// Reads the events of a run.
    pub(crate) async fn read(catalog: &dyn Catalog, run: RunId) -> Result<Self, StoreError> {
        let (mut record, mut from) = (Self::default(), 0);
        loop {
            let events = catalog.events(run, from, PAGE).await?;
            from += events.len() as u64;
            let last = events.len() < PAGE;
            events.into_iter().for_each(|event| record.add(event));
            if last {
                return Ok(record);
            }
        }
    }

    pub(crate) fn job(&self, name: &str) -> Option<&JobRecord> {
        self.jobs.get(*self.places.get(name)?)
    }

    pub(crate) fn jobs(&self) -> &[JobRecord] {
        &self.jobs
    }

    fn add(&mut self, event: Event) {
        let Some(name) = event.kind.job() else { return };
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                self.places.insert(name.to_owned(), self.jobs.len());
                self.jobs.push(JobRecord::new(name));
                self.jobs.len() - 1
            }
        };
        if let Some(job) = self.jobs.get_mut(place) {
            job.add(event);
        }
    }
}

impl JobRecord {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            status: Status::Pending,
            attempts: Vec::new(),
            output: None,
            reason: None,
            values: Map::new(),
        }
    }

    fn add(&mut self, event: Event) {
        let at = event.at;
        let json = |error| serde_json::to_value(error).ok();
        match event.kind {
            EventKind::JobStarted { attempt, .. } => {
                // After a crash, an attempt begins again.
                self.attempts.retain(|of| of.attempt != attempt);
                self.attempts.push(AttemptRecord::new(attempt, at));
                self.status = Status::Running;
            }
            EventKind::AttemptFailed { attempt, error, .. } => {
                self.end(attempt, at, Status::Failed, json(error), Map::new());
                self.status = Status::Running;
            }
            EventKind::JobCompleted { attempt, output, facts, .. } => {
                self.output = output.map(|output| (*output).clone());
                self.end(attempt, at, Status::Completed, None, facts);
            }
            EventKind::JobFailed { attempt, error, facts, .. } => {
                self.end(attempt, at, Status::Failed, json(error), facts);
            }
            EventKind::JobCancelled { attempt, .. } => {
                self.end(attempt, at, Status::Cancelled, None, Map::new());
            }
            EventKind::JobSkipped { reason, .. } => {
                (self.status, self.reason) = (Status::Skipped, Some(reason));
            }
            EventKind::ValueKept { key, value, .. } => {
                self.values.insert(key, value);
            }
            _ => {}
        }
    }

    fn end(
        &mut self,
        attempt: u32,
        at: SystemTime,
        status: Status,
        error: Option<Json>,
        facts: Map<String, Json>,
    ) {
        self.status = status;
        let of = self.attempts.iter_mut().find(|of| of.attempt == attempt);
        if let Some(of) = of {
            (of.status, of.ended_at, of.error, of.facts) = (status, Some(at), error, facts);
        }
    }
}

impl AttemptRecord {
    fn new(attempt: u32, started_at: SystemTime) -> Self {
        let (status, facts) = (Status::Running, Map::new());
        Self { attempt, status, started_at, ended_at: None, error: None, facts }
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
    #[schema(value_type = Option<Object>)]
    error: Option<Json>,
    /// What it noted: exit code, memory, processor time and the like.
    #[schema(value_type = Object)]
    facts: Map<String, Json>,
}

impl From<&AttemptRecord> for Attempt {
    fn from(of: &AttemptRecord) -> Self {
        Self {
            attempt: of.attempt,
            status: of.status.as_str(),
            started_at: text(of.started_at),
            ended_at: of.ended_at.map(text),
            duration_seconds: seconds(Some(of.started_at), of.ended_at),
            error: of.error.clone(),
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
    pub(crate) fn all(record: &Record) -> Vec<Self> {
        let bars = record.jobs().iter().flat_map(|job| {
            job.attempts.iter().map(|of| Self {
                job: job.name.clone(),
                attempt: of.attempt,
                started_at: text(of.started_at),
                ended_at: of.ended_at.map(text),
                status: of.status.as_str(),
            })
        });
        bars.collect()
    }
}
