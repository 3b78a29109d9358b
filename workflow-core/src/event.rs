//! Events of a run: the one vocabulary that streams, reports and stores share.
//!
//! [`EventKind`] is the only type of event. A run records what happens in its `Log`, which packs
//! the frequent kinds into sixteen bytes each. The output of jobs is sent to subscribers as events,
//! but is not recorded.

mod failure;
mod in_flight;
mod log;
mod stall;
mod status;
mod time;
mod view;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};

use crate::id::RunId;
use crate::run_log::{LogPlace, OutputStream};

pub use failure::{Failure, decisive_line};
pub(crate) use in_flight::InFlight;
pub(crate) use log::{Frequent, JobLookup, Log};
pub use stall::{Blocked, Death, Stall, Waiting};
pub use status::{Status, TransitionError};
pub use time::format_time;
pub(crate) use time::{rfc3339, seconds};
pub use view::{AttemptView, JobCounts, JobView, RunView};

/// An event of a run.
///
/// Serializes as one flat object: `{"sequence": 3, "at": "2026-01-02T03:04:05Z", "event":
/// "job_started", "job": "load", "attempt": 1}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// The sequence number of the event in its run: 0, 1, 2, and so on without a gap.
    ///
    /// An event that is not [recorded](EventKind::is_recorded) has the number of the recorded event
    /// before it.
    pub sequence: u64,
    /// The time of the event.
    #[serde(with = "rfc3339")]
    pub at: SystemTime,
    /// The kind of the event, with its details.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The kind of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
#[non_exhaustive]
pub enum EventKind {
    /// The run began.
    #[serde(rename = "run_started")]
    RunStarted {
        /// The run that this one retries.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_of: Option<RunId>,
    },
    /// The run was resumed from the store, by another process or after a crash.
    #[serde(rename = "run_resumed")]
    RunResumed {
        /// Whether the previous engine did not release the run: its process died, or was
        /// unreachable for longer than its lease.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        after_crash: bool,
    },
    /// An engine could not resume the run. The run is blocked until the cause is removed or the run
    /// is cancelled.
    #[serde(rename = "run_blocked")]
    RunBlocked {
        /// The cause.
        #[serde(flatten)]
        blocked: Blocked,
    },
    /// The run was unblocked: engines may resume it.
    #[serde(rename = "run_unblocked")]
    RunUnblocked,
    /// An attempt of a job started. The same attempt may start again in a resumed run.
    #[serde(rename = "job_started")]
    JobStarted {
        /// The job's name.
        job: String,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The origin of a job that is not in the graph. Only in events of persisted runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<Box<JobOrigin>>,
    },
    /// An attempt failed, and the job will be retried.
    #[serde(rename = "attempt_failed")]
    AttemptFailed {
        /// The job's name.
        job: String,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The error.
        error: Failure,
        /// The delay before the next attempt.
        #[serde(with = "seconds")]
        retry_in: Duration,
    },
    /// A job completed.
    #[serde(rename = "job_completed")]
    JobCompleted {
        /// The job's name.
        job: String,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The output. Only in events of persisted runs. Null is an output.
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        output: Option<Arc<Json>>,
        /// The annotations of the attempt.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        annotations: Map<String, Json>,
    },
    /// A job failed for good.
    #[serde(rename = "job_failed")]
    JobFailed {
        /// The job's name.
        job: String,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The error.
        error: Failure,
        /// The annotations of the attempt.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        annotations: Map<String, Json>,
    },
    /// A job was skipped.
    #[serde(rename = "job_skipped")]
    JobSkipped {
        /// The job's name.
        job: String,
        /// The reason, as text.
        reason: String,
    },
    /// A job was cancelled because its run, or the job that started it, was cancelled.
    #[serde(rename = "job_cancelled")]
    JobCancelled {
        /// The job's name.
        job: String,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// Why the attempt was stopped; `None` if the process that ran it is gone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    },
    /// A function started to sleep, until a time that a crash does not change.
    #[serde(rename = "sleep_started")]
    SleepStarted {
        /// The job's name.
        job: String,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The duration of the sleep.
        #[serde(with = "seconds")]
        duration: Duration,
        /// The end of the sleep.
        #[serde(with = "rfc3339")]
        until: SystemTime,
    },
    /// A job started to wait for a signal.
    #[serde(rename = "signal_awaited")]
    SignalAwaited {
        /// The job's name.
        job: String,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The signal's name.
        signal: String,
    },
    /// A job received a signal.
    #[serde(rename = "signal_received")]
    SignalReceived {
        /// The job's name.
        job: String,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The signal's name.
        signal: String,
        /// The payload; null if none was sent.
        payload: Json,
        /// The number of the signal's message in the store; `None` without a store.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<u64>,
    },
    /// A job persisted a value under a key, for later jobs.
    #[serde(rename = "value_persisted")]
    ValuePersisted {
        /// The job's name.
        job: String,
        /// The key.
        key: String,
        /// The value.
        value: Json,
    },
    /// A job printed something. Not recorded: only current subscribers receive it.
    ///
    /// For a command, an event is one record of the run's log: the whole lines that were read at
    /// once. An incomplete line is sent if it is longer than 8 KiB, if its end takes more than a
    /// second or two, or if the command has ended.
    #[serde(rename = "job_output")]
    JobOutput {
        /// The job's name.
        job: String,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The stream to which it was printed.
        stream: OutputStream,
        /// The text, including line breaks. U+FFFD replaces bytes of a command that are not UTF-8;
        /// the log has the original bytes.
        text: String,
        /// The place of the text in the run's log; `None` without a log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<LogPlace>,
    },
    /// The subscriber was too slow and missed output of jobs. Not recorded. The run's log, if there
    /// is one, has the missing output.
    #[serde(rename = "output_skipped")]
    OutputSkipped {
        /// The number of bytes that the subscriber missed since the last output that it read.
        bytes: u64,
    },
    /// Cancellation of the run was requested, or became necessary.
    #[serde(rename = "cancel_requested")]
    CancelRequested {
        /// The reason, if nobody requested it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The run completed: every job completed or was skipped by a condition.
    #[serde(rename = "run_completed")]
    RunCompleted {
        /// The workflow's output. Only in events of persisted runs. Null is an output.
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        output: Option<Arc<Json>>,
    },
    /// The run failed: a job failed for good, or the run timed out.
    #[serde(rename = "run_failed")]
    RunFailed {
        /// The reason, as text.
        reason: String,
    },
    /// The run was cancelled.
    #[serde(rename = "run_cancelled")]
    RunCancelled,
}

/// Reads a value that is there, also null.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Arc<Json>>, D::Error> {
    Json::deserialize(value).map(|value| Some(value.into()))
}

impl Event {
    /// Creates an event of a run that no engine runs. Engines create their own events.
    pub fn new(sequence: u64, at: SystemTime, kind: EventKind) -> Self {
        Self { sequence, at, kind }
    }

