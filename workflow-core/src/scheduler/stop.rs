//! Stops a run: after a failure, or on a request.

use super::{Cause, Effect, FAILURE, Mode, Phase, Scheduler, SkipReason};
use crate::job::{JobFlags, OnFailure, TriggerRule};

impl Scheduler {
    /// Marks the run as failed after the failure of a job of the graph.
    pub(super) fn count_failure(&mut self, job: u32) {
        if self.cells[job as usize].flags.intersects(JobFlags::CHILD.union(JobFlags::COMPENSATION))
        {
            return;
        }
        self.failed = true;
        if self.graph.settings.on_failure == OnFailure::Stop && self.mode == Mode::Working {
            self.mode = Mode::Stopping;
            self.skip_unstarted(SkipReason::Stopping);
        }
    }

    /// Cancels the run.
    pub(crate) fn cancel(&mut self, cause: Cause) {
        match self.mode {
            Mode::Finished | Mode::Cancelling(_) => return,
            // The run has failed already. The remaining compensations are dropped.
            Mode::Compensating => {}
            Mode::Working | Mode::Stopping => self.mode = Mode::Cancelling(cause),
        }
        self.compensable.clear();
        for job in 0..self.cells.len() as u32 {
            let cell = self.cells[job as usize];
            if cell.phase() == Phase::Running && cell.flags.rule() != TriggerRule::Always {
                self.interrupt(job, cause);
            }
        }
        self.skip_unstarted(SkipReason::Cancelled);
    }

    /// Ends everything without further effects, and returns the running attempts. For a run whose
    /// engine has panicked.
    pub(crate) fn abort(&mut self) -> Vec<(u32, u32)> {
        self.mode = Mode::Finished;
        self.effects.clear();
        self.ready.clear();
        (self.open, self.running) = (0, 0);
        let mut under_way = Vec::new();
        for job in 0..self.cells.len() as u32 {
            let phase = self.phase(job);
            if phase == Phase::Running {
                under_way.push((job, self.tracker.attempt(job)));
            }
            if matches!(phase, Phase::Waiting | Phase::Ready | Phase::Running | Phase::Backoff) {
                self.cells[job as usize].set_phase(Phase::Cancelled);
            }
        }
        under_way
    }

    /// Skips jobs that are ready. Waiting jobs are skipped when their dependencies have ended.
    fn skip_unstarted(&mut self, reason: SkipReason) {
        self.ready.clear();
        for job in 0..self.cells.len() as u32 {
            let cell = self.cells[job as usize];
            let always = cell.flags.rule() == TriggerRule::Always;
            match cell.phase() {
                Phase::Ready if always => self.ready.push(job, 0),
                Phase::Waiting | Phase::Ready | Phase::Backoff
                    if cell.flags.intersects(JobFlags::CHILD.union(JobFlags::COMPENSATION)) =>
                {
                    self.settle(job, Phase::Cancelled, FAILURE);
                }
                Phase::Backoff => {
                    let attempt = self.tracker.attempt(job);
                    self.effects.push_back(Effect::Fail { job, attempt });
                    self.settle(job, Phase::Failed, FAILURE);
                }
                Phase::Ready => {
                    self.skip(job, reason);
                    self.propagate_skipped();
                }
                _ => {}
            }
        }
    }

    pub(super) fn interrupt(&mut self, job: u32, cause: Cause) {
        let attempt = self.tracker.attempt(job);
        if self.tracker.interrupt(job, cause) {
            self.effects.push_back(Effect::Interrupt { job, attempt, cause });
        }
    }

    /// Stops the children of a job that must stop, if it has a grace period or a thread and may go
    /// on awaiting them. A future that is dropped at once drops what it awaits, and so stops them
    /// itself.
    pub(super) fn stop_children(&mut self, job: u32) {
        let mut stopping = vec![job];
        while let Some(parent) = stopping.pop() {
            let flags = self.cells[parent as usize].flags;
            let has_grace = self.policy(parent).is_some_and(|policy| policy.grace.is_some());
            if !has_grace && !flags.intersects(JobFlags::BLOCKING) {
                continue;
            }
            let children = self.children.iter().filter(|(_, child)| child.parent == parent);
            let children: Vec<u32> = children.map(|(child, _)| *child).collect();
            for child in children {
                match self.phase(child) {
                    Phase::Running => {
                        self.interrupt(child, Cause::Cancelled);
                        stopping.push(child);
                    }
                    Phase::Waiting | Phase::Ready | Phase::Backoff => {
                        self.settle(child, Phase::Cancelled, FAILURE);
                    }
                    _ => {}
                }
            }
        }
    }
}
