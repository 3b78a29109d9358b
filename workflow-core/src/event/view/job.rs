//! A job of a run as people see it.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value as Json};

use crate::event::{EventKind, Failure, JobOrigin, Status};

/// A job of a run as people see it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobView {
    /// Its name.
    pub name: String,
    /// Where it stands. A job between two attempts is running.
    pub status: Status,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptView>,
    /// When it ended.
    pub ended_at: Option<SystemTime>,
    /// What the latest attempt failed with, until another succeeds.
    pub error: Option<Failure>,
    /// Why it will not run, in words.
    pub skipped_because: Option<String>,
    /// When the next attempt begins, while the job waits for it.
    pub retry_at: Option<SystemTime>,
    /// The job that started this one, when the graph does not have it.
    pub started_by: Option<String>,
}

/// One attempt of a job.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AttemptView {
    /// Which, from 1.
    pub number: u32,
    /// Where it stands.
    pub status: Status,
    /// When it began.
    pub started_at: SystemTime,
    /// When it ended.
    pub ended_at: Option<SystemTime>,
    /// What it failed with.
    pub error: Option<Failure>,
    /// What the job noted about it; of a command its exit code, its peak memory and its time on
    /// processors.
    pub facts: Map<String, Json>,
}

impl JobView {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            status: Status::Pending,
            attempts: Vec::new(),
            ended_at: None,
            error: None,
            skipped_because: None,
            retry_at: None,
            started_by: None,
        }
    }

    /// When the first attempt began.
    pub fn started_at(&self) -> Option<SystemTime> {
        self.attempts.first().map(|attempt| attempt.started_at)
    }

    /// How many attempts there were.
    pub fn attempt_count(&self) -> u32 {
        self.attempts.last().map_or(0, |attempt| attempt.number)
    }

    /// From the beginning of the first attempt to the end of the last.
    pub fn duration(&self) -> Option<Duration> {
        self.ended_at?.duration_since(self.started_at()?).ok()
    }

    pub(super) fn apply(&mut self, kind: &EventKind, at: SystemTime) {
        match kind {
            EventKind::JobStarted { attempt, origin, .. } => {
                self.begin(*attempt, at);
                let parent = origin.as_deref().map(JobOrigin::parent);
                self.started_by = self.started_by.take().or(parent.map(str::to_owned));
            }
            EventKind::AttemptFailed { attempt, error, retry_in, .. } => {
                self.end_attempt(*attempt, at, Status::Failed, Some(error), &Map::new());
                (self.status, self.error) = (Status::Running, Some(error.clone()));
                self.retry_at = at.checked_add(*retry_in);
            }
            EventKind::JobCompleted { attempt, facts, .. } => {
                self.end(*attempt, at, Status::Completed, None, facts);
            }
            EventKind::JobFailed { attempt, error, facts, .. } => {
                self.end(*attempt, at, Status::Failed, Some(error), facts);
            }
            EventKind::JobCancelled { attempt, .. } => {
                self.end(*attempt, at, Status::Cancelled, None, &Map::new());
            }
            EventKind::JobSkipped { reason, .. } => {
                (self.status, self.skipped_because) = (Status::Skipped, Some(reason.clone()));
            }
            _ => {}
        }
    }

    fn begin(&mut self, number: u32, started_at: SystemTime) {
        // After a crash, an attempt begins again.
        self.attempts.retain(|attempt| attempt.number != number);
        self.attempts.push(AttemptView {
            number,
            status: Status::Running,
            started_at,
            ended_at: None,
            error: None,
            facts: Map::new(),
        });
        (self.status, self.ended_at, self.retry_at) = (Status::Running, None, None);
    }

    fn end(
        &mut self,
        attempt: u32,
        at: SystemTime,
        status: Status,
        error: Option<&Failure>,
        facts: &Map<String, Json>,
    ) {
        self.end_attempt(attempt, at, status, error, facts);
        (self.status, self.error) = (status, error.cloned());
        // A job that was stopped before it began has no time in which it ended.
        self.ended_at = (!self.attempts.is_empty()).then_some(at);
        self.retry_at = None;
    }

    fn end_attempt(
        &mut self,
        number: u32,
        at: SystemTime,
        status: Status,
        error: Option<&Failure>,
        facts: &Map<String, Json>,
    ) {
        let attempt = self.attempts.iter_mut().find(|attempt| attempt.number == number);
        // One that ended before, and has no other after it, is the job's last all the same.
        if let Some(attempt) = attempt.filter(|attempt| attempt.ended_at.is_none()) {
            (attempt.status, attempt.ended_at) = (status, Some(at));
            (attempt.error, attempt.facts) = (error.cloned(), facts.clone());
        }
    }

    /// The run was taken up again: what was under way begins again.
    pub(super) fn interrupt(&mut self) {
        if self.status == Status::Running && self.retry_at.is_none() {
            self.attempts.retain(|attempt| attempt.ended_at.is_some());
            self.status = Status::Pending;
        }
    }
}
