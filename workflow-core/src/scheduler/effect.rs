//! The vocabulary of the scheduler: the effects that it decides on, and the ends that are reported
//! to it.

use std::time::Duration;

use crate::job::TimeoutKind;

/// An action for the engine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Start this attempt of a job.
    Launch { job: u32, attempt: u32 },
    /// Record that a job will not run.
    Skip { job: u32, reason: SkipReason },
    /// Record that the attempt failed and that another follows after the delay.
    Retry { job: u32, attempt: u32, delay: Duration },
    /// Set the error of a job whose time for all attempts ran out while none was running.
    Expire { job: u32 },
    /// Record that a job failed for good.
    Fail { job: u32, attempt: u32 },
    /// Call [`Scheduler::timer`] with this timer after the duration.
    Arm { timer: Timer, after: Duration },
    /// Record that a job was cancelled.
    Cancel { job: u32, attempt: u32 },
    /// Stop an attempt.
    Interrupt { job: u32, attempt: u32, cause: Cause },
    /// Start the compensation of a job with [`Scheduler::append`].
    Compensate { job: u32 },
    /// Record that the run has ended. Nothing follows.
    Finish(Outcome),
}

impl Effect {
    /// Whether this arms a timer of one attempt of the job.
    pub(super) fn is_clock_of(&self, job: u32) -> bool {
        match self {
            Self::Arm { timer: Timer::StartToClose { job: of, .. }, .. }
            | Self::Arm { timer: Timer::Heartbeat { job: of, .. }, .. } => *of == job,
            _ => false,
        }
    }
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    Failed,
    Cancelled,
    TimedOut,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    /// Its condition did not hold.
    Declined,
    /// Another attempt may help.
    FailedRetryable,
    FailedTerminally,
    /// It was cancelled.
    Cancelled,
}

/// Why an attempt must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Cancelled,
    TimedOut(TimeoutKind),
}

/// Why a job will not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SkipReason {
    /// Its dependencies did not end as its trigger rule requires. Names the job that decided this,
    /// or `None` if the rule requires a failure.
    Upstream(Option<u32>),
    /// Its condition did not hold.
    Condition,
    /// The run is stopping after a failure.
    Stopping,
    /// The run was cancelled.
    Cancelled,
}

/// The purpose of a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The wait before an attempt.
    Backoff {
        job: u32,
        attempt: u32,
    },
    StartToClose {
        job: u32,
        attempt: u32,
    },
    ScheduleToClose {
        job: u32,
    },
    Heartbeat {
        job: u32,
        attempt: u32,
        beats: u64,
    },
    Run,
}
