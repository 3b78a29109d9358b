//! How the end of one job decides about those that wait for it.

use super::{Effect, FAILURE, Mode, Phase, SKIP, SUCCESS, Scheduler, SkipReason};
use crate::job::{JobFlags, TriggerRule};

impl Scheduler {
    /// Tells the jobs that wait for `job` what became of it.
    #[inline]
    pub(super) fn pass_on(&mut self, job: u32, mark: u8) {
        self.tell(job, mark);
        if !self.skipped.is_empty() {
            self.tell_skipped();
        }
    }

    #[inline]
    fn tell(&mut self, job: u32, mark: u8) {
        self.open -= 1;
        if self.cells[job as usize].flags.intersects(JobFlags::MEMBER) {
            return self.tell_with_groups(job, mark);
        }
        let (start, end) = self.graph.successors.range(job);
        for at in start..end {
            let successor = self.graph.successors.item(at);
            self.hear(successor, job, mark, 1);
        }
    }

    /// Tells also those who wait for a group that the job is a member of, in the order in which
    /// they would be told if each had an edge from the job.
    ///
    /// A group is heard of when it has seen something new, and when its last member has ended:
    /// what is passed over in between would change nothing for those who wait.
    #[cold]
    fn tell_with_groups(&mut self, job: u32, mark: u8) {
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
            self.hear(successor, job, mark, ended);
        }
    }

    /// Jobs that are skipped tell theirs, and so on: a loop, so that depth costs no stack.
    pub(super) fn tell_skipped(&mut self) {
        while let Some(job) = self.skipped.pop() {
            // Skipped for a failure counts as failed, skipped for a condition as skipped.
            let failure = self.cells[job as usize].seen & FAILURE != 0;
            self.tell(job, if failure { FAILURE } else { SKIP });
        }
    }

    /// `from` has ended, and with it `ended` of the jobs and groups that `job` waits for.
    #[inline]
    fn hear(&mut self, job: u32, from: u32, mark: u8, ended: u32) {
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
        // A job is skipped only when all that it waits for has ended, so that what comes after
        // it, and cleans up, comes after that as well.
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

    /// Notes that `from` did not complete. The first such job counts, and a failure more than a
    /// condition that did not hold. A job that was skipped stands for the one that decided that.
    fn note_blocker(&mut self, job: u32, from: u32, mark: u8) {
        let root = self.deciders.get(&from).copied().unwrap_or(from);
        let noted = self.blockers.entry(job).or_insert((root, mark));
        if noted.1 == SKIP && mark == FAILURE {
            *noted = (root, mark);
        }
    }

    /// The job for which `job` is skipped; none when its rule asks for a failure.
    fn blocker(&self, job: u32) -> Option<u32> {
        match self.cells[job as usize].flags.rule() {
            TriggerRule::OneFailed => None,
            _ => self.blockers.get(&job).map(|(root, _)| *root),
        }
    }

    /// Why nothing new may start, if so.
    pub(super) fn refusal(&self, flags: JobFlags) -> Option<SkipReason> {
        if flags.rule() == TriggerRule::Always {
            return None;
        }
        match self.mode {
            Mode::Stopping => Some(SkipReason::Stopping),
            Mode::Cancelling(_) => Some(SkipReason::Cancelled),
            Mode::Working | Mode::Undoing | Mode::Finished => None,
        }
    }

    /// Marks a job as skipped; [`Self::tell_skipped`] tells the others.
    pub(super) fn skip(&mut self, job: u32, reason: SkipReason) {
        self.cells[job as usize].set_phase(Phase::Skipped);
        if let SkipReason::Upstream(Some(root)) = reason {
            self.deciders.entry(job).or_insert(root);
        }
        self.effects.push_back(Effect::Skip { job, reason });
        self.skipped.push(job);
    }
}
