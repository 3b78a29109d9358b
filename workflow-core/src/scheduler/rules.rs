//! Trigger rules: how the end of a job decides about the jobs that wait for it.

use super::{Effect, FAILURE, Mode, Phase, SKIP, SUCCESS, Scheduler, SkipReason};
use crate::job::{JobFlags, TriggerRule};

impl Scheduler {
    /// Notifies the successors of a job that has ended, and those of jobs that are skipped for it.
    #[inline]
    pub(super) fn propagate(&mut self, job: u32, mark: u8) {
        self.notify_successors(job, mark);
        if !self.skipped.is_empty() {
            self.propagate_skipped();
        }
    }

    #[inline]
    fn notify_successors(&mut self, job: u32, mark: u8) {
        self.open -= 1;
        if self.cells[job as usize].flags.intersects(JobFlags::MEMBER) {
            return self.notify_with_groups(job, mark);
        }
        let (start, end) = self.graph.successors.range(job);
        for at in start..end {
            let successor = self.graph.successors.item(at);
            self.dependency_ended(successor, job, mark, 1);
        }
    }

    /// Also notifies jobs that wait for a group of which the job is a member, in the order in which
    /// they would be notified with direct edges.
    ///
    /// A group notifies on each new kind of end, and when its last member has ended. Other ends
    /// would change nothing for the jobs that wait.
    #[cold]
    fn notify_with_groups(&mut self, job: u32, mark: u8) {
        let graph = &self.graph;
        let direct = graph.successors.get(job).iter();
        let mut told: Vec<(u32, u32)> = direct.map(|successor| (*successor, 1)).collect();
        for group in graph.groups.of_job.get(job) {
            let fresh = graph.groups.cells[*group as usize];
            let cell = self.groups.entry(*group).or_insert(fresh);
            cell.pending -= 1;
            let (ended, new) = (cell.pending == 0, cell.seen & mark == 0);
            cell.seen |= mark;
            if ended || new {
                let waiting = graph.groups.waiting.get(*group).iter();
                told.extend(waiting.map(|successor| (*successor, u32::from(ended))));
            }
        }
        told.sort_unstable_by_key(|(successor, _)| graph.groups.added[*successor as usize]);
        for (successor, ended) in told {
            self.dependency_ended(successor, job, mark, ended);
        }
    }

    /// Notifies the successors of skipped jobs, and so on. A loop, so that depth costs no stack.
    pub(super) fn propagate_skipped(&mut self) {
        while let Some(job) = self.skipped.pop() {
            // A skip for a failure counts as a failure, a skip for a condition as a skip.
            let failure = self.cells[job as usize].seen & FAILURE != 0;
            self.notify_successors(job, if failure { FAILURE } else { SKIP });
        }
    }

    /// Updates `job` after the end of `from`, with which `ended` of its dependencies and groups
    /// have ended.
    #[inline]
    fn dependency_ended(&mut self, job: u32, from: u32, mark: u8, ended: u32) {
        let cell = &mut self.cells[job as usize];
        cell.pending -= ended;
        cell.seen |= mark;
        if cell.seen != SUCCESS || cell.flags.rule() != TriggerRule::AllSuccess {
            if mark != SUCCESS {
                self.note_blocker(job, from, mark);
            }
            self.apply_rule(job);
        } else if cell.pending == 0 && cell.phase() == Phase::Waiting {
            match self.mode {
                Mode::Working => self.make_ready(job),
                _ => self.apply_rule(job),
            }
        }
    }

    #[cold]
    fn apply_rule(&mut self, job: u32) {
        let cell = self.cells[job as usize];
        if cell.phase() != Phase::Waiting {
            return;
        }
        // A job is skipped only when all of its dependencies have ended, so that a clean-up job
        // after it also runs after them.
        let all = cell.pending == 0;
        let (good, bad) = (cell.seen & SUCCESS != 0, cell.seen & FAILURE != 0);
        let start = match cell.flags.rule() {
            TriggerRule::AllSuccess => all && cell.seen & (FAILURE | SKIP) == 0,
            TriggerRule::AllDone | TriggerRule::Always => all,
            TriggerRule::OneSuccess => good,
            TriggerRule::OneFailed => bad,
            TriggerRule::NoneFailed => all && !bad,
        };
        match self.refusal(cell.flags) {
            Some(reason) if all => self.skip(job, reason),
            None if start => self.make_ready(job),
            None if all => self.skip(job, SkipReason::Upstream(self.blocker(job))),
            Some(_) | None => {}
        }
    }

    /// Notes that `from` did not complete. The first such job counts, but a failure outweighs a
    /// condition. A skipped job stands for the job that caused its skip.
    fn note_blocker(&mut self, job: u32, from: u32, mark: u8) {
        let root = self.deciders.get(&from).copied().unwrap_or(from);
        let noted = self.blockers.entry(job).or_insert((root, mark));
        if noted.1 == SKIP && mark == FAILURE {
            *noted = (root, mark);
        }
    }

    /// Returns the job that causes the skip of `job`, or `None` if its rule requires a failure.
    fn blocker(&self, job: u32) -> Option<u32> {
        match self.cells[job as usize].flags.rule() {
            TriggerRule::OneFailed => None,
            _ => self.blockers.get(&job).map(|(root, _)| *root),
        }
    }

    /// Returns why a job with these flags must not start, if so.
    pub(super) fn refusal(&self, flags: JobFlags) -> Option<SkipReason> {
        if flags.rule() == TriggerRule::Always {
            return None;
        }
        match self.mode {
            Mode::Stopping => Some(SkipReason::Stopping),
            Mode::Cancelling(_) => Some(SkipReason::Cancelled),
            Mode::Working | Mode::Compensating | Mode::Finished => None,
        }
    }

    /// Marks a job as skipped. [`Self::propagate_skipped`] notifies the others.
    pub(super) fn skip(&mut self, job: u32, reason: SkipReason) {
        self.cells[job as usize].set_phase(Phase::Skipped);
        if let SkipReason::Upstream(Some(root)) = reason {
            self.deciders.entry(job).or_insert(root);
        }
        self.effects.push_back(Effect::Skip { job, reason });
        self.skipped.push(job);
    }
}
