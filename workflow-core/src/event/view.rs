//! A run as people see it: the one fold over its events.
//!
//! The report, the catalogs of stores, the REST API and the command line show what this says, and
//! the page folds events the same way. Engines do not read it: they restore what the scheduler
//! knows, which is more.

mod job;

use std::collections::HashMap;
use std::time::SystemTime;

use serde_json::Value as Json;

use crate::id::RunId;

use super::{Blocked, Event, EventKind, InFlight, Stall, Status, Waiting};

pub use job::{AttemptView, JobView};

/// A run as people see it: where it and its jobs stand, what it waits for, and why it failed.
///
/// A fold over the events of the run, in order:
///
/// ```
/// use std::time::SystemTime;
/// use workflow_core::{Event, EventKind, RunView, Status};
///
/// let mut view = RunView::new(["extract", "load"]);
/// let now = SystemTime::now();
/// view.apply(&Event::new(0, now, EventKind::RunStarted { repeats: None }));
/// let started = EventKind::JobStarted { job: "extract".to_owned(), attempt: 1, origin: None };
/// view.apply(&Event::new(1, now, started));
/// assert_eq!(view.job("extract").map(|job| job.status), Some(Status::Running));
/// assert_eq!((view.counts().pending, view.counts().total()), (1, 2));
/// ```
#[derive(Debug, Default)]
pub struct RunView {
    status: Option<Status>,
    begun_at: Option<SystemTime>,
    ended_at: Option<SystemTime>,
    reason: Option<String>,
    repeats: Option<RunId>,
    is_cancelling: bool,
    blocked: Option<Blocked>,
    in_flight: InFlight,
    jobs: Vec<JobView>,
    counts: JobCounts,
    places: HashMap<String, usize>,
}

/// How many jobs of a run stand where.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobCounts {
    /// Not begun.
    pub pending: usize,
    /// Under way, or between two attempts.
    pub running: usize,
    /// Ended well.
    pub completed: usize,
    /// Ended badly.
    pub failed: usize,
    /// Will not run.
    pub skipped: usize,
    /// Stopped by request.
    pub cancelled: usize,
}

impl JobCounts {
    /// All jobs.
    pub fn total(&self) -> usize {
        self.pending + self.running + self.ended()
    }

    /// The jobs that have ended, or will not run.
    pub fn ended(&self) -> usize {
        self.completed + self.failed + self.skipped + self.cancelled
    }

    fn of(&mut self, status: Status) -> &mut usize {
        match status {
            Status::Pending => &mut self.pending,
            Status::Running => &mut self.running,
            Status::Completed => &mut self.completed,
            Status::Failed => &mut self.failed,
            Status::Cancelled => &mut self.cancelled,
            Status::Skipped => &mut self.skipped,
        }
    }
}

impl RunView {
    /// A run of these jobs that has not begun. Jobs that are started by jobs join them.
    pub fn new<N: Into<String>>(jobs: impl IntoIterator<Item = N>) -> Self {
        let mut view = Self::default();
        for name in jobs {
            view.place(&name.into());
        }
        view
    }

    /// A run that has not begun, of the jobs of a graph as
    /// [`Graph::to_json`](crate::Graph::to_json) has it.
    pub fn of_graph(graph: &Json) -> Self {
        let nodes = graph["nodes"].as_array().into_iter().flatten();
        Self::new(nodes.filter_map(|node| node["id"].as_str()))
    }

    /// Takes in the next event.
    pub fn apply(&mut self, event: &Event) {
        self.in_flight.apply(event);
        self.blocked = Blocked::after(self.blocked.take(), &event.kind);
        match (&event.kind, event.kind.job()) {
            // What passes by changes nothing.
            (kind, _) if !kind.is_recorded() => {}
            (kind, Some(name)) => {
                let place = self.place(name);
                self.change(place, |job| job.apply(kind, event.at));
            }
            (kind, None) => self.apply_to_run(kind, event.at),
        }
    }

    fn apply_to_run(&mut self, kind: &EventKind, at: SystemTime) {
        self.status = kind.run_status().or(self.status);
        match kind {
            EventKind::RunStarted { repeats } => {
                self.begun_at = self.begun_at.or(Some(at));
                self.repeats = *repeats;
            }
            EventKind::RunResumed { .. } => {
                (0..self.jobs.len()).for_each(|place| self.change(place, JobView::interrupt));
            }
            EventKind::CancelRequested => self.is_cancelling = true,
            EventKind::RunFailed { reason } => self.reason = Some(reason.clone()),
            _ => {}
        }
        if kind.is_last() {
            (self.ended_at, self.is_cancelling) = (Some(at), false);
        }
    }

    /// Changes a job, and what is counted of it.
    fn change(&mut self, place: usize, change: impl FnOnce(&mut JobView)) {
        let Some(job) = self.jobs.get_mut(place) else { return };
        *self.counts.of(job.status) -= 1;
        change(job);
        *self.counts.of(job.status) += 1;
    }

    fn place(&mut self, name: &str) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        self.places.insert(name.to_owned(), self.jobs.len());
        self.jobs.push(JobView::new(name));
        self.counts.pending += 1;
        self.jobs.len() - 1
    }

    /// Where the run stands.
    pub fn status(&self) -> Status {
        self.status.unwrap_or(Status::Pending)
    }

    /// When its first job could begin.
    pub fn begun_at(&self) -> Option<SystemTime> {
        self.begun_at
    }

    /// When it ended.
    pub fn ended_at(&self) -> Option<SystemTime> {
        self.ended_at
    }

    /// Why it failed, in words.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The run that it repeats.
    pub fn repeats(&self) -> Option<RunId> {
        self.repeats
    }

    /// Whether it was asked to stop, and has not ended.
    pub fn is_cancelling(&self) -> bool {
        self.is_cancelling
    }

    /// All jobs: those of the graph, then those that were started by jobs, in the order in which
    /// they were first heard of.
    pub fn jobs(&self) -> &[JobView] {
        &self.jobs
    }

    /// A job by its name.
    pub fn job(&self, name: &str) -> Option<&JobView> {
        self.jobs.get(*self.places.get(name)?)
    }

    /// How many jobs stand where.
    pub fn counts(&self) -> JobCounts {
        self.counts
    }

    /// The jobs that wait at this time, and for what. Others may be at work meanwhile.
    pub fn waiting(&self, now: SystemTime) -> Vec<Waiting> {
        self.in_flight.all_waiting(now).collect()
    }

    /// What stalls the run at the time `now`; `None` when it goes on, or has ended. A run waits
    /// when all of its jobs under way do. The backoff before a retry does not count as waiting.
    pub fn stall(&self, now: SystemTime) -> Option<Stall> {
        match &self.blocked {
            Some(blocked) => Some(Stall::Blocked(blocked.clone())),
            None => self.in_flight.waiting(now).map(Stall::Waiting),
        }
    }
}