    /// The run that this run retries, if this is its `RunStarted` event of a retry.
    pub fn retry_of(&self) -> Option<RunId> {
        match self.kind {
            EventKind::RunStarted { retry_of } => retry_of,
            _ => None,
        }
    }
}

impl EventKind {
    /// The codes of the kinds that end a job.
    pub const JOB_ENDS: [&'static str; 4] =
        ["job_completed", "job_failed", "job_skipped", "job_cancelled"];

    /// The codes of the other kinds that change which attempts are running, or what they wait for.
    pub const ATTEMPT_CHANGES: [&'static str; 6] = [
        "run_resumed",
        "job_started",
        "attempt_failed",
        "sleep_started",
        "signal_awaited",
        "signal_received",
    ];

    /// The code of [`ValuePersisted`](Self::ValuePersisted).
    pub const VALUE_PERSISTED: &'static str = "value_persisted";

    /// The stable code of the kind: the field `event` of its JSON form.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RunStarted { .. } => "run_started",
            Self::RunResumed { .. } => "run_resumed",
            Self::RunBlocked { .. } => "run_blocked",
            Self::RunUnblocked => "run_unblocked",
            Self::JobStarted { .. } => "job_started",
            Self::AttemptFailed { .. } => "attempt_failed",
            Self::JobCompleted { .. } => "job_completed",
            Self::JobFailed { .. } => "job_failed",
            Self::JobSkipped { .. } => "job_skipped",
            Self::JobCancelled { .. } => "job_cancelled",
            Self::SleepStarted { .. } => "sleep_started",
            Self::SignalAwaited { .. } => "signal_awaited",
            Self::SignalReceived { .. } => "signal_received",
            Self::ValuePersisted { .. } => Self::VALUE_PERSISTED,
            Self::JobOutput { .. } => "job_output",
            Self::OutputSkipped { .. } => "output_skipped",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::RunCompleted { .. } => "run_completed",
            Self::RunFailed { .. } => "run_failed",
            Self::RunCancelled => "run_cancelled",
        }
    }

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
            | Self::ValuePersisted { job, .. }
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

    /// The error of the attempt that the event ends.
    pub fn error(&self) -> Option<&Failure> {
        match self {
            Self::AttemptFailed { error, .. } | Self::JobFailed { error, .. } => Some(error),
            Self::JobCancelled { error, .. } => error.as_ref(),
            _ => None,
        }
    }

    /// The annotations of the attempt that the event ends, if there are any.
    pub fn annotations(&self) -> Option<&Map<String, Json>> {
        match self {
            Self::JobCompleted { annotations, .. } | Self::JobFailed { annotations, .. } => {
                Some(annotations).filter(|annotations| !annotations.is_empty())
            }
            _ => None,
        }
    }

