//! Jobs that are started by other jobs during the run.

use std::collections::VecDeque;

use super::{Cause, FAILURE, Phase, Scheduler, policy_of};
use crate::graph::{JobPolicy, JobState};
use crate::job::JobFlags;

/// The concurrency limit of a parent for its children.
#[derive(Default)]
pub(super) struct Lane {
    taken: usize,
    waiting: VecDeque<u32>,
}

pub(super) struct Child {
    pub(super) parent: u32,
    pub(super) policy: Option<JobPolicy>,
}

impl Scheduler {
    /// Adds a job that a running job starts, and starts it. Returns its number.
    pub(crate) fn append(
        &mut self,
        parent: u32,
        flags: JobFlags,
        policy: Option<JobPolicy>,
    ) -> u32 {
        let job = self.append_parked(parent, flags, policy);
        self.begin_child(parent, job, flags);
        job
    }

    /// Adds a job that a running job calls, without [starting](Self::begin_child) it. Returns its
    /// number.
    pub(crate) fn append_parked(
        &mut self,
        parent: u32,
        flags: JobFlags,
        policy: Option<JobPolicy>,
    ) -> u32 {
        let job = self.cells.len() as u32;
        let flags = self.delegated.flags(flags, policy.as_ref());
        self.cells.push(JobState { pending: 0, flags, phase: Phase::Waiting as u8, seen: 0 });
        self.children.insert(job, Child { parent, policy });
        self.open += 1;
        job
    }

    /// Starts a job that was added.
    pub(crate) fn begin_child(&mut self, parent: u32, job: u32, flags: JobFlags) {
        if self.phase(job) != Phase::Waiting {
            return;
        }
        // Compensations may start while the run stops. Otherwise a parent that must stop, with the
        // run or alone, starts nothing more.
        let refused = self.refusal(self.cells[parent as usize].flags).is_some()
            || self.tracker.stop_cause(parent).is_some();
        if refused && !flags.intersects(JobFlags::COMPENSATION) {
            self.settle(job, Phase::Cancelled, FAILURE);
        } else if flags.intersects(JobFlags::COMPENSATION) || self.enter_lane(parent, job) {
            self.make_ready(job);
        }
    }

    /// Returns how many children of a job are ready, running, or between attempts.
    pub(crate) fn active_children(&self, parent: u32) -> usize {
        let active =
            |job: &u32| matches!(self.phase(*job), Phase::Ready | Phase::Running | Phase::Backoff);
        let children = self.children.iter().filter(|(_, child)| child.parent == parent);
        children.filter(|(job, _)| active(job)).count()
    }

    /// Returns the number that [`Self::append`] will use next.
    pub(crate) fn next_number(&self) -> u32 {
        self.cells.len() as u32
    }

    /// Cancels one job, whether it is running or not.
    pub(crate) fn cancel_job(&mut self, job: u32) {
        match self.cells[job as usize].phase() {
            Phase::Running => {
                self.interrupt(job, Cause::Cancelled);
                self.stop_children(job);
            }
            Phase::Waiting | Phase::Ready | Phase::Backoff => {
                self.settle(job, Phase::Cancelled, FAILURE);
            }
            _ => {}
        }
    }

    /// Cancels the unstarted siblings of a failed element, which are useless without it.
    pub(super) fn stop_siblings(&mut self, job: u32) {
        let Some(parent) = self.children.get(&job).map(|child| child.parent) else { return };
        let unstarted = |scheduler: &Self, job: u32| {
            matches!(scheduler.phase(job), Phase::Waiting | Phase::Ready | Phase::Backoff)
        };
        let siblings = self.children.iter().filter(|(_, child)| child.parent == parent);
        let mut siblings: Vec<u32> = siblings.map(|(sibling, _)| *sibling).collect();
        siblings.retain(|sibling| *sibling != job && unstarted(self, *sibling));
        siblings.sort_unstable();
        if let Some(lane) = self.lanes.get_mut(&parent) {
            lane.waiting.clear();
        }
        for sibling in siblings {
            self.settle(sibling, Phase::Cancelled, FAILURE);
        }
    }

    /// Whether a child may start under its parent's concurrency limit. Otherwise it waits.
    fn enter_lane(&mut self, parent: u32, job: u32) -> bool {
        let limit =
            policy_of(&self.children, &self.graph, parent).map_or(0, |policy| policy.concurrency);
        if limit == 0 || limit == usize::MAX {
            return true;
        }
        let lane = self.lanes.entry(parent).or_default();
        if lane.taken < limit {
            lane.taken += 1;
            return true;
        }
        lane.waiting.push_back(job);
        false
    }

    pub(super) fn leave_lane(&mut self, parent: u32) {
        let Some(lane) = self.lanes.get_mut(&parent) else { return };
        while let Some(job) = lane.waiting.pop_front() {
            if self.cells[job as usize].phase() == Phase::Waiting {
                self.make_ready(job);
                return;
            }
        }
        lane.taken -= 1;
    }
}
