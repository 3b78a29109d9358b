//! The state of a run for display: the one fold over its events.
//!
//! The report, the catalogs of stores, the REST API and the command line show this state, and the
//! page folds events in the same way. Engines do not use it: they restore the state of the
//! scheduler, which holds more.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value as Json};

use crate::id::RunId;

use super::{Blocked, Event, EventKind, Failure, InFlight, JobOrigin, Stall, Status, Waiting};

/// The state of a run for display: the status of the run and its jobs, what it is waiting for, and
/// why it failed.
///
/// A fold over the events of the run, in order:
///
/// ```
/// use std::time::SystemTime;
/// use workflow_core::Status;
/// use workflow_core::event::{Event, EventKind, RunView};
///
/// let mut view = RunView::new(["extract", "load"]);
/// let now = SystemTime::now();
/// view.apply(&Event::new(0, now, EventKind::RunStarted { retry_of: None }));
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
    retry_of: Option<RunId>,
    is_cancelling: bool,
    blocked: Option<Blocked>,
    in_flight: InFlight,
    jobs: Vec<JobView>,
    counts: JobCounts,
    places: HashMap<String, usize>,
}

/// The number of jobs of a run in each status.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobCounts {
    /// Not started.
    pub pending: usize,
    /// Running, or between two attempts.
    pub running: usize,
    /// Completed successfully.
    pub completed: usize,
    /// Failed for good.
    pub failed: usize,
    /// Skipped.
    pub skipped: usize,
    /// Cancelled by request.
    pub cancelled: usize,
}

impl JobCounts {
    /// The number of all jobs.
    pub fn total(&self) -> usize {
        self.pending + self.running + self.ended()
    }

    /// The number of jobs that have ended or were skipped.
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
    /// Creates the state of a run of these jobs that has not begun. Jobs that other jobs start are
    /// added by their events.
    pub fn new<N: Into<String>>(jobs: impl IntoIterator<Item = N>) -> Self {
        let mut view = Self::default();
        for name in jobs {
            view.place(&name.into());
        }
        view
    }

    /// Creates the state of a run that has not begun, from the output of
    /// [`Graph::to_json`](crate::graph::Graph::to_json).
    pub fn of_graph(graph: &Json) -> Self {
        let nodes = graph["nodes"].as_array().into_iter().flatten();
        Self::new(nodes.filter_map(|node| node["id"].as_str()))
    }

    /// Applies the next event.
    pub fn apply(&mut self, event: &Event) {
        self.in_flight.apply(event);
        self.blocked = Blocked::after(self.blocked.take(), &event.kind);
        match (&event.kind, event.kind.job()) {
            // Output changes nothing.
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
            EventKind::RunStarted { retry_of } => {
                self.begun_at = self.begun_at.or(Some(at));
                self.retry_of = *retry_of;
            }
            EventKind::RunResumed { .. } => {
                (0..self.jobs.len()).for_each(|place| self.change(place, JobView::interrupt));
            }
            EventKind::CancelRequested { .. } => self.is_cancelling = true,
            EventKind::RunFailed { reason } => self.reason = Some(reason.clone()),
            _ => {}
        }
        if kind.is_last() {
            (self.ended_at, self.is_cancelling) = (Some(at), false);
        }
    }

    /// Changes a job and updates the counts.
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

    /// The status of the run.
    pub fn status(&self) -> Status {
        self.status.unwrap_or(Status::Pending)
    }

    /// The time at which the run began.
    pub fn begun_at(&self) -> Option<SystemTime> {
        self.begun_at
    }

    /// The time at which the run ended.
    pub fn ended_at(&self) -> Option<SystemTime> {
        self.ended_at
    }

    /// The reason why the run failed, as text.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The run that this one retries.
    pub fn retry_of(&self) -> Option<RunId> {
        self.retry_of
    }

    /// Whether cancellation was requested and the run has not ended.
    pub fn is_cancelling(&self) -> bool {
        self.is_cancelling
    }

    /// All jobs: those of the graph, then those that other jobs started, in the order of their
    /// first events.
    pub fn jobs(&self) -> &[JobView] {
        &self.jobs
    }

