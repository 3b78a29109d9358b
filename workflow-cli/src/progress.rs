//! How far a run is: a fold over its events. Draws nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, SystemTime};

use workflow_core::{Event, EventKind};

/// Where a run stands.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The jobs of the graph; others are started by jobs as the run goes.
    planned: HashSet<String>,
    total: usize,
    counts: Counts,
    active: BTreeMap<u64, Active>,
    /// The places of jobs in `active`.
    places: HashMap<String, u64>,
}

/// How many jobs have ended, by how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) completed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    pub(crate) cancelled: usize,
}

/// A job that has begun and not ended.
#[derive(Debug, Clone)]
pub(crate) struct Active {
    pub(crate) job: String,
    pub(crate) attempt: u32,
    /// When the first attempt began.
    pub(crate) since: SystemTime,
    /// When the next attempt begins, while the job waits for it.
    pub(crate) again: Option<SystemTime>,
}

impl Progress {
    /// A run of these jobs that has not begun.
    pub(crate) fn new<'a>(jobs: impl IntoIterator<Item = &'a str>) -> Self {
        let planned: HashSet<_> = jobs.into_iter().map(str::to_owned).collect();
        Self { total: planned.len(), planned, ..Self::default() }
    }

    /// How many jobs there are, as far as is known.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// How many jobs have ended.
    pub(crate) fn done(&self) -> usize {
        let Counts { completed, failed, skipped, cancelled } = self.counts;
        completed + failed + skipped + cancelled
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// The jobs under way, the longest first.
    pub(crate) fn active(&self) -> impl ExactSizeIterator<Item = &Active> {
        self.active.values()
    }

    /// Takes in what happened. When a job ended that had begun, returns how long it took.
    pub(crate) fn note(&mut self, event: &Event) -> Option<Duration> {
        let count: fn(&mut Counts) -> &mut usize = match &event.kind {
            EventKind::JobStarted { job, attempt, .. } => {
                self.begin(event, job, *attempt);
                return None;
            }
            EventKind::AttemptFailed { job, retry_in, .. } => {
                if let Some(active) = self.active_mut(job) {
                    active.again = event.at.checked_add(*retry_in);
                }
                return None;
            }
            EventKind::JobCompleted { .. } => |counts| &mut counts.completed,
            EventKind::JobFailed { .. } => |counts| &mut counts.failed,
            EventKind::JobSkipped { .. } => |counts| &mut counts.skipped,
            EventKind::JobCancelled { .. } => |counts| &mut counts.cancelled,
            _ => return None,
        };
        *count(&mut self.counts) += 1;
        let job = event.kind.job()?;
        match self.places.remove(job).and_then(|place| self.active.remove(&place)) {
            Some(active) => event.at.duration_since(active.since).ok(),
            None => {
                self.count_in(job);
                None
            }
        }
    }

    fn begin(&mut self, event: &Event, job: &str, attempt: u32) {
        if let Some(active) = self.active_mut(job) {
            (active.attempt, active.again) = (attempt, None);
            return;
        }
        self.count_in(job);
        self.places.insert(job.to_owned(), event.sequence);
        let active = Active { job: job.to_owned(), attempt, since: event.at, again: None };
        self.active.insert(event.sequence, active);
    }

    /// Adds a job to the total, unless it is one of the graph.
    fn count_in(&mut self, job: &str) {
        self.total += usize::from(!self.planned.contains(job));
    }

    fn active_mut(&mut self, job: &str) -> Option<&mut Active> {
        self.active.get_mut(self.places.get(job)?)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use workflow_core::prelude::*;
    use workflow_core::{Failure, FunctionWorkflow};

    /// A run of these jobs, and what happens in it, a second apart.
    pub(crate) fn story(jobs: &[&str], kinds: Vec<EventKind>) -> (Progress, Vec<Event>) {
        let happen = |(sequence, kind)| event(sequence, kind);
        (Progress::new(jobs.iter().copied()), (0..).zip(kinds).map(happen).collect())
    }

    fn event(sequence: u64, kind: EventKind) -> Event {
        let mut event: Event = any_event();
        event.sequence = sequence;
        event.at = SystemTime::UNIX_EPOCH + Duration::from_secs(sequence);
        event.kind = kind;
        event
    }

    #[job(inline)]
    fn nothing() {}

    /// Events are made by runs only; one is taken and changed.
    fn any_event() -> Event {
        let workflow = FunctionWorkflow::new("any", |flow: &mut Flow| flow.job(nothing()));
        let report = Engine::default().run(workflow.expect("a name")).wait();
        report.expect("there is nothing to do").events().next().expect("it began")
    }

    pub(crate) fn started(job: &str, attempt: u32) -> EventKind {
        EventKind::JobStarted { job: job.to_owned(), attempt, origin: None }
    }

    pub(crate) fn completed(job: &str) -> EventKind {
        EventKind::JobCompleted {
            job: job.to_owned(),
            attempt: 1,
            output: None,
            facts: Default::default(),
        }
    }

    pub(crate) fn retried(job: &str) -> EventKind {
        let (error, retry_in) = (Failure::from(&JobError::from("busy")), Duration::from_secs(5));
        EventKind::AttemptFailed { job: job.to_owned(), attempt: 1, error, retry_in }
    }

    pub(crate) fn failed(job: &str) -> EventKind {
        let error = Failure::from(&JobError::from("no route\nto host"));
        EventKind::JobFailed { job: job.to_owned(), attempt: 2, error, facts: Default::default() }
    }

    pub(crate) fn skipped(job: &str) -> EventKind {
        EventKind::JobSkipped { job: job.to_owned(), reason: "`b` did not complete".to_owned() }
    }

    #[test]
    fn jobs_are_counted_by_how_they_end() {
        let kinds =
            vec![started("a", 1), completed("a"), started("b", 1), failed("b"), skipped("c")];
        let (mut progress, events) = story(&["a", "b", "c"], kinds);
        let spans: Vec<_> = events.iter().map(|event| progress.note(event)).collect();
        let second = Some(Duration::from_secs(1));
        assert_eq!(spans, [None, second, None, second, None]);
        let counts = Counts { completed: 1, failed: 1, skipped: 1, cancelled: 0 };
        assert_eq!((progress.counts(), progress.done(), progress.total()), (counts, 3, 3));
        assert_eq!(progress.active().len(), 0);
    }

    #[test]
    fn jobs_started_by_jobs_add_to_the_total_once() {
        let kinds = vec![started("a", 1), started("a[0]", 1), completed("a[0]"), skipped("a[1]")];
        let (mut progress, events) = story(&["a"], kinds);
        events.iter().for_each(|event| _ = progress.note(event));
        assert_eq!((progress.done(), progress.total()), (2, 3));
    }

    #[test]
    fn a_job_between_attempts_is_under_way() {
        let kinds =
            vec![started("a", 1), retried("a"), started("b", 1), started("a", 2), completed("a")];
        let (mut progress, events) = story(&["a", "b"], kinds);
        progress.note(&events[0]);
        progress.note(&events[1]);
        let again = progress.active().next().and_then(|active| active.again);
        assert_eq!(again, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(6)));
        progress.note(&events[2]);
        progress.note(&events[3]);
        let active: Vec<_> =
            progress.active().map(|active| (&*active.job, active.attempt)).collect();
        assert_eq!(active, [("a", 2), ("b", 1)]);
        assert_eq!(progress.note(&events[4]), Some(Duration::from_secs(4)));
    }
}
