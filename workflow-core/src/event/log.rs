//! The compact record of a run: most runs are never read event by event.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value as Json};

use super::{Blocked, Event, EventKind, Failure, JobOrigin};
use crate::id::RunId;
use crate::scheduler::SkipReason;
use crate::sparse_map::SparseMap;

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum EntryKind {
    RunStarted,
    JobStarted,
    AttemptFailed,
    JobCompleted,
    JobFailed,
    JobSkipped,
    JobCancelled,
    CancelRequested,
    RunCompleted,
    RunFailed,
    RunCancelled,
    RunResumed,
    SleepStarted,
    SignalReceived,
    ValueKept,
    RunBlocked,
    RunUnblocked,
    SignalAwaited,
}

/// One entry of the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Nanoseconds since the run began; negative for results of the run that this one retries.
    pub(crate) at: i64,
    pub(crate) job: u32,
    /// The attempt in the low 24 bits, saturating; the kind in the high 8.
    packed: u32,
}

const ATTEMPT: u32 = (1 << 24) - 1;

const ENTRY_KINDS: [EntryKind; 18] = [
    EntryKind::RunStarted,
    EntryKind::JobStarted,
    EntryKind::AttemptFailed,
    EntryKind::JobCompleted,
    EntryKind::JobFailed,
    EntryKind::JobSkipped,
    EntryKind::JobCancelled,
    EntryKind::CancelRequested,
    EntryKind::RunCompleted,
    EntryKind::RunFailed,
    EntryKind::RunCancelled,
    EntryKind::RunResumed,
    EntryKind::SleepStarted,
    EntryKind::SignalReceived,
    EntryKind::ValueKept,
    EntryKind::RunBlocked,
    EntryKind::RunUnblocked,
    EntryKind::SignalAwaited,
];

impl Entry {
    #[inline]
    pub(crate) fn new(kind: EntryKind, job: u32, attempt: u32, at: i64) -> Self {
        Self { at, job, packed: attempt.min(ATTEMPT) | (kind as u32) << 24 }
    }

    pub(crate) fn kind(&self) -> EntryKind {
        ENTRY_KINDS[(self.packed >> 24) as usize]
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.packed & ATTEMPT
    }
}

/// The attempt number in an entry [`EntryKind::RunResumed`] if the run was resumed after a crash.
pub(crate) const AFTER_CRASH: u32 = 1;

/// Details that only some entries have.
#[derive(Debug, Clone)]
pub(crate) enum EntryDetail {
    Error {
        error: Failure,
        retry_in: Option<Duration>,
    },
    Skip(SkipReason),
    Reason(String),
    /// The output of a job or of the run, if the run is persisted.
    Output(Arc<Json>),
    Sleep {
        duration: Duration,
        until: SystemTime,
    },
    Signal {
        name: String,
        payload: Json,
        message: Option<u64>,
    },
    Kept {
        key: String,
        value: Json,
    },
    Blocked(Blocked),
    Awaited(String),
    Repeats(RunId),
}

/// A lookup of the jobs that the log refers to by number.
pub(crate) trait JobLookup {
    fn name(&self, job: u32) -> String;
    /// The origin of a job that is not in the graph, in persisted runs.
    fn origin(&self, job: u32) -> Option<Box<JobOrigin>>;
    /// The annotations of the job's latest attempt.
    fn facts(&self, job: u32) -> Map<String, Json>;
}

/// The entries of a run, in order.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) began: SystemTime,
    pub(crate) entries: Vec<Entry>,
    details: SparseMap<usize, EntryDetail>,
}

impl Log {
    pub(crate) fn new(began: SystemTime, jobs: usize) -> Self {
        // Two entries for each job that runs once, and two for the run.
        let entries = Vec::with_capacity(2 * jobs + 2);
        Self { began, entries, details: SparseMap::new() }
    }

    /// Moves the entries out, once the run has ended.
    pub(crate) fn take(&mut self) -> Self {
        let entries = std::mem::take(&mut self.entries);
        Self { began: self.began, entries, details: std::mem::take(&mut self.details) }
    }

    #[inline]
    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    pub(crate) fn push_with(&mut self, entry: Entry, detail: EntryDetail) {
        self.details.insert(self.entries.len(), detail);
        self.entries.push(entry);
    }

    pub(crate) fn detail(&self, index: usize) -> Option<&EntryDetail> {
        self.details.get(&index)
    }

    pub(crate) fn failure(&self, index: usize) -> Option<&Failure> {
        match self.details.get(&index)? {
            EntryDetail::Error { error, .. } => Some(error),
            _ => None,
        }
    }

    /// The time of the entry.
    pub(crate) fn time(&self, entry: &Entry) -> SystemTime {
        self.time_at(entry.at)
    }

    /// The time this many nanoseconds after the run began.
    pub(crate) fn time_at(&self, nanos: i64) -> SystemTime {
        let span = Duration::from_nanos(nanos.unsigned_abs());
        let time =
            if nanos < 0 { self.began.checked_sub(span) } else { self.began.checked_add(span) };
        time.unwrap_or(self.began)
    }

