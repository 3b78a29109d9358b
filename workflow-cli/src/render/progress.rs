//! The progress of a run for displays: its view, and the running jobs in the order of their start.
//! Draws nothing.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use workflow_core::event::{Event, JobCounts, JobView, RunView};

/// The progress of a run.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    view: RunView,
    /// The names of running jobs, by the event that started them.
    active: BTreeMap<u64, String>,
    started_by: HashMap<String, u64>,
}

impl Progress {
    /// Creates the progress of a run that has not started.
    pub(crate) fn new<'a>(jobs: impl IntoIterator<Item = &'a str>) -> Self {
        Self { view: RunView::new(jobs), ..Self::default() }
    }

    /// The number of jobs known so far.
    pub(crate) fn total(&self) -> usize {
        self.view.counts().total()
    }

    /// The number of jobs that have ended.
    pub(crate) fn done(&self) -> usize {
        self.view.counts().ended()
    }

    /// Whether an event is of an earlier run, whose outcomes a retry reuses.
    pub(crate) fn is_reused(&self, event: &Event) -> bool {
        self.view.begun_at().is_some_and(|begun| event.at < begun)
    }

    pub(crate) fn counts(&self) -> JobCounts {
        self.view.counts()
    }

    /// The running jobs, in the order of their start.
    pub(crate) fn active(&self) -> impl Iterator<Item = &JobView> {
        self.active.values().filter_map(|job| self.view.job(job))
    }

    /// The number of running jobs.
    pub(crate) fn active_count(&self) -> usize {
        self.active.len()
    }

    /// Applies an event. If it ends a job that had started, returns the duration of the job.
    pub(crate) fn apply(&mut self, event: &Event) -> Option<Duration> {
        self.view.apply(event);
        let name = event.kind.job()?;
        let job = self.view.job(name)?;
        if !job.status.is_final() {
            if job.started_at().is_some() && !self.started_by.contains_key(name) {
                self.started_by.insert(name.to_owned(), event.sequence);
                self.active.insert(event.sequence, name.to_owned());
            }
            return None;
        }
        self.started_by.remove(name).and_then(|sequence| self.active.remove(&sequence))?;
        job.duration()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::SystemTime;

    use super::*;
    use workflow_core::event::{EventKind, Failure};
    use workflow_core::prelude::*;
    use workflow_core::workflow::FunctionWorkflow;

    /// A run of these jobs, and its events, one second apart.
    pub(crate) fn scenario(jobs: &[&str], kinds: Vec<EventKind>) -> (Progress, Vec<Event>) {
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

    /// Only runs create events, so this takes one to change it.
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
            annotations: Default::default(),
        }
    }

    pub(crate) fn retried(job: &str) -> EventKind {
        let (error, retry_in) = (Failure::from(&JobError::from("busy")), Duration::from_secs(5));
        EventKind::AttemptFailed { job: job.to_owned(), attempt: 1, error, retry_in }
    }

    pub(crate) fn failed(job: &str) -> EventKind {
        let error = Failure::from(&JobError::from("no route\nto host"));
        EventKind::JobFailed {
            job: job.to_owned(),
            attempt: 2,
            error,
            annotations: Default::default(),
        }
    }

    pub(crate) fn skipped(job: &str) -> EventKind {
        EventKind::JobSkipped { job: job.to_owned(), reason: "`b` did not complete".to_owned() }
    }

    #[test]
    fn jobs_are_counted_by_outcome() {
        let kinds =
            vec![started("a", 1), completed("a"), started("b", 1), failed("b"), skipped("c")];
        let (mut progress, events) = scenario(&["a", "b", "c"], kinds);
        let spans: Vec<_> = events.iter().map(|event| progress.apply(event)).collect();
        let second = Some(Duration::from_secs(1));
        assert_eq!(spans, [None, second, None, second, None]);
        let counts = progress.counts();
        assert_eq!((counts.completed, counts.failed, counts.skipped), (1, 1, 1));
        assert_eq!((progress.done(), progress.total(), progress.active_count()), (3, 3, 0));
    }

    #[test]
    fn jobs_started_by_jobs_add_to_the_total_once() {
        let kinds = vec![started("a", 1), started("a[0]", 1), completed("a[0]"), skipped("a[1]")];
        let (mut progress, events) = scenario(&["a"], kinds);
        events.iter().for_each(|event| _ = progress.apply(event));
        assert_eq!((progress.done(), progress.total()), (2, 3));
    }

    #[test]
    fn a_job_between_attempts_is_running() {
        let kinds =
            vec![started("a", 1), retried("a"), started("b", 1), started("a", 2), completed("a")];
        let (mut progress, events) = scenario(&["a", "b"], kinds);
        progress.apply(&events[0]);
        progress.apply(&events[1]);
        let again = progress.active().next().and_then(|active| active.retry_at);
        assert_eq!(again, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(6)));
        progress.apply(&events[2]);
        progress.apply(&events[3]);
        let active: Vec<_> =
            progress.active().map(|active| (&*active.name, active.attempt_count())).collect();
        assert_eq!(active, [("a", 2), ("b", 1)]);
        assert_eq!(progress.apply(&events[4]), Some(Duration::from_secs(4)));
    }
}
