//! The running attempts of a run, according to its events, and what they are waiting for.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::{Event, EventKind, JobOrigin, Waiting};

/// The running attempts by job: a fold over the events of a run.
#[derive(Debug, Default)]
pub(crate) struct InFlight(BTreeMap<String, Attempt>);

#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) number: u32,
    /// The job that started this one.
    parent: Option<String>,
    /// The signal that it is waiting for, and since when.
    signal: Option<(String, SystemTime)>,
    /// The start and the end of its latest sleep.
    sleep: Option<(SystemTime, SystemTime)>,
}

impl InFlight {
    pub(crate) fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::JobStarted { job, attempt, origin } => {
                let parent = origin.as_deref().and_then(JobOrigin::starter).map(str::to_owned);
                let attempt = Attempt { number: *attempt, parent, signal: None, sleep: None };
                self.0.insert(job.clone(), attempt);
            }
            EventKind::AttemptFailed { job, .. } => drop(self.0.remove(job)),
            EventKind::SignalAwaited { job, signal, .. } => {
                self.change(job, |attempt| attempt.signal = Some((signal.clone(), event.at)));
            }
            EventKind::SignalReceived { job, .. } => {
                self.change(job, |attempt| attempt.signal = None);
            }
            EventKind::SleepStarted { job, until, .. } => {
                self.change(job, |attempt| attempt.sleep = Some((event.at, *until)));
            }
            EventKind::RunResumed { .. } => self.0.clear(),
            kind if kind.is_last() => self.0.clear(),
            kind if kind.ends_job() => {
                drop(kind.job().and_then(|job| self.0.remove(job)));
            }
            _ => {}
        }
    }

    fn change(&mut self, job: &str, change: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = self.0.get_mut(job) {
            change(attempt);
        }
    }

    /// The jobs without running children.
    fn leaves(&self) -> impl Iterator<Item = (&str, &Attempt)> {
        let jobs = self.0.iter().map(|(job, attempt)| (job.as_str(), attempt));
        jobs.filter(move |(job, _)| !self.is_parent(job))
    }

    fn is_parent(&self, job: &str) -> bool {
        self.0.values().any(|attempt| attempt.parent.as_deref() == Some(job))
    }

    /// The jobs that were working at this time, and not waiting.
    pub(crate) fn working(&self, at: SystemTime) -> impl Iterator<Item = (&str, &Attempt)> {
        self.leaves().filter(move |(job, attempt)| attempt.waiting(job, at).is_none())
    }

    /// All running jobs.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The jobs that were not waiting at this time, and so could start children.
    pub(crate) fn awake(&self, at: SystemTime) -> impl Iterator<Item = &str> {
        let awake = move |(job, attempt): &(&String, &Attempt)| attempt.waiting(job, at).is_none();
        self.0.iter().filter(awake).map(|(job, _)| job.as_str())
    }

    /// The job that started this one, if both are running.
    pub(crate) fn starter(&self, job: &str) -> Option<&str> {
        self.0.get(job)?.parent.as_deref()
    }

    /// What the run is waiting for at this time, if all of its jobs are waiting.
    pub(crate) fn waiting(&self, at: SystemTime) -> Option<Waiting> {
        if self.working(at).next().is_some() {
            return None;
        }
        self.all_waiting(at).next()
    }

    /// The jobs that are waiting at this time, and for what. A job with running children may also
    /// be waiting for a signal.
    pub(crate) fn all_waiting(&self, at: SystemTime) -> impl Iterator<Item = Waiting> {
        self.0.iter().filter_map(move |(job, attempt)| match self.is_parent(job) {
            true => attempt.signal(job),
            false => attempt.waiting(job, at),
        })
    }
}

impl Attempt {
    fn waiting(&self, job: &str, at: SystemTime) -> Option<Waiting> {
        self.signal(job).or_else(|| {
            let (since, until) = self.sleep.filter(|(_, until)| *until > at)?;
            Some(Waiting::Time { job: job.to_owned(), until, since })
        })
    }

    fn signal(&self, job: &str) -> Option<Waiting> {
        let (signal, since) = self.signal.clone()?;
        Some(Waiting::Signal { job: job.to_owned(), signal, since })
    }
}
