//! Finds the job that kills its host: it was in flight each time that the process died.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::event::{Death, Event, EventKind, InFlight};

/// The deaths of a run's processes in a row, by the jobs that were in flight. A fold over the
/// events of the run, in order.
#[derive(Default)]
pub(super) struct Deaths {
    in_flight: InFlight,
    in_a_row: HashMap<String, Vec<Death>>,
    /// Whether attempts begin only once this is on record; so it is after a crash.
    are_starts_recorded: bool,
    last_event_at: Option<SystemTime>,
}

impl Deaths {
    /// Takes in an event. `ready` are the jobs that could begin before it.
    pub(super) fn apply<'a>(&mut self, event: &Event, ready: impl Iterator<Item = &'a str>) {
        match &event.kind {
            EventKind::RunResumed { after_crash: true } => self.died(event.at, ready),
            EventKind::RunResumed { after_crash: false } => {
                self.in_a_row.clear();
                self.are_starts_recorded = false;
            }
            EventKind::RunUnblocked => self.in_a_row.clear(),
            EventKind::JobCompleted { job, .. } | EventKind::JobFailed { job, .. } => {
                self.in_a_row.remove(job);
            }
            _ => {}
        }
        self.in_flight.apply(event);
        self.last_event_at = Some(event.at);
    }

    /// The process is dead, as was found at `found_at`.
    pub(super) fn died<'a>(&mut self, found_at: SystemTime, ready: impl Iterator<Item = &'a str>) {
        let at = self.last_event_at.unwrap_or(found_at);
        let working = self.in_flight.working(at);
        let mut suspects: HashMap<String, u32> =
            working.map(|(job, attempt)| (job.to_owned(), attempt.number)).collect();
        if !self.are_starts_recorded {
            suspects.extend(ready.map(|job| (job.to_owned(), 1)));
        }
        self.in_a_row.retain(|job, _| suspects.contains_key(job));
        for (job, attempt) in suspects {
            self.in_a_row.entry(job).or_default().push(Death { attempt, found_at });
        }
        self.are_starts_recorded = true;
    }

    /// The job that was in flight in this many deaths in a row, or more.
    pub(super) fn poisoned(self, limit: usize) -> Option<(String, Vec<Death>)> {
        let mut in_a_row: Vec<_> = self.in_a_row.into_iter().collect();
        in_a_row.retain(|(_, deaths)| deaths.len() >= limit);
        in_a_row.into_iter().min_by(|(one, _), (other, _)| one.cmp(other))
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
    }

    #[test]
    fn before_starts_are_recorded_what_could_begin_is_suspected() {
        let mut deaths = Deaths::default();
        let at = UNIX_EPOCH;
        deaths.apply(&Event::new(0, at, EventKind::RunStarted), std::iter::empty());
        deaths.died(at, ["a", "b"].into_iter());
        deaths.apply(&Event::new(1, at, started("a")), std::iter::empty());
        deaths.died(at, ["b"].into_iter());
        assert_eq!(deaths.poisoned(2).map(|(job, _)| job), Some("a".to_owned()));
    }
}
