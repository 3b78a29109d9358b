//! What happened in a run: the one vocabulary that streams, reports and stores share.
//!
//! A run notes every happening in its [`Log`], sixteen bytes each; an [`Event`] is what a reader
//! gets to see of one. What jobs print passes by: it is an event to those who watch, and is not
//! recorded.

mod failure;
mod in_flight;
mod log;
mod stall;
mod status;
mod time;
mod view;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::id::RunId;
use crate::run_log::{LogPlace, OutputStream};

pub use failure::{Failure, decisive_line};
pub(crate) use in_flight::InFlight;
pub(crate) use log::{AFTER_CRASH, Entry, EntryDetail, EntryKind, JobLookup, Log};
pub use stall::{Blocked, Death, Stall, Waiting};
pub use status::{Status, TransitionError};
pub(crate) use time::{format_time, rfc3339, seconds};
pub use view::{AttemptView, JobCounts, JobView, RunView};

/// Something that happened in a run.
///
/// Serialises as one flat object: `{"sequence": 3, "at": "2026-01-02T03:04:05Z", "event":
/// "job_started", "job": "load", "attempt": 1}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// The event's place in its run: 0, 1, 2, and so on without a gap. An event that is not
    /// [recorded](EventKind::is_recorded) has the number of the recorded one that it follows: who
    /// has seen it goes on with the number after.
    pub sequence: u64,
    /// When it happened.
    #[serde(with = "rfc3339")]
    pub at: SystemTime,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What can happen in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
#[non_exhaustive]
pub enum EventKind {
    /// The run began.
    #[serde(rename = "run_started")]
    RunStarted {
        /// The run that this one repeats.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeats: Option<RunId>,
    },
    /// The run was taken up again from its record: by another process, or after a crash.
    #[serde(rename = "run_resumed")]
    RunResumed {
        /// The engine that drove the run had not given it back: its process died, or was
        /// unreachable for longer than its lease.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        after_crash: bool,
    },
    /// An engine refused to take the run up again. The run stays as it is until the cause is
    /// gone, or somebody cancels it.
    #[serde(rename = "run_blocked")]
    RunBlocked {
        /// Why.
        #[serde(flatten)]
        blocked: Blocked,
    },
    /// Somebody unblocked the run: engines may take it up again.
    #[serde(rename = "run_unblocked")]
    RunUnblocked,
    /// An attempt of a job began. The same attempt may begin again in a run that was taken up
    /// again.
    #[serde(rename = "job_started")]
    JobStarted {
        /// The job's name.
        job: String,
        /// Which attempt, from 1.
        attempt: u32,
        /// Who started it, when the graph does not have it. Only in the events of runs that a
        /// store keeps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<Box<JobOrigin>>,
    },
    /// An attempt failed, and another will follow.
    #[serde(rename = "attempt_failed")]
    AttemptFailed {
        /// The job's name.
        job: String,
        /// Which attempt, from 1.
        attempt: u32,
        /// What it failed with.
        error: Failure,
        /// How long the job waits before the next attempt.
        #[serde(with = "seconds")]
        retry_in: Duration,
    },
    /// A job completed.
    #[serde(rename = "job_completed")]
    JobCompleted {
        /// The job's name.
        job: String,
        /// In which attempt, from 1.
        attempt: u32,
        /// Its output. Only in the events of runs that a store keeps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Arc<Json>>,
        /// What it noted about the attempt.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        facts: Map<String, Json>,
    },
    /// A job failed for good.
    #[serde(rename = "job_failed")]
    JobFailed {
        /// The job's name.
        job: String,
        /// In which attempt, from 1.
        attempt: u32,
        /// What it failed with.
        error: Failure,
        /// What it noted about the attempt.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        facts: Map<String, Json>,
    },
    /// A job will not run.
    #[serde(rename = "job_skipped")]
    JobSkipped {
        /// The job's name.
        job: String,
        /// Why, in words.
        reason: String,
    },
    /// A job was stopped because its run, or the job that waited for it, was cancelled.
    #[serde(rename = "job_cancelled")]
    JobCancelled {
        /// The job's name.
        job: String,
        /// In which attempt, from 1.
        attempt: u32,
    },
    /// A function began to sleep, until a time that a crash does not move.
    #[serde(rename = "sleep_started")]
    SleepStarted {
        /// The job's name.
        job: String,
        /// Which attempt, from 1.
        attempt: u32,
        /// For how long.
        #[serde(with = "seconds")]
        duration: Duration,
        /// When it ends.
        #[serde(with = "rfc3339")]
        until: SystemTime,
    },
    /// A job began to wait for a signal.
    #[serde(rename = "signal_awaited")]
    SignalAwaited {
        /// The job's name.
        job: String,
        /// Which attempt, from 1.
        attempt: u32,
        /// The signal's name.
        signal: String,
    },
    /// A job received a signal that it waited for.
    #[serde(rename = "signal_received")]
    SignalReceived {
        /// The job's name.
        job: String,
        /// Which attempt, from 1.
        attempt: u32,
        /// The signal's name.
        signal: String,
        /// What came with it; null for nothing.
        payload: Json,
        /// The number of the signal in the store; none, when it came without a store.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<u64>,
    },
    /// A job kept a value under a key, for those after it.
    #[serde(rename = "value_kept")]
    ValueKept {
        /// The job's name.
        job: String,
        /// The key.
        key: String,
        /// The value.
        value: Json,
    },
    /// A job printed something. Not recorded: seen by those who watch the run meanwhile.
    ///
    /// Of a command it is one record of the run's log: whole lines, as many as were read at once.
    /// The end of a line is not waited for when the line is longer than 8 KiB, when it takes more
    /// than a second or two, or when the command has ended.
    #[serde(rename = "job_output")]
    JobOutput {
        /// The job's name.
        job: String,
        /// In which attempt, from 1.
        attempt: u32,
        /// Where it was printed.
        stream: OutputStream,
        /// What was printed, line breaks included. Bytes of a command that are no UTF-8 are
        /// U+FFFD here; the log has them as they were.
        text: String,
        /// Where the run's log has it; `None` when no log is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<LogPlace>,
    },
    /// Jobs printed more than this subscriber has read in time, and the run holds it no longer.
    /// Not recorded. What commands printed is in the run's log.
    #[serde(rename = "output_skipped")]
    OutputSkipped {
        /// How many bytes this subscriber has missed, since the output that it read last.
        bytes: u64,
    },
    /// Someone asked the run to stop.
    #[serde(rename = "cancel_requested")]
    CancelRequested,
    /// Every job completed or was skipped by a condition.
    #[serde(rename = "run_completed")]
    RunCompleted {
        /// The workflow's output. Only in the events of runs that a store keeps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Arc<Json>>,
    },
    /// A job failed for good, or the run took too long.
    #[serde(rename = "run_failed")]
    RunFailed {
        /// Why, in words.
        reason: String,
    },
    /// The run was cancelled.
    #[serde(rename = "run_cancelled")]
    RunCancelled,
}