    /// Whether reports and stores record the event. Other events reach only subscribers of the run.
    pub fn is_recorded(&self) -> bool {
        !matches!(self, Self::JobOutput { .. } | Self::OutputSkipped { .. })
    }

    /// Whether this is the last event of a run.
    pub fn is_last(&self) -> bool {
        self.run_status().is_some_and(Status::is_final)
    }

    /// Whether this is the last event of a job.
    pub fn ends_job(&self) -> bool {
        self.job_status().is_some_and(Status::is_final)
    }

    /// The status of the job after this event, if the event changes it. A job between two attempts
    /// is running.
    pub fn job_status(&self) -> Option<Status> {
        match self {
            Self::JobStarted { .. } | Self::AttemptFailed { .. } => Some(Status::Running),
            Self::JobCompleted { .. } => Some(Status::Completed),
            Self::JobFailed { .. } => Some(Status::Failed),
            Self::JobSkipped { .. } => Some(Status::Skipped),
            Self::JobCancelled { .. } => Some(Status::Cancelled),
            _ => None,
        }
    }

    /// The status of the run after this event, if the event changes it.
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
            Self::RunStarted { retry_of: None } => f.write_str("run started"),
            Self::RunStarted { retry_of: Some(run) } => {
                write!(f, "run started as a retry of run {run}")
            }
            Self::RunResumed { after_crash: false } => f.write_str("run resumed"),
            Self::RunResumed { after_crash: true } => f.write_str("run resumed after a crash"),
            Self::RunBlocked { blocked } => write!(f, "run blocked: {blocked}"),
            Self::RunUnblocked => f.write_str("run unblocked"),
            Self::JobStarted { job, attempt: 1, .. } => write!(f, "{job} started"),
            Self::JobStarted { job, attempt, .. } => write!(f, "{job} started, attempt {attempt}"),
            Self::AttemptFailed { job, attempt, error, retry_in } => {
                write!(f, "{job} failed in attempt {attempt}, retry in {retry_in:.1?}: {error:#}")
            }
            Self::JobCompleted { job, .. } => write!(f, "{job} completed"),
            Self::JobFailed { job, error, .. } => write!(f, "{job} failed: {error:#}"),
            Self::JobSkipped { job, reason } => write!(f, "{job} skipped: {reason}"),
            Self::JobCancelled { job, .. } => write!(f, "{job} cancelled"),
            Self::SleepStarted { job, duration, .. } => {
                write!(f, "{job} sleeps for {duration:.1?}")
            }
            Self::SignalAwaited { job, signal, .. } => {
                write!(f, "{job} waits for signal `{signal}`")
            }
            Self::SignalReceived { job, signal, .. } => {
                write!(f, "{job} received signal `{signal}`")
            }
            Self::ValuePersisted { job, key, .. } => write!(f, "{job} persisted value `{key}`"),
            Self::JobOutput { job, text, .. } => write!(f, "{job} | {}", text.trim_end()),
            Self::OutputSkipped { bytes } => write!(f, "{bytes} bytes of output skipped"),
            Self::CancelRequested { reason: None } => f.write_str("cancellation requested"),
            Self::CancelRequested { reason: Some(reason) } => {
                write!(f, "cancellation requested: {reason}")
            }
            Self::RunCompleted { .. } => f.write_str("run completed"),
            Self::RunFailed { reason } => write!(f, "run failed: {reason}"),
            Self::RunCancelled => f.write_str("run cancelled"),
        }
    }
}

/// The origin of a job that is not in the graph: which job started it, and for what. A resumed run
/// uses it to match replayed calls with recorded jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum JobOrigin {
    /// A function called a job with `ctx.run`.
    #[serde(rename = "called")]
    Called {
        /// The job of the function.
        by: String,
        /// The number of its attempt, from 1.
        attempt: u32,
        /// The name of the called job, without the number that makes it unique.
        job: String,
        /// The input.
        input: Json,
    },
    /// A map started a job for an element of its list.
    #[serde(rename = "element")]
    Element {
        /// The map's name.
        of: String,
        /// The index of the element, from 0.
        index: u32,
    },
    /// The job compensates the work of another.
    #[serde(rename = "undo")]
    Compensation {
        /// The name of the compensated job.
        of: String,
    },
}

impl JobOrigin {
    /// The job that started the other job, or whose work the other job compensates.
    pub fn parent(&self) -> &str {
        match self {
            Self::Called { by, .. } => by,
            Self::Element { of, .. } | Self::Compensation { of } => of,
        }
    }

    /// The running job that started this one; `None` for compensations, which the run starts.
    pub(crate) fn starter(&self) -> Option<&str> {
        match self {
            Self::Element { of, .. } => Some(of),
            Self::Called { by, .. } => Some(by),
            Self::Compensation { .. } => None,
        }
    }
}
