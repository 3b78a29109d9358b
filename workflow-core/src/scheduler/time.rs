//! Attempts, timeouts and jitter, which only some jobs need.

use super::{Cause, Effect, Phase, Scheduler, Timer};
use crate::job::TimeoutKind;
use crate::sparse_map::SparseMap;

/// The attempts of jobs that have retries or timeouts, and the marks of running attempts.
pub(super) struct AttemptTracker {
    attempts: SparseMap<u32, u32>,
    /// Marks of running attempts that must stop or have stored their output.
    marks: SparseMap<u32, Mark>,
    scheduled: SparseMap<u32, ()>,
    beats: SparseMap<u32, u64>,
    random: u64,
}

/// The marks of a running attempt.
#[derive(Default)]
struct Mark {
    /// Why it must stop: the cause with the greatest weight.
    stop_cause: Option<Cause>,
    /// Whether one of the causes was a timeout of the job, so that its output is too late.
    late: bool,
    /// Whether it has stored its output in time.
    delivered: bool,
}

impl Cause {
    /// Whether the cause is a timeout of the job itself.
    fn is_own_timeout(self) -> bool {
        !matches!(self, Self::Cancelled | Self::TimedOut(TimeoutKind::Run))
    }

    /// The weight of the cause: it ends the attempt (0), the job (1), or the run (2).
    fn weight(self) -> u8 {
        match self {
            Self::TimedOut(TimeoutKind::StartToClose | TimeoutKind::Heartbeat) => 0,
            Self::TimedOut(TimeoutKind::ScheduleToClose) => 1,
            Self::Cancelled | Self::TimedOut(TimeoutKind::Run) => 2,
        }
    }
}