impl Event {
    /// An event for the record of a run that no engine drives. Engines make their own.
    pub fn new(sequence: u64, at: SystemTime, kind: EventKind) -> Self {
        Self { sequence, at, kind }
    }

    /// The run that a run repeats, where this is the event that it began with.
    pub fn repeats(&self) -> Option<RunId> {
        match self.kind {
            EventKind::RunStarted { repeats } => repeats,
            _ => None,
        }
    }
}

impl EventKind {
    /// The name of the job that the event is about.
    pub fn job(&self) -> Option<&str> {
        match self {
            Self::JobStarted { job, .. }
            | Self::AttemptFailed { job, .. }
            | Self::JobCompleted { job, .. }
            | Self::JobFailed { job, .. }
            | Self::JobSkipped { job, .. }
            | Self::JobCancelled { job, .. }
            | Self::SleepStarted { job, .. }
            | Self::SignalAwaited { job, .. }
            | Self::SignalReceived { job, .. }
            | Self::ValueKept { job, .. }
            | Self::JobOutput { job, .. } => Some(job),
            _ => None,
        }
    }

    /// The number of the attempt that the event is about, from 1.
    pub fn attempt(&self) -> Option<u32> {
        match self {
            Self::JobStarted { attempt, .. }
            | Self::AttemptFailed { attempt, .. }
            | Self::JobCompleted { attempt, .. }
            | Self::JobFailed { attempt, .. }
            | Self::JobCancelled { attempt, .. }
            | Self::SleepStarted { attempt, .. }
            | Self::SignalAwaited { attempt, .. }
            | Self::SignalReceived { attempt, .. }
            | Self::JobOutput { attempt, .. } => Some(*attempt),
            _ => None,
        }
    }

