//! Evicted runs: how they wait, and what puts them back into their task queues.

use std::time::Duration;

use super::admission::{duration, length};
use super::{Row, Runs};
use crate::id::RunId;
use crate::store::{Asleep, EvictedRun, Eviction};

/// How an evicted run waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sleep {
    /// The run with which it is resumed: itself, or for a child run the outermost run.
    with: RunId,
    /// The time of the first timer, in nanoseconds since 1970.
    due: Option<i64>,
}

impl Row {
    /// Whether the run waits in its task queue while it is abandoned.
    pub(super) fn is_queued(&self) -> bool {
        self.run.is_queued() && self.sleep.is_none()
    }
}

impl Runs {
    /// Evicts runs, all or none.
    pub(super) fn evict(&mut self, eviction: &Eviction) -> bool {
        if !eviction.runs().all(|run| self.may_evict(run)) {
            return false;
        }
        let with = eviction.run.lease.run;
        let due = eviction.wakes_in.map(|left| self.admission.now().saturating_add(length(left)));
        for EvictedRun { lease, .. } in eviction.runs() {
            if let Some(row) = self.runs.get_mut(&lease.run) {
                row.run.owner = None;
                row.sleep = Some(Sleep { with, due: due.filter(|_| lease.run == with) });
            }
        }
        true
    }

    fn may_evict(&self, evicted: &EvictedRun) -> bool {
        let run = evicted.lease.run;
        let is_its_owner = self.runs.get(&run).is_some_and(|row| row.holds(&evicted.lease));
        let messages = self.messages.iter().filter(|message| message.run == run).count();
        is_its_owner && messages as u64 == evicted.messages
    }

    /// Puts the run with which this one is resumed into its task queue, if it is evicted. Returns
    /// whether it was.
    pub(super) fn wake(&mut self, run: RunId) -> bool {
        let sleep = self.runs.get(&run).and_then(|row| row.sleep);
        let Some(with) = sleep.map(|sleep| sleep.with) else { return false };
        let Some(row) = self.runs.get(&with).filter(|row| row.sleep.is_some()) else {
            return false;
        };
        let first = self.first_rank(&row.run.task_queue, row.run.priority);
        let Some(row) = self.runs.get_mut(&with) else { return false };
        row.sleep = None;
        row.place.go_first(first);
        true
    }

    /// The rank of the first run that waits in a task queue with a priority.
    fn first_rank(&self, queue: &str, priority: i32) -> Option<i64> {
        let waiting = self.runs.values().filter(|row| {
            row.run.task_queue == queue
                && row.run.priority == priority
                && row.is_queued()
                && self.is_abandoned(row)
        });
        waiting.map(|row| row.place.rank).min()
    }

    /// Puts the runs into their task queues whose time has come.
    pub(super) fn wake_due(&mut self) {
        let now = self.admission.now();
        let is_due =
            |row: &&Row| row.sleep.and_then(|sleep| sleep.due).is_some_and(|due| due <= now);
        let due: Vec<RunId> = self.runs.values().filter(is_due).map(|row| row.run.id).collect();
        for run in due {
            self.wake(run);
        }
    }

    /// The time until the next evicted run continues.
    pub(super) fn next_wake(&self) -> Option<Duration> {
        let due = self.runs.values().filter_map(|row| row.sleep?.due).min()?;
        Some(duration(due - self.admission.now()))
    }

    /// How an evicted run waits.
    pub(super) fn asleep(&self, run: RunId) -> Option<Asleep> {
        let Sleep { with, .. } = self.runs.get(&run)?.sleep?;
        let Sleep { due, .. } = self.runs.get(&with)?.sleep?;
        let wakes_in = due.map(|due| duration(due - self.admission.now()));
        Some(Asleep { resumes_with: with, wakes_in })
    }

    /// Whether the run is abandoned and waits neither in its task queue nor for the run with which
    /// it is resumed.
    pub(super) fn is_stranded(&self, row: &Row) -> bool {
        let is_left = |sleep: Sleep| {
            let with = self.runs.get(&sleep.with);
            with.is_none_or(|with| !self.is_abandoned(with))
        };
        self.is_abandoned(row) && !row.run.is_queued() && row.sleep.is_none_or(is_left)
    }
}
