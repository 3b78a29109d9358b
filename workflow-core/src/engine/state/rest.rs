//! Runs that only wait: whether they are in progress, and whether they can be evicted.

use std::sync::Arc;
use std::time::Duration;

use super::{ActiveRun, JobFlags, RunState, Task};
use crate::engine::shutdown::ShutdownPhase;
use crate::id::RunId;
use crate::store::EvictedRun;

/// A run that can be evicted: all that is open in it waits, and the record has all of it.
pub(in crate::engine) struct Rest {
    pub(in crate::engine) evicted: EvictedRun,
    /// The time until its first timer.
    pub(in crate::engine) wakes_in: Option<Duration>,
    /// Child runs that its jobs wait for.
    pub(in crate::engine) children: Vec<RunId>,
}

impl RunState {
    /// Whether all that is open in the run waits: for a signal, a time, its next attempt, or a child
    /// run.
    pub(in crate::engine) fn only_waits(&self) -> bool {
        // Without a waker, the driver is working.
        self.driver.is_some()
            && self.woken.is_empty()
            && self.threads.count == self.threads.idle
            && self.unstarted().next().is_none()
            && self.scheduler.only_waits()
            && !self.waits_for_places()
            && self.tasks.keys().all(|job| self.waits(*job))
    }

    /// Whether a running job waits for other jobs, a signal, a sleep, a child run, or a worker of its
    /// task queue.
    pub(in crate::engine) fn waits(&self, job: u32) -> bool {
        self.waits_for_signal_or_sleep(job)
            || self.awaited_runs.contains_key(&job)
            || self.scheduler.active_children(job) > 0
            || self.scheduler.handed_out(job).is_some()
    }

    /// Child runs that jobs wait for.
    pub(in crate::engine) fn awaited_runs(&self) -> Vec<RunId> {
        self.awaited_runs.values().copied().collect()
    }

    /// Returns how the run rests, if it can be evicted.
    pub(in crate::engine) fn rest(&self, run: &ActiveRun) -> Option<Rest> {
        let may_leave = self.shutdown == ShutdownPhase::None
            && !self.published
            && !self.suspended
            && !run.is_delegated()
            && self.only_waits()
            && self.freed.is_empty()
            && !self.has_fleeting_timer()
            && self.tasks.iter().all(|(job, task)| self.may_start_again(*job, task));
        let recorder = self.recorder.as_ref().filter(|_| may_leave)?;
        let lease = recorder.lease().filter(|_| recorder.is_settled(self.log.entries.len()))?;
        let deadline = self.next_live_deadline().map(|at| at.saturating_sub(run.now()));
        let sleep = self.first_wake();
        let sleep = sleep.map(|at| at.duration_since(run.time_of_day()).unwrap_or_default());
        Some(Rest {
            evicted: EvictedRun { lease, messages: self.messages() },
            wakes_in: [deadline, sleep].into_iter().flatten().min(),
            children: self.awaited_runs(),
        })
    }

    /// Whether the attempt can be dropped and made again when its wait ends. It must wait for
    /// nothing that the engine does not know, its timeouts must not count from its start, and it
    /// must not keep others from a limit while it waits.
    fn may_start_again(&self, job: u32, task: &Arc<Task>) -> bool {
        let timeouts = self.scheduler.policy(job).map(|policy| policy.timeouts);
        self.waits_for_nothing_else(job, task)
            && timeouts.is_none_or(|it| it.start_to_close.is_none() && it.heartbeat.is_none())
    }

    /// Whether the attempt waits for nothing that the engine does not know, and keeps nobody from a
    /// named limit.
    pub(super) fn waits_for_nothing_else(&self, job: u32, task: &Arc<Task>) -> bool {
        task.is_idle()
            // The reference of this state; known waits hold weak ones.
            && Arc::strong_count(task) == 1
            && self.scheduler.stop_cause(job).is_none()
            && !self.scheduler.flags(job).intersects(JobFlags::LIMITED)
            // The end of a task in another queue does not wake a run that is evicted.
            && self.scheduler.handed_out(job).is_none()
    }
}