    /// Whether the event is part of the run's record, which reports and stores have. What is not
    /// reaches only those who watch the run.
    pub fn is_recorded(&self) -> bool {
        !matches!(self, Self::JobOutput { .. } | Self::OutputSkipped { .. })
    }

    /// Whether nothing follows this event.
    pub fn is_last(&self) -> bool {
        self.run_status().is_some_and(Status::is_final)
    }

    /// Where the run stands from this event on, if the event says so.
    pub fn run_status(&self) -> Option<Status> {
        match self {
            Self::RunStarted { .. } | Self::RunResumed { .. } => Some(Status::Running),
            Self::RunCompleted { .. } => Some(Status::Completed),
            Self::RunFailed { .. } => Some(Status::Failed),
            Self::RunCancelled => Some(Status::Cancelled),
            _ => None,
        }
    }
}

impl std::fmt::Display for EventKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RunStarted { repeats: None } => f.write_str("run started"),
            Self::RunStarted { repeats: Some(run) } => {
                write!(f, "run started, which repeats run {run}")
            }
            Self::RunResumed { after_crash: false } => f.write_str("run resumed"),
            Self::RunResumed { after_crash: true } => f.write_str("run resumed after a crash"),
            Self::RunBlocked { blocked } => write!(f, "run blocked: {blocked}"),
            Self::RunUnblocked => f.write_str("run unblocked"),
            Self::JobStarted { job, attempt: 1, .. } => write!(f, "{job} started"),
            Self::JobStarted { job, attempt, .. } => write!(f, "{job} started, attempt {attempt}"),
            Self::AttemptFailed { job, attempt, error, retry_in } => {
                write!(f, "{job} failed in attempt {attempt}, again in {retry_in:.1?}: {error:#}")
            }
            Self::JobCompleted { job, .. } => write!(f, "{job} completed"),
            Self::JobFailed { job, error, .. } => write!(f, "{job} failed: {error:#}"),
            Self::JobSkipped { job, reason } => write!(f, "{job} skipped: {reason}"),
            Self::JobCancelled { job, .. } => write!(f, "{job} cancelled"),
            Self::SleepStarted { job, duration, .. } => {
                write!(f, "{job} sleeps for {duration:.1?}")
            }
            Self::SignalAwaited { job, signal, .. } => write!(f, "{job} waits for `{signal}`"),
            Self::SignalReceived { job, signal, .. } => write!(f, "{job} received `{signal}`"),
            Self::ValueKept { job, key, .. } => write!(f, "{job} kept `{key}`"),
            Self::JobOutput { job, text, .. } => write!(f, "{job} | {}", text.trim_end()),
            Self::OutputSkipped { bytes } => write!(f, "{bytes} bytes of output skipped"),
            Self::CancelRequested => f.write_str("cancel requested"),
            Self::RunCompleted { .. } => f.write_str("run completed"),
            Self::RunFailed { reason } => write!(f, "run failed: {reason}"),
            Self::RunCancelled => f.write_str("run cancelled"),
        }
    }
}

/// Which job started another, and what for: how a run that is taken up again tells what it is
/// asked for from what it has on record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum JobOrigin {
    /// A function ran a job with `ctx.run`.
    #[serde(rename = "called")]
    Called {
        /// The job whose function it is.
        by: String,
        /// In which of its attempts, from 1.
        attempt: u32,
        /// What it called: the job's name before a number was added to it.
        job: String,
        /// With which input.
        input: Json,
    },
    /// A map runs a job for an element of its list.
    #[serde(rename = "element")]
    Element {
        /// The map's name.
        of: String,
        /// The element's place in the list, from 0.
        index: u32,
    },
    /// The work of a job is taken back.
    #[serde(rename = "undo")]
    Compensation {
        /// The job's name.
        of: String,
    },
}

impl JobOrigin {
    /// The job that started the other, or whose work the other takes back.
    pub fn parent(&self) -> &str {
        match self {
            Self::Called { by, .. } => by,
            Self::Element { of, .. } | Self::Compensation { of } => of,
        }
    }

    /// The job under way that started this one. What takes work back is started by the run.
    pub(crate) fn starter(&self) -> Option<&str> {
        match self {
            Self::Element { of, .. } => Some(of),
            Self::Called { by, .. } => Some(by),
            Self::Compensation { .. } => None,
        }
    }
}
