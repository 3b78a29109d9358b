//! What happened in a run: the one vocabulary that streams, reports and stores share.
//!
//! A run notes every happening in its [`Log`], sixteen bytes each; an [`Event`] is what a reader
//! gets to see of one. What jobs print passes by: it is an event to those who watch, and is not
//! recorded.

mod log;

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize, Serializer};

use crate::job::{JobError, JobErrorKind, LogPlace, OutputStream};

pub(crate) use log::{Detail, Entry, Log, What};

/// Something that happened in a run.
///
/// Serialises as one flat object: `{"sequence": 3, "at": "2026-01-02T03:04:05Z", "event":
/// "job_started", "job": "load", "attempt": 1}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// The event's place in its run: 0, 1, 2, and so on without a gap. An event that is not
    /// [recorded](EventKind::is_recorded) has the number of the recorded one that it follows: who
    /// has seen it goes on with the number after.
    pub sequence: u64,
    /// When it happened.
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What can happen in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The run began.
    RunStarted,
    /// An attempt of a job began.
    JobStarted {
        /// The job's name.
        job: String,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// An attempt failed, and another will follow.
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
    JobCompleted {
        /// The job's name.
        job: String,
        /// In which attempt, from 1.
        attempt: u32,
    },
    /// A job failed for good.
    JobFailed {
        /// The job's name.
        job: String,
        /// In which attempt, from 1.
        attempt: u32,
        /// What it failed with.
        error: Failure,
    },
    /// A job will not run.
    JobSkipped {
        /// The job's name.
        job: String,
        /// Why, in words.
        reason: String,
    },
    /// A job was stopped because its run, or the job that waited for it, was cancelled.
    JobCancelled {
        /// The job's name.
        job: String,
        /// In which attempt, from 1.
        attempt: u32,
    },
    /// A job printed something. Not recorded: seen by those who watch the run meanwhile.
    ///
    /// Of a command it is one record of the run's log: whole lines, as many as were read at once.
    /// The end of a line is not waited for when the line is longer than 8 KiB, when it takes more
    /// than a second or two, or when the command has ended.
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
    OutputSkipped {
        /// How many bytes this subscriber has missed, since the output that it read last.
        bytes: u64,
    },
    /// Someone asked the run to stop.
    CancelRequested,
    /// Every job completed or was skipped by a condition.
    RunCompleted,
    /// A job failed for good, or the run took too long.
    RunFailed {
        /// Why, in words.
        reason: String,
    },
    /// The run was cancelled.
    RunCancelled,
}

/// Why an attempt failed: what is left of a [`JobError`] once it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// In which way.
    pub kind: JobErrorKind,
    /// The error and its causes, in words.
    pub message: String,
    /// The error's type.
    pub error_type: String,
}

impl From<&JobError> for Failure {
    fn from(error: &JobError) -> Self {
        Self {
            kind: error.kind(),
            message: error.chain(),
            error_type: error.error_type().to_owned(),
        }
    }
}

/// The whole message; its first line only with `{:#}`, where a table has one line for it.
impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.kind == JobErrorKind::Panicked {
            f.write_str("panicked: ")?;
        }
        match self.message.split_once('\n') {
            Some((first, _)) if f.alternate() => write!(f, "{first} ..."),
            _ => f.write_str(&self.message),
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
            | Self::JobOutput { job, .. } => Some(job),
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
        matches!(self, Self::RunCompleted | Self::RunFailed { .. } | Self::RunCancelled)
    }
}

impl std::fmt::Display for EventKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RunStarted => f.write_str("run started"),
            Self::JobStarted { job, attempt: 1 } => write!(f, "{job} started"),
            Self::JobStarted { job, attempt } => write!(f, "{job} started, attempt {attempt}"),
            Self::AttemptFailed { job, attempt, error, retry_in } => {
                write!(f, "{job} failed in attempt {attempt}, again in {retry_in:.1?}: {error:#}")
            }
            Self::JobCompleted { job, .. } => write!(f, "{job} completed"),
            Self::JobFailed { job, error, .. } => write!(f, "{job} failed: {error:#}"),
            Self::JobSkipped { job, reason } => write!(f, "{job} skipped: {reason}"),
            Self::JobCancelled { job, .. } => write!(f, "{job} cancelled"),
            Self::JobOutput { job, text, .. } => write!(f, "{job} | {}", text.trim_end()),
            Self::OutputSkipped { bytes } => write!(f, "{bytes} bytes of output skipped"),
            Self::CancelRequested => f.write_str("cancel requested"),
            Self::RunCompleted => f.write_str("run completed"),
            Self::RunFailed { reason } => write!(f, "run failed: {reason}"),
            Self::RunCancelled => f.write_str("run cancelled"),
        }
    }
}

/// A time as RFC 3339 has it, in UTC.
pub(crate) fn format_time(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| "out of range".to_owned(), |at| at.to_string())
}

pub(crate) fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_time(*time))
}

/// Durations as a number of seconds.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(span: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_f64(span.as_secs_f64())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}
