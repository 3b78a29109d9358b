//! Taking a run up again: what is on record is told in the order in which it happened, and
//! nothing of it is done a second time.

use std::time::Duration;

use super::children::Child;
use super::{Cause, Effect, FAILURE, Phase, SKIP, SUCCESS, Scheduler, Timer};
use crate::graph::{JobPolicy, JobState};
use crate::job::JobFlags;

/// What is on record of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// An attempt began.
    Started {
        attempt: u32,
    },
    /// It failed, and another was to follow after the delay.
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
    /// Tells what is on record of a job of the graph. To be told in order, before anything is
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
                self.clockwork.interrupted(job);
                if self.cells[job as usize].flags.intersects(JobFlags::COMPENSATED) {
                    self.undoable.push(job);
                }
                self.settle(job, Phase::Completed, SUCCESS);
            }
            Recorded::Failed { attempt } => self.fail(job, attempt),
            Recorded::Skipped => self.settle(job, Phase::Skipped, SKIP),
            Recorded::Cancelled { .. } => match self.clockwork.interrupted(job) {
                Some(_) => self.settle(job, Phase::Cancelled, FAILURE),
                None => self.settle_cancelled(job),
            },
        }
    }

    fn restore_attempt(&mut self, job: u32, attempt: u32) {
        let cell = &mut self.cells[job as usize];
        cell.set_phase(Phase::Running);
        if cell.flags.intersects(JobFlags::RETRIED.union(JobFlags::TIMED)) {
            self.clockwork.set(job, attempt);
        }
    }

    fn back_off(&mut self, job: u32, attempt: u32, delay: Duration) {
        self.cells[job as usize].set_phase(Phase::Backoff);
        let timer = Timer::Backoff { job, attempt: attempt + 1 };
        self.effects.push_back(Effect::Arm { timer, after: delay });
    }

    /// What the record has led to so far, taken out: timers to be set, and what may not be on
    /// record yet.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        self.effects.drain(..).collect()
    }

    /// Ends the telling: attempts that were under way are to begin again, unless the run is
    /// being stopped. `effects` is what is left to do of what the telling led to.
    pub(crate) fn resume(&mut self, effects: Vec<Effect>) {
        self.effects.extend(effects);
        for job in 0..self.cells.len() as u32 {
            if self.phase(job) != Phase::Running {
                continue;
            }
            match self.clockwork.interrupted(job) {
                Some(cause) => self.resume_stopped(job, cause),
                None => self.repeat(job),
            }
        }
    }

    /// The attempt that was under way is to begin again.
    fn repeat(&mut self, job: u32) {
        if self.cells[job as usize].flags.intersects(JobFlags::RETRIED.union(JobFlags::TIMED)) {
            self.clockwork.unbegin(job);
        }
        self.make_ready(job);
    }

    fn resume_stopped(&mut self, job: u32, cause: Cause) {
        match cause {
            Cause::Cancelled => self.settle(job, Phase::Cancelled, FAILURE),
            Cause::TimedOut(_) => {
                let attempt = self.clockwork.attempt(job);
                self.effects.push_back(Effect::Expire { job });
                self.fail(job, attempt);
            }
        }
    }

    /// Gives a number to a job that another had started. It counts for nothing until it is
    /// [adopted](Self::adopt).
    pub(crate) fn replay(&mut self) -> u32 {
        let job = self.cells.len() as u32;
        let (flags, phase) = (JobFlags::default(), Phase::Cancelled as u8);
        self.cells.push(JobState { pending: 0, flags, phase, seen: 0 });
        job
    }

    /// A running job asks again for one that it had started and that has not ended.
    pub(crate) fn adopt(
        &mut self,
        job: u32,
        parent: u32,
        flags: JobFlags,
        policy: Option<JobPolicy>,
        recorded: Option<Recorded>,
    ) {
        let cell = &mut self.cells[job as usize];
        (cell.flags, cell.phase) = (flags, Phase::Waiting as u8);
        self.children.insert(job, Child { parent, policy });
        self.open += 1;
        match recorded {
            Some(Recorded::Started { attempt })
                if flags.intersects(JobFlags::RETRIED.union(JobFlags::TIMED)) =>
            {
                self.clockwork.set(job, attempt.saturating_sub(1));
            }
            Some(Recorded::Retried { attempt, delay }) if flags.intersects(JobFlags::RETRIED) => {
                self.clockwork.set(job, attempt);
                self.back_off(job, attempt, delay);
                return;
            }
            _ => {}
        }
        self.begin_child(parent, job, flags);
    }
}