    /// The entry as an event.
    pub(crate) fn event(&self, index: usize, lookup: &dyn JobLookup) -> Option<Event> {
        let entry = self.entries.get(index)?;
        let (number, attempt) = (entry.job, entry.attempt());
        let job = || lookup.name(number);
        let kind = match entry.kind() {
            EntryKind::RunStarted => EventKind::RunStarted {
                repeats: match self.detail(index) {
                    Some(EntryDetail::Repeats(run)) => Some(*run),
                    _ => None,
                },
            },
            EntryKind::RunResumed => EventKind::RunResumed { after_crash: attempt == AFTER_CRASH },
            EntryKind::RunUnblocked => EventKind::RunUnblocked,
            EntryKind::RunBlocked => match self.detail(index)? {
                EntryDetail::Blocked(blocked) => EventKind::RunBlocked { blocked: blocked.clone() },
                _ => return None,
            },
            EntryKind::JobStarted => {
                EventKind::JobStarted { job: job(), attempt, origin: lookup.origin(number) }
            }
            EntryKind::AttemptFailed => {
                let retry_in = match self.detail(index) {
                    Some(EntryDetail::Error { retry_in: Some(delay), .. }) => *delay,
                    _ => Duration::ZERO,
                };
                let error = self.error(index);
                EventKind::AttemptFailed { job: job(), attempt, error, retry_in }
            }
            EntryKind::JobCompleted => {
                let (output, facts) = (self.output(index), lookup.facts(number));
                EventKind::JobCompleted { job: job(), attempt, output, facts }
            }
            EntryKind::JobFailed => {
                let (error, facts) = (self.error(index), lookup.facts(number));
                EventKind::JobFailed { job: job(), attempt, error, facts }
            }
            EntryKind::JobSkipped => {
                EventKind::JobSkipped { job: job(), reason: self.skip_reason(index, lookup) }
            }
            EntryKind::JobCancelled => EventKind::JobCancelled { job: job(), attempt },
            EntryKind::CancelRequested => EventKind::CancelRequested,
            EntryKind::RunCompleted => EventKind::RunCompleted { output: self.output(index) },
            EntryKind::RunFailed => EventKind::RunFailed { reason: self.reason(index) },
            EntryKind::RunCancelled => EventKind::RunCancelled,
            EntryKind::SleepStarted
            | EntryKind::SignalAwaited
            | EntryKind::SignalReceived
            | EntryKind::ValueKept => self.detail(index)?.clone().event(job(), attempt)?,
        };
        Some(Event { sequence: index as u64, at: self.time(entry), kind })
    }

    fn error(&self, index: usize) -> Failure {
        self.failure(index).cloned().unwrap_or_else(|| Failure {
            kind: crate::job::JobErrorKind::Cancelled,
            message: "stopped before it started".to_owned(),
            error_type: String::new(),
        })
    }

    /// The output in the entry.
    pub(crate) fn output(&self, index: usize) -> Option<Arc<Json>> {
        match self.detail(index) {
            Some(EntryDetail::Output(output)) => Some(Arc::clone(output)),
            _ => None,
        }
    }

    pub(crate) fn reason(&self, index: usize) -> String {
        match self.detail(index) {
            Some(EntryDetail::Reason(reason)) => reason.clone(),
            _ => "a job failed".to_owned(),
        }
    }

    /// The reason why a job was skipped, as text.
    pub(crate) fn skip_reason(&self, index: usize, lookup: &dyn JobLookup) -> String {
        match self.detail(index) {
            Some(EntryDetail::Reason(reason)) => reason.clone(),
            Some(EntryDetail::Skip(SkipReason::Upstream(Some(job)))) => {
                format!("`{}` did not complete", lookup.name(*job))
            }
            Some(EntryDetail::Skip(SkipReason::Upstream(None))) => {
                "none of its dependencies failed".to_owned()
            }
            Some(EntryDetail::Skip(SkipReason::Condition)) => "its condition is false".to_owned(),
            Some(EntryDetail::Skip(SkipReason::Cancelled)) => "the run was cancelled".to_owned(),
            _ => "the run stopped after a failure".to_owned(),
        }
    }
}

impl EntryDetail {
    /// The event for a kind that consists of its details.
    fn event(self, job: String, attempt: u32) -> Option<EventKind> {
        Some(match self {
            Self::Sleep { duration, until } => {
                EventKind::SleepStarted { job, attempt, duration, until }
            }
            Self::Signal { name, payload, message } => {
                EventKind::SignalReceived { job, attempt, signal: name, payload, message }
            }
            Self::Kept { key, value } => EventKind::ValueKept { job, key, value },
            Self::Awaited(signal) => EventKind::SignalAwaited { job, attempt, signal },
            _ => return None,
        })
    }
}
