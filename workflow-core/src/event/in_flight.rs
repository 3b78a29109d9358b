//! Which attempts are under way, according to the events of a run, and what they wait for.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::{Event, EventKind, Origin, Waiting};

/// The attempts under way, by job. A fold over the events of a run, in order.
#[derive(Debug, Default)]
pub(crate) struct InFlight(BTreeMap<String, Attempt>);

#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) number: u32,
    /// The job that started this one.
    parent: Option<String>,
    /// The signal that it waits for.
    signal: Option<String>,
    /// When its latest sleep ends.
    wakes_at: Option<SystemTime>,
}

impl InFlight {
    pub(crate) fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::JobStarted { job, attempt, origin } => {
                let parent = origin.as_deref().and_then(parent);
                let attempt = Attempt { number: *attempt, parent, signal: None, wakes_at: None };
                self.0.insert(job.clone(), attempt);
            }
            EventKind::AttemptFailed { job, .. }
            | EventKind::JobCompleted { job, .. }
            | EventKind::JobFailed { job, .. }
            | EventKind::JobSkipped { job, .. }
            | EventKind::JobCancelled { job, .. } => drop(self.0.remove(job)),
            EventKind::SignalAwaited { job, signal, .. } => {
                self.change(job, |attempt| attempt.signal = Some(signal.clone()));
            }
            EventKind::SignalReceived { job, .. } => {
                self.change(job, |attempt| attempt.signal = None);
            }
            EventKind::SleepStarted { job, until, .. } => {
                self.change(job, |attempt| attempt.wakes_at = Some(*until));
            }
            kind if kind.is_last() => self.0.clear(),
            EventKind::RunResumed { .. } => self.0.clear(),
            _ => {}
        }
    }

    fn change(&mut self, job: &str, change: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = self.0.get_mut(job) {
            change(attempt);
        }
    }

    /// The jobs that wait for no job of their own.
    fn leaves(&self) -> impl Iterator<Item = (&str, &Attempt)> {
        let is_parent =
            |job: &str| self.0.values().any(|attempt| attempt.parent.as_deref() == Some(job));
        let jobs = self.0.iter().map(|(job, attempt)| (job.as_str(), attempt));
        jobs.filter(move |(job, _)| !is_parent(job))
    }

    /// The jobs that were doing something at this time, rather than wait.
    pub(crate) fn working(&self, at: SystemTime) -> impl Iterator<Item = (&str, &Attempt)> {
        self.leaves().filter(move |(job, attempt)| attempt.waiting(job, at).is_none())
    }

    /// What the run waits for at this time, if all of its jobs wait.
    pub(crate) fn waiting(&self, at: SystemTime) -> Option<Waiting> {
        if self.working(at).next().is_some() {
            return None;
        }
        self.leaves().find_map(|(job, attempt)| attempt.waiting(job, at))
    }
}

impl Attempt {
    fn waiting(&self, job: &str, at: SystemTime) -> Option<Waiting> {
        let job = job.to_owned();
        if let Some(signal) = self.signal.clone() {
            return Some(Waiting::Signal { job, signal });
        }
        let until = self.wakes_at.filter(|until| *until > at)?;
        Some(Waiting::Time { job, until })
    }
}

fn parent(origin: &Origin) -> Option<String> {
    match origin {
        Origin::Element { of, .. } => Some(of.clone()),
        Origin::Called { by, .. } => Some(by.clone()),
        Origin::Undo { .. } => None,
    }
}
