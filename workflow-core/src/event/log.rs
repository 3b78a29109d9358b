//! The record of a run, compact: most runs are never looked at event by event.

use std::time::{Duration, SystemTime};

use super::{Event, EventKind, Failure};
use crate::rare::Rare;
use crate::scheduler::SkipReason;

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum What {
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
}

/// One happening.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Nanoseconds since the run began.
    pub(crate) at: u64,
    pub(crate) job: u32,
    /// The attempt in the low 24 bits, saturating; what happened in the high 8.
    packed: u32,
}

const ATTEMPT: u32 = (1 << 24) - 1;

const WHATS: [What; 11] = [
    What::RunStarted,
    What::JobStarted,
    What::AttemptFailed,
    What::JobCompleted,
    What::JobFailed,
    What::JobSkipped,
    What::JobCancelled,
    What::CancelRequested,
    What::RunCompleted,
    What::RunFailed,
    What::RunCancelled,
];

impl Entry {
    #[inline]
    pub(crate) fn new(what: What, job: u32, attempt: u32, at: u64) -> Self {
        Self { at, job, packed: attempt.min(ATTEMPT) | (what as u32) << 24 }
    }

    pub(crate) fn what(&self) -> What {
        WHATS[(self.packed >> 24) as usize]
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.packed & ATTEMPT
    }
}

/// What only some entries carry.
#[derive(Debug, Clone)]
pub(crate) enum Detail {
    Error { error: Failure, retry_in: Option<Duration> },
    Skip(SkipReason),
    Reason(String),
}

/// The happenings of a run, in order.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) began: SystemTime,
    pub(crate) entries: Vec<Entry>,
    details: Rare<usize, Detail>,
}

impl Log {
    pub(crate) fn new(began: SystemTime, jobs: usize) -> Self {
        // Two entries for each job that runs once, and two for the run.
        let entries = Vec::with_capacity(2 * jobs + 2);
        Self { began, entries, details: Rare::new() }
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

    pub(crate) fn push_with(&mut self, entry: Entry, detail: Detail) {
        self.details.insert(self.entries.len(), detail);
        self.entries.push(entry);
    }

    pub(crate) fn detail(&self, index: usize) -> Option<&Detail> {
        self.details.get(&index)
    }

    pub(crate) fn failure(&self, index: usize) -> Option<&Failure> {
        match self.details.get(&index)? {
            Detail::Error { error, .. } => Some(error),
            _ => None,
        }
    }

    /// When the entry was made.
    pub(crate) fn time(&self, entry: &Entry) -> SystemTime {
        self.began + Duration::from_nanos(entry.at)
    }

    /// The entry as an event, with names for the jobs' numbers.
    pub(crate) fn event(&self, index: usize, name: &dyn Fn(u32) -> String) -> Option<Event> {
        let entry = self.entries.get(index)?;
        let (job, attempt) = (entry.job, entry.attempt());
        let error = || {
            self.failure(index).cloned().unwrap_or_else(|| Failure {
                kind: crate::job::JobErrorKind::Cancelled,
                message: "stopped before it began".to_owned(),
                error_type: String::new(),
            })
        };
        let kind = match entry.what() {
            What::RunStarted => EventKind::RunStarted,
            What::JobStarted => EventKind::JobStarted { job: name(job), attempt },
            What::AttemptFailed => {
                let retry_in = match self.detail(index) {
                    Some(Detail::Error { retry_in: Some(delay), .. }) => *delay,
                    _ => Duration::ZERO,
                };
                EventKind::AttemptFailed { job: name(job), attempt, error: error(), retry_in }
            }
            What::JobCompleted => EventKind::JobCompleted { job: name(job), attempt },
            What::JobFailed => EventKind::JobFailed { job: name(job), attempt, error: error() },
            What::JobSkipped => {
                EventKind::JobSkipped { job: name(job), reason: self.skip_reason(index, name) }
            }
            What::JobCancelled => EventKind::JobCancelled { job: name(job), attempt },
            What::CancelRequested => EventKind::CancelRequested,
            What::RunCompleted => EventKind::RunCompleted,
            What::RunFailed => EventKind::RunFailed { reason: self.reason(index) },
            What::RunCancelled => EventKind::RunCancelled,
        };
        Some(Event { sequence: index as u64, at: self.time(entry), kind })
    }

    pub(crate) fn reason(&self, index: usize) -> String {
        match self.detail(index) {
            Some(Detail::Reason(reason)) => reason.clone(),
            _ => "a job failed".to_owned(),
        }
    }

    /// Why a job was skipped, in words.
    pub(crate) fn skip_reason(&self, index: usize, name: &dyn Fn(u32) -> String) -> String {
        match self.detail(index) {
            Some(Detail::Skip(SkipReason::Upstream(Some(job)))) => {
                format!("`{}` did not complete", name(*job))
            }
            Some(Detail::Skip(SkipReason::Upstream(None))) => {
                "nothing that it waits for failed".to_owned()
            }
            Some(Detail::Skip(SkipReason::Condition)) => "its condition does not hold".to_owned(),
            Some(Detail::Skip(SkipReason::Cancelled)) => "the run was cancelled".to_owned(),
            _ => "the run stopped at a failure".to_owned(),
        }
    }
}
