//! What goes in and what comes out: happenings, and what is to be done.

use std::time::Duration;

use crate::job::TimeoutKind;

/// Something for the engine to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Start this attempt of a job.
    Launch { job: u32, attempt: u32 },
    /// Note that a job will not run.
    Skip { job: u32, reason: SkipReason },
    /// Note that the attempt failed and that another follows after the delay.
    Retry { job: u32, attempt: u32, delay: Duration },
    /// Note that a job's time for all attempts ran out while none was under way.
    Expire { job: u32 },
    /// Note that a job failed for good.
    Fail { job: u32, attempt: u32 },
    /// Call [`Scheduler::timer`] with this after the time.
    Arm { timer: Timer, after: Duration },
    /// Note that a job was stopped by request.
    Cancel { job: u32, attempt: u32 },
    /// Ask an attempt to stop.
    Interrupt { job: u32, attempt: u32, cause: Cause },
    /// Start what takes a job's work back, with [`Scheduler::append`].
    Compensate { job: u32 },
    /// Note that the run has ended; nothing follows.
    Finish(Outcome),
}

impl Effect {
    /// Whether this starts a clock of one attempt of the job.
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
    /// It stopped because it was asked to.
    Cancelled,
}

/// Why an attempt is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Cancelled,
    TimedOut(TimeoutKind),
}

/// Why a job will not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SkipReason {
    /// What it waits for did not end as its rule asks: the job that decided this, or none, when
    /// the rule asks for a failure.
    Upstream(Option<u32>),
    /// Its condition did not hold.
    Condition,
    /// The run is stopping after a failure.
    Stopping,
    /// The run was cancelled.
    Cancelled,
}

/// What a timer is for.
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
