//! Restores a resumed run: recorded outcomes are reported in order, and nothing is done a second
//! time.

use std::time::Duration;

use super::children::Child;
use super::{Cause, Effect, FAILURE, Phase, SKIP, SUCCESS, Scheduler, Timer};
use crate::graph::{JobPolicy, JobState};
use crate::job::JobFlags;

/// A recorded step of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// An attempt started.
    Started {
        attempt: u32,
    },
    /// An attempt failed, and another was to follow after the delay.
    Retried {
        attempt: u32,
        delay: Duration,
    },
    Completed,
    Failed {
        attempt: u32,
    },
    Skipped,
    Cancelled {
        attempt: u32,
    },
}

impl Scheduler {
    /// Restores a recorded step of a job of the graph. To be called in order, before anything is
    /// launched.
    pub(crate) fn restore(&mut self, job: u32, recorded: Recorded) {
        if matches!(self.phase(job), Phase::Completed | Phase::Failed | Phase::Skipped) {
            return;
        }
        match recorded {
            Recorded::Started { attempt } => self.restore_attempt(job, attempt),
            Recorded::Retried { attempt, delay } => {
                self.restore_attempt(job, attempt);
                self.back_off(job, attempt, delay);
            }
            Recorded::Completed => {
                self.tracker.interrupted(job);
                if self.cells[job as usize].flags.intersects(JobFlags::COMPENSATED) {
                    self.compensable.push(job);
                }
                self.settle(job, Phase::Completed, SUCCESS);
            }
            Recorded::Failed { attempt } => self.fail(job, attempt),
            Recorded::Skipped => self.settle(job, Phase::Skipped, SKIP),
            Recorded::Cancelled { .. } => match self.tracker.interrupted(job) {
                Some(_) => self.settle(job, Phase::Cancelled, FAILURE),
                None => self.settle_cancelled(job),
            },
        }
    }

    fn restore_attempt(&mut self, job: u32, attempt: u32) {
        let cell = &mut self.cells[job as usize];
        cell.set_phase(Phase::Running);
        if cell.flags.intersects(JobFlags::RETRIED.union(JobFlags::TIMED)) {
            self.tracker.set(job, attempt);
        }
    }

    fn back_off(&mut self, job: u32, attempt: u32, delay: Duration) {
        self.cells[job as usize].set_phase(Phase::Backoff);
        let timer = Timer::Backoff { job, attempt: attempt + 1 };
        self.effects.push_back(Effect::Arm { timer, after: delay });
    }

    /// Takes the effects of the record so far: timers to arm, and ends that may not be on record
    /// yet.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        self.effects.drain(..).collect()
    }

    /// Ends the restore: attempts that were running start again, unless the run is being stopped.
    /// `effects` are those of the record that are still to be performed.
    pub(crate) fn resume(&mut self, effects: Vec<Effect>) {
        self.effects.extend(effects);
        for job in 0..self.cells.len() as u32 {
            if self.phase(job) != Phase::Running {
                continue;
            }
            match self.tracker.interrupted(job) {
                Some(cause) => self.resume_stopped(job, cause),
                None => self.repeat(job),
            }
        }
    }

    /// Lets the attempt that was running start again.
    fn repeat(&mut self, job: u32) {
        if self.cells[job as usize].flags.intersects(JobFlags::RETRIED.union(JobFlags::TIMED)) {
            self.tracker.unbegin(job);
        }
        self.make_ready(job);
    }

    fn resume_stopped(&mut self, job: u32, cause: Cause) {
        match cause {
            Cause::Cancelled => self.settle(job, Phase::Cancelled, FAILURE),
            Cause::TimedOut(_) => {
                let attempt = self.tracker.attempt(job);
                self.effects.push_back(Effect::Expire { job });
                self.fail(job, attempt);
            }
        }
    }

    /// Reserves the number of a job that another job had started. It does not count until it is
    /// [adopted](Self::adopt).
    pub(crate) fn replay(&mut self) -> u32 {
        let job = self.cells.len() as u32;
        let (flags, phase) = (JobFlags::default(), Phase::Cancelled as u8);
        self.cells.push(JobState { pending: 0, flags, phase, seen: 0 });
        job
    }

    /// Restores a job that had not ended, once the job that started it calls it again.
    pub(crate) fn adopt(
        &mut self,
        job: u32,
        parent: u32,
        flags: JobFlags,
        policy: Option<JobPolicy>,
        recorded: Option<Recorded>,
    ) {
        let flags = self.delegated.flags(flags, policy.as_ref());
        let cell = &mut self.cells[job as usize];
        (cell.flags, cell.phase) = (flags, Phase::Waiting as u8);
        self.children.insert(job, Child { parent, policy });
        self.open += 1;
        match recorded {
            Some(Recorded::Started { attempt })
                if flags.intersects(JobFlags::RETRIED.union(JobFlags::TIMED)) =>
            {
                self.tracker.set(job, attempt.saturating_sub(1));
            }
            Some(Recorded::Retried { attempt, delay }) if flags.intersects(JobFlags::RETRIED) => {
                self.tracker.set(job, attempt);
                self.back_off(job, attempt, delay);
                return;
            }
            _ => {}
        }
        self.begin_child(parent, job, flags);
    }
}