    /// The job of this name.
    pub fn job(&self, name: &str) -> Option<&JobView> {
        self.jobs.get(*self.places.get(name)?)
    }

    /// The number of jobs in each status.
    pub fn counts(&self) -> JobCounts {
        self.counts
    }

    /// The jobs that are waiting at the time `now`, and for what. Other jobs may be working.
    pub fn waiting(&self, now: SystemTime) -> Vec<Waiting> {
        self.in_flight.all_waiting(now).collect()
    }

    /// The reason why the run makes no progress at the time `now`; `None` if it progresses, or has
    /// ended.
    ///
    /// A run is waiting if all of its running jobs are. The backoff before a retry does not count
    /// as waiting.
    pub fn stall(&self, now: SystemTime) -> Option<Stall> {
        match &self.blocked {
            Some(blocked) => Some(Stall::Blocked(blocked.clone())),
            None => self.in_flight.waiting(now).map(Stall::Waiting),
        }
    }
}

/// The state of a job for display.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobView {
    /// The job's name.
    pub name: String,
    /// The status. A job between two attempts is running.
    pub status: Status,
    /// The attempts, oldest first.
    pub attempts: Vec<AttemptView>,
    /// The time at which the job ended.
    pub ended_at: Option<SystemTime>,
    /// The error of the latest attempt, until another succeeds.
    pub error: Option<Failure>,
    /// The reason why the job was skipped, as text.
    pub skipped_because: Option<String>,
    /// The start of the next attempt, while the job waits for it.
    pub retry_at: Option<SystemTime>,
    /// The job that started this one, if it is not in the graph.
    pub started_by: Option<String>,
}

/// An attempt of a job, for display.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AttemptView {
    /// The number, from 1.
    pub number: u32,
    /// The status.
    pub status: Status,
    /// The time at which the attempt started.
    pub started_at: SystemTime,
    /// The time at which the attempt ended.
    pub ended_at: Option<SystemTime>,
    /// The error.
    pub error: Option<Failure>,
    /// The annotations of the attempt; for a command, its exit code, peak memory and CPU time.
    pub annotations: Map<String, Json>,
}

impl JobView {
    fn new(name: &str) -> Self {
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

    /// The start of the first attempt.
    pub fn started_at(&self) -> Option<SystemTime> {
        self.attempts.first().map(|attempt| attempt.started_at)
    }

    /// The number of attempts.
    pub fn attempt_count(&self) -> u32 {
        self.attempts.last().map_or(0, |attempt| attempt.number)
    }

    /// The time from the start of the first attempt to the end of the last.
    pub fn duration(&self) -> Option<Duration> {
        self.ended_at?.duration_since(self.started_at()?).ok()
    }

    fn apply(&mut self, kind: &EventKind, at: SystemTime) {
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
            EventKind::JobCompleted { attempt, annotations, .. } => {
                self.end(*attempt, at, Status::Completed, None, annotations);
            }
            EventKind::JobFailed { attempt, error, annotations, .. } => {
                self.end(*attempt, at, Status::Failed, Some(error), annotations);
            }
            EventKind::JobCancelled { attempt, error, .. } => {
                self.end(*attempt, at, Status::Cancelled, error.as_ref(), &Map::new());
            }
            EventKind::JobSkipped { reason, .. } => {
                (self.status, self.skipped_because) = (Status::Skipped, Some(reason.clone()));
            }
            _ => {}
        }
    }

    fn begin(&mut self, number: u32, started_at: SystemTime) {
        // After a crash, an attempt starts again.
        self.attempts.retain(|attempt| attempt.number != number);
        self.attempts.push(AttemptView {
            number,
            status: Status::Running,
            started_at,
            ended_at: None,
            error: None,
            annotations: Map::new(),
        });
        (self.status, self.ended_at, self.retry_at) = (Status::Running, None, None);
    }

