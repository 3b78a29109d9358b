//! Finds poisoned runs: the job that was in flight each time that the run's process died. A fold
//! over events. It does not know what follows.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use crate::event::{Death, Event, EventKind, InFlight, JobOrigin};

/// The consecutive deaths of a run's process, by the jobs that were in flight.
#[derive(Default)]
pub(super) struct Deaths {
    in_flight: InFlight,
    consecutive: HashMap<String, Vec<Death>>,
    /// Whether attempts start only once their start is on record, as after a crash.
    are_starts_recorded: bool,
    unrecorded: Option<Unrecorded>,
    last_event_at: Option<SystemTime>,
}

/// A death at which jobs without a recorded start may have been in flight. Their starters start
/// them again: the jobs that a starter starts before it learns anything new may have been in
/// flight.
struct Unrecorded {
    found_at: SystemTime,
    /// The jobs that were running then by the record.
    recorded: HashSet<String>,
    /// The starters that could start jobs then and have learned nothing since: jobs by name, and
    /// `None` for the run.
    starters: HashSet<Option<String>>,
}

impl Deaths {
    /// Applies an event. `ready` are the jobs that could start before it.
    pub(super) fn apply<'a>(&mut self, event: &Event, ready: impl Iterator<Item = &'a str>) {
        match &event.kind {
            EventKind::RunResumed { after_crash: true } => self.died(event.at, ready),
            EventKind::RunResumed { after_crash: false } => {
                self.consecutive.clear();
                self.unrecorded = None;
                self.are_starts_recorded = false;
            }
            EventKind::RunUnblocked => {
                self.consecutive.clear();
                self.unrecorded = None;
            }
            EventKind::JobStarted { job, attempt, origin } => {
                self.suspect(job, *attempt, origin.as_deref().and_then(JobOrigin::starter));
            }
            EventKind::JobCompleted { job, .. } | EventKind::JobFailed { job, .. } => {
                self.consecutive.remove(job);
            }
            _ => {}
        }
        self.learn(&event.kind);
        self.in_flight.apply(event);
        self.last_event_at = Some(event.at);
    }

    /// Records a death of the process that was noticed at `found_at`.
    pub(super) fn died<'a>(&mut self, found_at: SystemTime, ready: impl Iterator<Item = &'a str>) {
        let at = self.last_event_at.unwrap_or(found_at);
        let working = self.in_flight.working(at);
        let mut suspects: HashMap<String, u32> =
            working.map(|(job, attempt)| (job.to_owned(), attempt.number)).collect();
        self.unrecorded = None;
        if !self.are_starts_recorded {
            suspects.extend(ready.map(|job| (job.to_owned(), 1)));
            let recorded = self.in_flight.jobs().map(str::to_owned).collect();
            let jobs = self.in_flight.awake(at).map(|job| Some(job.to_owned()));
            let starters = jobs.chain([None]).collect();
            self.unrecorded = Some(Unrecorded { found_at, recorded, starters });
        }
        self.consecutive.retain(|job, _| suspects.contains_key(job));
        for (job, attempt) in suspects {
            self.consecutive.entry(job).or_default().push(Death { attempt, found_at });
        }
        self.are_starts_recorded = true;
    }

    /// Counts the death for a job that starts, if it may have been in flight without a record.
    fn suspect(&mut self, job: &str, attempt: u32, starter: Option<&str>) {
        let Some(Unrecorded { found_at, recorded, starters }) = &self.unrecorded else { return };
        if recorded.contains(job) || !starters.contains(&starter.map(str::to_owned)) {
            return;
        }
        let death = Death { attempt, found_at: *found_at };
        self.consecutive.entry(job.to_owned()).or_insert_with(|| vec![death]);
    }

    /// Removes starters that learn something new: a job that starts because of that was not in
    /// flight.
    fn learn(&mut self, kind: &EventKind) {
        let Some(Unrecorded { starters, .. }) = &mut self.unrecorded else { return };
        if (kind.ends_job() || matches!(kind, EventKind::AttemptFailed { .. }))
            && let Some(job) = kind.job()
        {
            starters.remove(&self.in_flight.starter(job).map(str::to_owned));
        }
        match kind {
            EventKind::SleepStarted { job, .. }
            | EventKind::SignalReceived { job, .. }
            | EventKind::ValuePersisted { job, .. } => drop(starters.remove(&Some(job.clone()))),
            _ => {}
        }
    }

    /// Forgets the deaths for jobs that other processes executed, which they cannot have caused.
    pub(super) fn acquit(&mut self, is_elsewhere: impl Fn(&str) -> bool) {
        self.consecutive.retain(|job, _| !is_elsewhere(job));
    }

    /// Returns the job that was in flight in at least this many consecutive deaths.
    pub(super) fn poisoned(self, limit: usize) -> Option<(String, Vec<Death>)> {
        let mut consecutive: Vec<_> = self.consecutive.into_iter().collect();
        consecutive.retain(|(_, deaths)| deaths.len() >= limit);
        consecutive.into_iter().min_by(|(one, _), (other, _)| one.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn fold(kinds: impl IntoIterator<Item = EventKind>) -> Deaths {
        let mut deaths = Deaths::default();
        for (sequence, kind) in (0..).zip(kinds) {
            let at = UNIX_EPOCH + Duration::from_secs(sequence);
            deaths.apply(&Event::new(sequence, at, kind), std::iter::empty());
        }
        deaths
    }

    fn started(job: &str) -> EventKind {
        EventKind::JobStarted { job: job.to_owned(), attempt: 1, origin: None }
    }

    const CRASH: EventKind = EventKind::RunResumed { after_crash: true };
    const RELEASED: EventKind = EventKind::RunResumed { after_crash: false };

    fn poisoned(kinds: impl IntoIterator<Item = EventKind>) -> Option<(String, usize)> {
        let (job, deaths) = fold(kinds).poisoned(2)?;
        Some((job, deaths.len()))
    }

    #[test]
    fn a_job_in_flight_at_each_death_is_found() {
        let two = [started("a"), started("b"), CRASH, started("b"), CRASH];
        assert_eq!(poisoned(two), Some(("b".to_owned(), 2)));
    }

    #[test]
    fn a_graceful_stop_breaks_the_row() {
        let stopped = [started("a"), CRASH, started("a"), RELEASED, started("a"), CRASH];
        assert_eq!(poisoned(stopped), None);
    }

    #[test]
    fn a_job_that_was_unblocked_starts_from_zero() {
        let unblocked = [
            started("a"),
            CRASH,
            started("a"),
            CRASH,
            EventKind::RunUnblocked,
            started("a"),
            CRASH,
        ];
        assert_eq!(poisoned(unblocked), None);
    }

    #[test]
    fn who_sleeps_or_waits_kills_nobody() {
        let job = || "a".to_owned();
        let awaits = EventKind::SignalAwaited { job: job(), attempt: 1, signal: "go".to_owned() };
        let waits = || [started("a"), awaits.clone(), CRASH];
        assert_eq!(poisoned(waits().into_iter().chain(waits())), None);
        let (duration, until) = (Duration::from_secs(99), UNIX_EPOCH + Duration::from_secs(99));
        let sleep = EventKind::SleepStarted { job: job(), attempt: 1, duration, until };
        let sleeps = || [started("a"), sleep.clone(), CRASH];
        assert_eq!(poisoned(sleeps().into_iter().chain(sleeps())), None);
        let kind = received("a");
        assert_eq!(poisoned(waits().into_iter().chain([started("a"), kind, CRASH])), None);
    }

    #[test]
    fn before_starts_are_recorded_what_could_begin_is_suspected() {
        let mut deaths = Deaths::default();
        let at = UNIX_EPOCH;
        deaths.apply(
            &Event::new(0, at, EventKind::RunStarted { retry_of: None }),
            std::iter::empty(),
        );
        deaths.died(at, ["a", "b"].into_iter());
        deaths.apply(&Event::new(1, at, started("a")), std::iter::empty());
        deaths.died(at, ["b"].into_iter());
        assert_eq!(deaths.poisoned(2).map(|(job, _)| job), Some("a".to_owned()));
    }

    fn started_by(starter: &str, job: &str) -> EventKind {
        let (of, index) = (starter.to_owned(), 0);
        let origin = Some(Box::new(JobOrigin::Element { of, index }));
        EventKind::JobStarted { job: job.to_owned(), attempt: 1, origin }
    }

    fn received(job: &str) -> EventKind {
        let (job, signal, payload) = (job.to_owned(), "go".to_owned(), serde_json::Value::Null);
        EventKind::SignalReceived { job, attempt: 1, signal, payload, message: None }
    }

    fn completed(job: &str) -> EventKind {
        let (job, annotations) = (job.to_owned(), serde_json::Map::new());
        EventKind::JobCompleted { job, attempt: 1, output: None, annotations }
    }

    #[test]
    fn a_job_that_a_job_had_started_unrecorded_is_suspected() {
        let killed = [started("f"), CRASH, started("f"), started_by("f", "a"), CRASH].into_iter();
        assert_eq!(poisoned(killed.clone()), Some(("a".to_owned(), 2)));
        let again = [started("f"), started_by("f", "a"), CRASH];
        assert_eq!(fold(killed.chain(again)).poisoned(3).map(|(_, deaths)| deaths.len()), Some(3));
    }

    #[test]
    fn what_takes_work_back_or_tries_again_is_suspected() {
        let compensation = || {
            let origin = Some(Box::new(JobOrigin::Compensation { of: "a".to_owned() }));
            EventKind::JobStarted { job: "undo".to_owned(), attempt: 1, origin }
        };
        let compensated = [started("a"), completed("a"), CRASH, compensation(), CRASH];
        assert_eq!(poisoned(compensated), Some(("undo".to_owned(), 2)));
        let error = crate::event::Failure::from(&crate::job::JobError::retryable("busy"));
        let (job, retry_in) = ("a".to_owned(), Duration::ZERO);
        let failed = EventKind::AttemptFailed { job, attempt: 1, error, retry_in };
        let again = || EventKind::JobStarted { job: "a".to_owned(), attempt: 2, origin: None };
        let retried = [started("a"), failed, CRASH, again(), CRASH];
        assert_eq!(poisoned(retried), Some(("a".to_owned(), 2)));
    }

    #[test]
    fn what_begins_because_of_something_new_is_not_suspected() {
        let begins = |kind: EventKind| {
            poisoned([started("f"), CRASH, started("f"), kind, started_by("f", "b"), CRASH])
        };
        let (job, signal, payload) = ("f".to_owned(), "go".to_owned(), serde_json::Value::Null);
        let received =
            EventKind::SignalReceived { job, attempt: 1, signal, payload, message: None };
        assert_eq!(begins(received), None);
        let (job, key, value) = ("f".to_owned(), "k".to_owned(), serde_json::Value::Null);
        assert_eq!(begins(EventKind::ValuePersisted { job, key, value }), None);
        let after_another = [
            started("f"),
            CRASH,
            started("f"),
            started_by("f", "a"),
            completed("a"),
            started_by("f", "b"),
            CRASH,
        ];
        assert_eq!(poisoned(after_another), None);
        let after_a_stop =
            [started("f"), CRASH, RELEASED, started("f"), started_by("f", "a"), CRASH];
        assert_eq!(poisoned(after_a_stop), None);
    }

    #[test]
    fn what_a_sleeper_begins_is_not_suspected() {
        let (duration, until) = (Duration::from_secs(99), UNIX_EPOCH + Duration::from_secs(99));
        let sleep = EventKind::SleepStarted { job: "f".to_owned(), attempt: 1, duration, until };
        let slept = [started("f"), sleep, CRASH, started("f"), started_by("f", "a"), CRASH];
        assert_eq!(poisoned(slept), None);
    }
}
