//! Attempts, timeouts and chance: what only some jobs need.

use super::{Cause, Effect, Phase, Scheduler, Timer};
use crate::job::TimeoutKind;
use crate::sparse_map::SparseMap;

/// The attempts of jobs that may have more than one, and what became of those under way.
pub(super) struct Clockwork {
    attempts: SparseMap<u32, u32>,
    /// Of jobs of which the attempt under way was asked to stop, or has left its output.
    marks: SparseMap<u32, Mark>,
    scheduled: SparseMap<u32, ()>,
    beats: SparseMap<u32, u64>,
    random: u64,
}

/// What became of an attempt while it was under way.
#[derive(Default)]
struct Mark {
    /// Why it was asked to stop: the weightiest of the causes, when there were several.
    asked: Option<Cause>,
    /// One of them was a timeout of the job, so that its output comes too late.
    late: bool,
    /// It has left its output in time.
    delivered: bool,
}

impl Cause {
    /// A timeout of the job itself.
    fn is_own_timeout(self) -> bool {
        !matches!(self, Self::Cancelled | Self::TimedOut(TimeoutKind::Run))
    }

    /// How much the cause leaves of the job: its other attempts, nothing, not even the run.
    fn weight(self) -> u8 {
        match self {
            Self::TimedOut(TimeoutKind::StartToClose | TimeoutKind::Heartbeat) => 0,
            Self::TimedOut(TimeoutKind::ScheduleToClose) => 1,
            Self::Cancelled | Self::TimedOut(TimeoutKind::Run) => 2,
        }
    }
}

impl Clockwork {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            attempts: SparseMap::new(),
            marks: SparseMap::new(),
            scheduled: SparseMap::new(),
            beats: SparseMap::new(),
            random: seed,
        }
    }

    /// Begins the next attempt and returns its number.
    pub(super) fn begin(&mut self, job: u32) -> u32 {
        let attempt = self.attempts.entry(job).or_insert(0);
        *attempt = attempt.saturating_add(1);
        *attempt
    }

    /// Makes this attempt the latest.
    pub(super) fn set(&mut self, job: u32, attempt: u32) {
        self.attempts.insert(job, attempt);
    }

    /// Takes the latest [`Self::begin`] of the job back.
    pub(super) fn unbegin(&mut self, job: u32) {
        if let Some(attempt) = self.attempts.get_mut(&job) {
            *attempt -= 1;
        }
    }

    /// The attempt that runs, or ran last.
    #[inline]
    pub(super) fn attempt(&self, job: u32) -> u32 {
        self.attempts.get(&job).copied().unwrap_or(1)
    }

    /// Whether this is the first time that the job is asked to stop in this attempt.
    pub(super) fn interrupt(&mut self, job: u32, cause: Cause) -> bool {
        let mark = self.marks.entry(job).or_default();
        mark.late |= cause.is_own_timeout();
        let earlier = mark.asked;
        if earlier.is_none_or(|earlier| cause.weight() > earlier.weight()) {
            mark.asked = Some(cause);
        }
        earlier.is_none()
    }

    #[inline]
    pub(super) fn asked(&self, job: u32) -> Option<Cause> {
        self.marks.get(&job)?.asked
    }

    /// Why the attempt that has just ended was asked to stop, if it was.
    pub(super) fn interrupted(&mut self, job: u32) -> Option<Cause> {
        self.marks.remove(&job)?.asked
    }

    /// Whether the clock over all attempts is still to be started.
    pub(super) fn schedule(&mut self, job: u32) -> bool {
        self.scheduled.insert(job, ()).is_none()
    }

    pub(super) fn forget(&mut self, job: u32) {
        self.attempts.remove(&job);
        self.scheduled.remove(&job);
        self.beats.remove(&job);
    }

    /// A number from 0.0 up to 1.0: splitmix64 (Steele, Lea and Flood, 2014).
    pub(super) fn chance(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Scheduler {
    /// Starts the clocks of one attempt.
    pub(super) fn arm_attempt(&mut self, job: u32, attempt: u32) {
        let Some(timeouts) = self.policy(job).map(|policy| policy.timeouts) else { return };
        if let Some(after) = timeouts.start_to_close {
            let timer = Timer::StartToClose { job, attempt };
            self.effects.push_back(Effect::Arm { timer, after });
        }
        if let Some(after) = timeouts.heartbeat {
            self.clockwork.beats.insert(job, 0);
            let timer = Timer::Heartbeat { job, attempt, beats: 0 };
            self.effects.push_back(Effect::Arm { timer, after });
        }
    }

    /// A job gave a sign of life.
    pub(crate) fn heartbeat(&mut self, job: u32, attempt: u32) {
        if self.clockwork.attempt(job) == attempt
            && let Some(beats) = self.clockwork.beats.get_mut(&job)
        {
            *beats += 1;
        }
    }

    /// Time that an [`Effect::Arm`] asked for has passed. Timers of attempts that have ended
    /// are ignored.
    pub(crate) fn timer(&mut self, timer: Timer) {
        match timer {
            Timer::Backoff { job, attempt } => {
                if self.phase(job) == Phase::Backoff && self.clockwork.attempt(job) + 1 == attempt {
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

    /// Whether this attempt of the job is under way.
    #[inline]
    pub(crate) fn is_running(&self, job: u32, attempt: u32) -> bool {
        self.phase(job) == Phase::Running && self.clockwork.attempt(job) == attempt
    }

    /// An attempt is about to leave its output: from now on no timeout of the job stops it. False
    /// when one has stopped it already, so that the output comes too late.
    pub(crate) fn deliver(&mut self, job: u32) -> bool {
        let mark = self.clockwork.marks.entry(job).or_default();
        mark.delivered = !mark.late;
        mark.delivered
    }

    fn time_is_up(&mut self, job: u32, timeout: TimeoutKind) {
        if self.clockwork.marks.get(&job).is_none_or(|mark| !mark.delivered) {
            self.interrupt(job, Cause::TimedOut(timeout));
            self.stop_children(job);
        }
    }

    fn expect_heartbeat(&mut self, job: u32, attempt: u32, beats: u64) {
        let now = self.clockwork.beats.get(&job).copied().unwrap_or(0);
        if now == beats {
            self.time_is_up(job, TimeoutKind::Heartbeat);
            return;
        }
        if let Some(after) = self.policy(job).and_then(|policy| policy.timeouts.heartbeat) {
            let timer = Timer::Heartbeat { job, attempt, beats: now };
            self.effects.push_back(Effect::Arm { timer, after });
        }
    }

    /// The time for all attempts of a job is over.
    fn close(&mut self, job: u32) {
        match self.phase(job) {
            Phase::Running => self.time_is_up(job, TimeoutKind::ScheduleToClose),
            Phase::Ready | Phase::Backoff => {
                let attempt = self.clockwork.attempt(job);
                self.effects.push_back(Effect::Expire { job });
                self.fail(job, attempt);
            }
            _ => {}
        }
    }
}
