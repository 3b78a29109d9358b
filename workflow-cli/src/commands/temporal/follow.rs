//! What is new of a run on Temporal, for those who show its events as they come.

use std::collections::HashSet;
use std::time::SystemTime;

use serde_json::Map;
use workflow_core::Status;
use workflow_core::event::{Event, EventKind, RunView};
use workflow_temporal::{CallError, RunEvents, TemporalRun};

/// What is new of a run.
pub(super) struct News {
    /// Events that continue those seen so far.
    pub(super) next: Vec<Event>,
    /// The end of a run that has ended, if the next events do not have it.
    pub(super) closing: Option<Closing>,
    /// Whether the run goes on, and nobody has its recorded events by now.
    pub(super) is_unrecorded: bool,
}

/// The end of a run whose recorded events do not have it.
pub(super) struct Closing {
    status: Status,
    /// All that Temporal has seen, with other sequence numbers.
    translated: Vec<Event>,
}

impl News {
    /// Asks for the events after those seen so far. The run has this status, or a later one.
    pub(super) async fn of(
        run: &TemporalRun,
        status: Status,
        seen: u64,
    ) -> Result<Self, CallError> {
        let events = match status {
            // No worker has had it.
            Status::Pending => RunEvents::Recorded(Vec::new()),
            _ => run.events(seen).await?,
        };
        Ok(Self::new(status, events, seen))
    }

    fn new(status: Status, events: RunEvents, seen: u64) -> Self {
        let (next, translated) = match events {
            RunEvents::Recorded(next) | RunEvents::Replayed(next) => (next, Vec::new()),
            // Both begin with the start of the run. Recorded events do not continue other translated
            // ones, so these wait for the end of the run, and others for a worker.
            RunEvents::Translated(all) => {
                let start = all.iter().take(usize::from(seen == 0)).cloned();
                (start.collect(), all)
            }
        };
        let is_final = status.is_final();
        let is_unrecorded = !is_final && !translated.is_empty();
        let has_end = next.last().is_some_and(|event: &Event| event.kind.is_last());
        let closing = (is_final && !has_end).then_some(Closing { status, translated });
        Self { next, closing, is_unrecorded }
    }
}

impl Closing {
    /// The events that end the run, after all those seen so far: what only Temporal has seen, the
    /// ends of the jobs that are still running, and the end of the run.
    pub(super) fn events(self, seen: &[Event]) -> Vec<Event> {
        let facts: HashSet<Fact> = seen.iter().map(fact).collect();
        let mut events = self.translated;
        events.retain(|event| !facts.contains(&fact(event)));
        if seen.len() > 1 {
            // It would interrupt jobs that have been seen to start again.
            events.retain(|event| !matches!(event.kind, EventKind::RunResumed { .. }));
        }
        if seen.is_empty() && events.is_empty() {
            events.push(event(EventKind::RunStarted { retry_of: None }, SystemTime::now()));
        }
        let end = events.pop_if(|event| event.kind.is_last());
        let end = end.or_else(|| Some(event(end_of(self.status)?, SystemTime::now())));
        let running = running(seen.iter().chain(&events));
        if let Some(end) = end {
            let ends = running.into_iter().map(|job| event(end_of_job(job, &end.kind), end.at));
            events.extend(ends);
            events.push(end);
        }
        (seen.len() as u64..).zip(&mut events).for_each(|(number, event)| event.sequence = number);
        events
    }
}

/// An event that is not numbered yet.
fn event(kind: EventKind, at: SystemTime) -> Event {
    Event::new(0, at, kind)
}