impl AttemptTracker {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            attempts: SparseMap::new(),
            marks: SparseMap::new(),
            scheduled: SparseMap::new(),
            beats: SparseMap::new(),
            random: seed,
        }
    }

    /// Starts the next attempt and returns its number.
    pub(super) fn begin(&mut self, job: u32) -> u32 {
        let attempt = self.attempts.entry(job).or_insert(0);
        *attempt = attempt.saturating_add(1);
        *attempt
    }

    /// Sets the latest attempt.
    pub(super) fn set(&mut self, job: u32, attempt: u32) {
        self.attempts.insert(job, attempt);
    }

    /// Reverts the latest [`Self::begin`] of the job.
    pub(super) fn unbegin(&mut self, job: u32) {
        if let Some(attempt) = self.attempts.get_mut(&job) {
            *attempt -= 1;
        }
    }

    /// Returns the running or the latest attempt.
    #[inline]
    pub(super) fn attempt(&self, job: u32) -> u32 {
        self.attempts.get(&job).copied().unwrap_or(1)
    }

    /// Marks the attempt as stopping. Returns whether this is its first cause.
    pub(super) fn interrupt(&mut self, job: u32, cause: Cause) -> bool {
        let mark = self.marks.entry(job).or_default();
        mark.late |= cause.is_own_timeout();
        let earlier = mark.stop_cause;
        if earlier.is_none_or(|earlier| cause.weight() > earlier.weight()) {
            mark.stop_cause = Some(cause);
        }
        earlier.is_none()
    }

    #[inline]
    pub(super) fn stop_cause(&self, job: u32) -> Option<Cause> {
        self.marks.get(&job)?.stop_cause
    }

    /// Takes the cause for which the attempt that has just ended was stopped, if any.
    pub(super) fn interrupted(&mut self, job: u32) -> Option<Cause> {
        self.marks.remove(&job)?.stop_cause
    }

    /// Returns whether the timer over all attempts is still to be armed. Only true once.
    pub(super) fn schedule(&mut self, job: u32) -> bool {
        self.scheduled.insert(job, ()).is_none()
    }

    pub(super) fn forget(&mut self, job: u32) {
        self.attempts.remove(&job);
        self.scheduled.remove(&job);
        self.beats.remove(&job);
    }

    /// Returns a random number from 0.0 up to 1.0: splitmix64 (Steele, Lea and Flood, 2014).
    pub(super) fn next_random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Scheduler {
    /// Arms the timers of one attempt.
    pub(super) fn arm_attempt(&mut self, job: u32, attempt: u32) {
        if self.is_elsewhere(job) {
            return;
        }
        let Some(timeouts) = self.policy(job).map(|policy| policy.timeouts) else { return };
        if let Some(after) = timeouts.start_to_close {
            let timer = Timer::StartToClose { job, attempt };
            self.effects.push_back(Effect::Arm { timer, after });
        }
        if let Some(after) = timeouts.heartbeat {
            self.tracker.beats.insert(job, 0);
            let timer = Timer::Heartbeat { job, attempt, beats: 0 };
            self.effects.push_back(Effect::Arm { timer, after });
        }
    }

    /// Reports a heartbeat of a job.
    pub(crate) fn heartbeat(&mut self, job: u32, attempt: u32) {
        if self.tracker.attempt(job) == attempt
            && let Some(beats) = self.tracker.beats.get_mut(&job)
        {
            *beats += 1;
        }
    }

    /// Reports that a timer of an [`Effect::Arm`] went off. Timers of attempts that have ended are
    /// ignored.
    pub(crate) fn timer(&mut self, timer: Timer) {
        match timer {
            Timer::Backoff { job, attempt } => {
                if self.phase(job) == Phase::Backoff && self.tracker.attempt(job) + 1 == attempt {
                    self.make_ready(job);
                }
            }
            Timer::StartToClose { job, attempt } if self.is_running(job, attempt) => {
                self.time_is_up(job, TimeoutKind::StartToClose);
            }
            Timer::ScheduleToClose { job } => self.close(job),
            Timer::Heartbeat { job, attempt, beats } if self.is_running(job, attempt) => {
                self.expect_heartbeat(job, attempt, beats);
            }
            Timer::Run => self.cancel(Cause::TimedOut(TimeoutKind::Run)),
            Timer::StartToClose { .. } | Timer::Heartbeat { .. } => {}
        }
    }

    /// Whether the timer still has an effect.
    pub(crate) fn is_live(&self, timer: Timer) -> bool {
        match timer {
            Timer::Backoff { job, attempt } => {
                self.phase(job) == Phase::Backoff && self.tracker.attempt(job) + 1 == attempt
            }
            Timer::StartToClose { job, attempt } | Timer::Heartbeat { job, attempt, .. } => {
                self.is_running(job, attempt)
            }
            Timer::ScheduleToClose { job } => {
                matches!(self.phase(job), Phase::Running | Phase::Ready | Phase::Backoff)
            }
            Timer::Run => true,
        }
    }

    /// Whether a resumed run sets the timer to the same time again. Others count from the start of
    /// an attempt, or from the call of a job, which is made again.
    pub(crate) fn is_restored(&self, timer: Timer) -> bool {
        match timer {
            Timer::Backoff { .. } | Timer::Run => true,
            Timer::ScheduleToClose { job } => (job as usize) < self.graph.len(),
            Timer::StartToClose { .. } | Timer::Heartbeat { .. } => false,
        }
    }

    /// Returns whether this attempt of the job is running.
    #[inline]
    pub(crate) fn is_running(&self, job: u32, attempt: u32) -> bool {
        self.phase(job) == Phase::Running && self.tracker.attempt(job) == attempt
    }

    /// Marks the attempt as delivering its output: from now on no timeout of the job stops it.
    /// Returns false if a timeout has stopped it already, so that the output is too late.
    pub(crate) fn deliver(&mut self, job: u32) -> bool {
        let mark = self.tracker.marks.entry(job).or_default();
        mark.delivered = !mark.late;
        mark.delivered
    }

    fn time_is_up(&mut self, job: u32, timeout: TimeoutKind) {
        if self.tracker.marks.get(&job).is_none_or(|mark| !mark.delivered) {
            self.interrupt(job, Cause::TimedOut(timeout));
            self.stop_children(job);
        }
    }

    fn expect_heartbeat(&mut self, job: u32, attempt: u32, beats: u64) {
        let now = self.tracker.beats.get(&job).copied().unwrap_or(0);
        if now == beats {
            self.time_is_up(job, TimeoutKind::Heartbeat);
            return;
        }
        if let Some(after) = self.policy(job).and_then(|policy| policy.timeouts.heartbeat) {
            let timer = Timer::Heartbeat { job, attempt, beats: now };
            self.effects.push_back(Effect::Arm { timer, after });
        }
    }

    /// Handles the timeout over all attempts of a job.
    fn close(&mut self, job: u32) {
        match self.phase(job) {
            Phase::Running => self.time_is_up(job, TimeoutKind::ScheduleToClose),
            Phase::Ready | Phase::Backoff => {
                let attempt = self.tracker.attempt(job);
                self.effects.push_back(Effect::Expire { job });
                self.fail(job, attempt);
            }
            _ => {}
        }
    }
}