    fn end(
        &mut self,
        attempt: u32,
        at: SystemTime,
        status: Status,
        error: Option<&Failure>,
        annotations: &Map<String, Json>,
    ) {
        self.end_attempt(attempt, at, status, error, annotations);
        (self.status, self.error) = (status, error.cloned());
        // A job that was stopped before it started has no end time.
        self.ended_at = (!self.attempts.is_empty()).then_some(at);
        self.retry_at = None;
    }

    fn end_attempt(
        &mut self,
        number: u32,
        at: SystemTime,
        status: Status,
        error: Option<&Failure>,
        annotations: &Map<String, Json>,
    ) {
        let attempt = self.attempts.iter_mut().find(|attempt| attempt.number == number);
        // An attempt that has ended already keeps its end.
        if let Some(attempt) = attempt.filter(|attempt| attempt.ended_at.is_none()) {
            (attempt.status, attempt.ended_at) = (status, Some(at));
            (attempt.error, attempt.annotations) = (error.cloned(), annotations.clone());
        }
    }

    /// The run was resumed: a running job starts again.
    fn interrupt(&mut self) {
        if self.status == Status::Running && self.retry_at.is_none() {
            self.attempts.retain(|attempt| attempt.ended_at.is_some());
            self.status = Status::Pending;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    /// The state of a run of `a` and `b` after these events, a second apart.
    fn view(kinds: impl IntoIterator<Item = EventKind>) -> RunView {
        let mut view = RunView::new(["a", "b"]);
        for (sequence, kind) in (0..).zip(kinds) {
            view.apply(&Event::new(sequence, at(sequence), kind));
        }
        view
    }

    fn started(job: &str, attempt: u32) -> EventKind {
        EventKind::JobStarted { job: job.to_owned(), attempt, origin: None }
    }

    fn completed(job: &str) -> EventKind {
        let (job, attempt, annotations) = (job.to_owned(), 1, serde_json::Map::new());
        EventKind::JobCompleted { job, attempt, output: None, annotations }
    }

    #[test]
    fn jobs_are_counted_before_they_begin() {
        let begins = EventKind::RunStarted { retry_of: None };
        let view = view([begins, started("a", 1), completed("a"), started("a[0]", 1)]);
        let counts = view.counts();
        assert_eq!((counts.pending, counts.running, counts.completed), (1, 1, 1));
        assert_eq!((counts.total(), counts.ended()), (3, 1));
        let names: Vec<_> = view.jobs().iter().map(|job| job.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "a[0]"], "what jobs start comes after the graph");
    }

    #[test]
    fn what_was_under_way_at_a_crash_begins_again() {
        let crash = EventKind::RunResumed { after_crash: true };
        let crashed = view([started("a", 1), crash.clone()]);
        let job = crashed.job("a").expect("it is there");
        assert_eq!((job.status, job.attempt_count()), (Status::Pending, 0));
        let again = view([started("a", 1), crash, started("a", 1), completed("a")]);
        let job = again.job("a").expect("it is there");
        assert_eq!((job.started_at(), job.duration()), (Some(at(2)), Some(Duration::from_secs(1))));
        assert_eq!(again.counts().completed, 1);
    }

    #[test]
    fn a_run_waits_when_all_its_jobs_do() {
        let signal = || "go".to_owned();
        let awaited =
            EventKind::SignalAwaited { job: "a".to_owned(), attempt: 1, signal: signal() };
        let both = view([started("a", 1), started("b", 1), awaited.clone()]);
        assert_eq!((both.waiting(at(9)).len(), both.stall(at(9))), (1, None), "`b` is at work");
        let one = view([started("a", 1), started("b", 1), awaited, completed("b")]);
        let waiting = Waiting::Signal { job: "a".to_owned(), signal: signal(), since: at(2) };
        assert_eq!(one.stall(at(9)), Some(Stall::Waiting(waiting)));
    }

    #[test]
    fn a_job_that_is_stopped_before_it_begins_took_no_time() {
        let view = view([EventKind::JobCancelled { job: "b".to_owned(), attempt: 1, error: None }]);
        let job = view.job("b").expect("it is there");
        assert_eq!((job.status, job.ended_at, job.duration()), (Status::Cancelled, None, None));
    }
}