/// What an event says, whichever source it is from.
type Fact = (&'static str, Option<String>, Option<u32>, Option<String>);

fn fact(event: &Event) -> Fact {
    let kind = &event.kind;
    let code = match kind {
        EventKind::AttemptFailed { .. } => "ended",
        kind if kind.ends_job() => "ended",
        kind => kind.code(),
    };
    let name = match kind {
        EventKind::ValuePersisted { key, .. } => Some(key.clone()),
        EventKind::SignalAwaited { signal, .. } => Some(signal.clone()),
        _ => None,
    };
    (code, kind.job().map(str::to_owned), kind.attempt(), name)
}

/// The jobs that are running after these events, with their attempts.
fn running<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<(String, u32)> {
    let mut view = RunView::default();
    events.for_each(|event| view.apply(event));
    let jobs = view.jobs().iter().filter(|job| job.status == Status::Running);
    jobs.map(|job| (job.name.clone(), job.attempt_count())).collect()
}

/// The last event of a run with this status.
fn end_of(status: Status) -> Option<EventKind> {
    match status {
        Status::Completed => Some(EventKind::RunCompleted { output: None }),
        Status::Cancelled => Some(EventKind::RunCancelled),
        Status::Failed => {
            let reason = "Temporal has ended it: it was terminated, or its time was over";
            Some(EventKind::RunFailed { reason: reason.to_owned() })
        }
        _ => None,
    }
}

/// The last event of a job that was running when its run ended so.
fn end_of_job((job, attempt): (String, u32), end: &EventKind) -> EventKind {
    match end {
        EventKind::RunCompleted { .. } => {
            EventKind::JobCompleted { job, attempt, output: None, annotations: Map::new() }
        }
        _ => EventKind::JobCancelled { job, attempt, error: None },
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn start() -> EventKind {
        EventKind::RunStarted { retry_of: None }
    }

    fn started(job: &str) -> EventKind {
        EventKind::JobStarted { job: job.to_owned(), attempt: 1, origin: None }
    }

    fn completed(job: &str) -> EventKind {
        end_of_job((job.to_owned(), 1), &run_completed())
    }

    fn slept(job: &str) -> EventKind {
        let (job, duration) = (job.to_owned(), Duration::ZERO);
        EventKind::SleepStarted { job, attempt: 1, duration, until: UNIX_EPOCH }
    }

    fn run_completed() -> EventKind {
        EventKind::RunCompleted { output: None }
    }

    fn numbered(kinds: impl IntoIterator<Item = EventKind>) -> Vec<Event> {
        let event = |(number, kind)| Event::new(number, UNIX_EPOCH, kind);
        (0..).zip(kinds).map(event).collect()
    }

    /// The events that somebody has who looks at the run each time.
    fn followed(looks: impl IntoIterator<Item = (Status, RunEvents)>) -> Vec<Event> {
        let mut seen: Vec<Event> = Vec::new();
        for (status, found) in looks {
            let found = match found {
                RunEvents::Recorded(events) | RunEvents::Replayed(events) => {
                    RunEvents::Recorded(events[seen.len()..].to_vec())
                }
                translated => translated,
            };
            let news = News::new(status, found, seen.len() as u64);
            seen.extend(news.next);
            if let Some(closing) = news.closing {
                seen.extend(closing.events(&seen));
            }
        }
        let numbers: Vec<_> = seen.iter().map(|event| event.sequence).collect();
        assert_eq!(numbers, (0..seen.len() as u64).collect::<Vec<_>>());
        seen
    }

    fn kinds(events: &[Event]) -> Vec<EventKind> {
        events.iter().map(|event| event.kind.clone()).collect()
    }

    #[test]
    fn a_worker_that_is_away_for_a_while_costs_no_event() {
        let recorded =
            [start(), started("all"), slept("all"), started("a"), completed("a"), run_completed()];
        let all = numbered(recorded);
        // Temporal sees neither the function nor its sleep.
        let translated = numbered([start(), started("a"), completed("a")]);
        let seen = followed([
            (Status::Running, RunEvents::Translated(translated[..2].to_vec())),
            (Status::Running, RunEvents::Recorded(all[..4].to_vec())),
            (Status::Running, RunEvents::Translated(translated)),
            (Status::Completed, RunEvents::Recorded(all.clone())),
        ]);
        assert_eq!(seen, all);
    }

    #[test]
    fn a_run_that_ends_without_a_worker_leaves_no_job_running() {
        let recorded = numbered([start(), started("all"), slept("all"), started("a")]);
        let translated = [start(), started("a"), completed("a"), started("b"), completed("b")];
        let ended = numbered(translated.into_iter().chain([run_completed()]));
        let seen = followed([
            (Status::Running, RunEvents::Recorded(recorded.clone())),
            (Status::Completed, RunEvents::Translated(ended.clone())),
        ]);
        assert_eq!(seen[..4], recorded);
        assert_eq!(
            kinds(&seen)[4..],
            [completed("a"), started("b"), completed("b"), completed("all"), run_completed()]
        );
        let seen = followed([(Status::Completed, RunEvents::Translated(ended.clone()))]);
        assert_eq!(seen, ended);
    }

    #[test]
    fn a_terminated_run_cancels_what_was_running() {
        let recorded = numbered([start(), started("a")]);
        let terminated = EventKind::RunFailed { reason: "it was terminated".to_owned() };
        let cancelled = EventKind::JobCancelled { job: "a".to_owned(), attempt: 1, error: None };
        let translated = numbered([start(), started("a"), terminated.clone()]);
        let seen = followed([
            (Status::Running, RunEvents::Recorded(recorded.clone())),
            (Status::Failed, RunEvents::Translated(translated)),
        ]);
        assert_eq!(kinds(&seen)[2..], [cancelled.clone(), terminated]);
        // A worker or a replay has no event for it.
        let seen = followed([(Status::Failed, RunEvents::Recorded(recorded))]);
        let failed = end_of(Status::Failed).expect("it is an end");
        assert_eq!(kinds(&seen)[2..], [cancelled, failed.clone()]);
        // Nobody has ever begun it.
        let seen = followed([(Status::Failed, RunEvents::Recorded(Vec::new()))]);
        assert_eq!(kinds(&seen), [start(), failed]);
    }
}
