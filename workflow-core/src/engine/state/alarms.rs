//! The deadlines of a run: any number of them in a heap, and one timer for the next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use super::{ActiveRun, Deferred, RunState};
use crate::engine::runtime::Runtime;
use crate::engine::worker::task::{Task, Work};
use crate::scheduler::Timer;

#[derive(Default)]
pub(super) struct Alarms {
    deadlines: BinaryHeap<Reverse<(Duration, u64, Alert)>>,
    count: u64,
    next: Option<(Duration, Arc<Task>)>,
    /// The clock's `sleep` has panicked, so the library's timer is used instead.
    broken: bool,
}

/// The purpose of a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alert {
    Scheduler(Timer),
    /// The grace period of a job is over.
    Grace {
        job: u32,
        attempt: u32,
    },
}

impl RunState {
    /// Sets a deadline.
    pub(super) fn set_deadline(
        &mut self,
        run: &Arc<ActiveRun>,
        alert: Alert,
        after: Duration,
        deferred: &mut Deferred,
    ) {
        let at = run.now().saturating_add(after);
        let alarms = self.alarms.get_or_insert_default();
        alarms.count += 1;
        alarms.deadlines.push(Reverse((at, alarms.count, alert)));
        self.set_alarm(run, deferred);
    }

    /// Removes all deadlines, and returns the timer for the next.
    pub(super) fn clear_alarms(&mut self) -> Option<Arc<Task>> {
        self.alarms.take()?.next.map(|(_, task)| task)
    }

    pub(super) fn is_next_alarm(&self, task: &Arc<Task>) -> bool {
        let next = self.alarms.as_ref().and_then(|alarms| alarms.next.as_ref());
        next.is_some_and(|(_, next)| Arc::ptr_eq(next, task))
    }

    /// Sets the timer to the earliest deadline.
    fn set_alarm(&mut self, run: &Arc<ActiveRun>, deferred: &mut Deferred) {
        let Some(alarms) = &mut self.alarms else { return };
        let Some(Reverse((at, ..))) = alarms.deadlines.peek() else { return };
        if alarms.next.as_ref().is_some_and(|(set, _)| set <= at) {
            return;
        }
        let wait = at.saturating_sub(run.now());
        let sleep = if alarms.broken { Runtime::Own.sleep(wait) } else { run.sleep(wait) };
        let task = Task::queued(Arc::downgrade(run), Work::Alarm(sleep));
        self.woken.push_back(Arc::clone(&task));
        if let Some((_, earlier)) = alarms.next.replace((*at, task)) {
            deferred.drop.push(earlier);
        }
    }

    /// Handles a timer that went off or panicked, and fires the deadlines that are due.
    pub(in crate::engine) fn alarm(
        &mut self,
        run: &Arc<ActiveRun>,
        works: bool,
        deferred: &mut Deferred,
    ) {
        if let Some(alarms) = &mut self.alarms {
            alarms.next = None;
            alarms.broken |= !works;
        }
        self.fire_due(run, deferred);
        self.set_alarm(run, deferred);
    }

    /// Whether a deadline has passed that did not fire yet.
    pub(in crate::engine) fn is_due(&self, now: Duration) -> bool {
        self.next_deadline().is_some_and(|at| at <= now)
    }

    /// Fires the deadlines that are due.
    pub(in crate::engine) fn fire_due(&mut self, run: &Arc<ActiveRun>, deferred: &mut Deferred) {
        let now = run.now();
        while self.is_due(now)
            && let Some(alarms) = &mut self.alarms
            && let Some(Reverse((_, _, alert))) = alarms.deadlines.pop()
        {
            self.fire(run, alert, deferred);
        }
    }

    /// Whether an attempt has a deadline that counts from a moment which a resumed run does not
    /// know.
    pub(super) fn has_fleeting_timer(&self) -> bool {
        let is_firing = |alarms: &Alarms| alarms.next.iter().any(|(_, task)| !task.is_idle());
        self.alarms.as_deref().is_some_and(is_firing)
            || self.live_deadlines().any(|(_, alert)| match alert {
                Alert::Scheduler(timer) => !self.scheduler.is_restored(timer),
                Alert::Grace { .. } => true,
            })
    }

    /// The first deadline that still matters.
    pub(super) fn next_live_deadline(&self) -> Option<Duration> {
        self.live_deadlines().map(|(at, _)| at).min()
    }

    fn live_deadlines(&self) -> impl Iterator<Item = (Duration, Alert)> {
        let deadlines = self.alarms.iter().flat_map(|alarms| alarms.deadlines.iter());
        let deadlines = deadlines.map(|Reverse((at, _, alert))| (*at, *alert));
        deadlines.filter(|(_, alert)| match alert {
            Alert::Scheduler(timer) => self.scheduler.is_live(*timer),
            Alert::Grace { job, attempt } => self.scheduler.is_running(*job, *attempt),
        })
    }

    fn next_deadline(&self) -> Option<Duration> {
        let Reverse((at, ..)) = self.alarms.as_ref()?.deadlines.peek()?;
        Some(*at)
    }

    /// Sets the timer again, on the runtime that the run uses now.
    pub(in crate::engine) fn reset_alarm(&mut self, run: &Arc<ActiveRun>, deferred: &mut Deferred) {
        let next = self.alarms.as_mut().and_then(|alarms| alarms.next.take());
        deferred.drop.extend(next.map(|(_, task)| task));
        self.set_alarm(run, deferred);
    }

    fn fire(&mut self, run: &Arc<ActiveRun>, alert: Alert, deferred: &mut Deferred) {
        match alert {
            Alert::Scheduler(timer) => self.scheduler.timer(timer),
            Alert::Grace { job, attempt } => self.grace_period_over(run, job, attempt, deferred),
        }
    }
}
