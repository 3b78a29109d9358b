//! What changes while a run is under way. Everything here happens under the run's lock, and
//! nothing here calls code of users: what must is collected in [`Errands`] for after the lock.

mod alarms;
mod apply;
mod collapse;
mod condition;
mod deferred;
mod places;
mod record;
mod replay;
mod signals;
mod stop;
mod threads;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use serde_json::Value as Json;

use futures::channel::oneshot;

use super::active::ActiveRun;
use super::backlog::Backlog;
use super::lease_renewer::LeaseRenewer;
use super::monitor;
use super::permits::LimitId;
use super::shutdown::ShutdownPhase;
use super::task::{Task, Work};
use crate::event::{Entry, EntryDetail, EntryKind, Failure, Log};
use crate::job::{
    AttemptIo, ChildFrame, Delivery, Grace, JobError, JobErrorKind, JobFlags, RawCall, TimeoutKind,
    Token,
};
use crate::run::{Annotations, ChildName, JobNames};
use crate::scheduler::{Cause, Effect, End, Outcome, Scheduler};
use crate::sparse_map::{SparseList, SparseMap};

use alarms::{Alarms, Alert};
use deferred::HostOwned;
pub(super) use deferred::{Deferred, wake_all};
use places::Place;
use record::Held;
pub(super) use record::Recorder;
pub(super) use replay::{Claim, Replay};
pub(super) use signals::Signals;
pub(super) use threads::Threads;

pub(super) struct RunState {
    pub(super) scheduler: Scheduler,
    pub(super) log: Log,
    pub(super) names: JobNames,
    /// Attempts that wait, by job.
    pub(super) tasks: SparseMap<u32, Arc<Task>>,
    /// Tasks that want to be polled.
    pub(super) woken: VecDeque<Arc<Task>>,
    /// Attempts that wait for a thread.
    pub(super) blocking: VecDeque<(u32, u32)>,
    pub(super) children: SparseMap<u32, Child>,
    /// What the latest attempt of a job failed with, until the scheduler has decided what follows.
    errors: SparseMap<u32, JobError>,
    /// What jobs noted for the report, of their latest attempts.
    pub(super) facts: Annotations,
    /// Requests to stop, of jobs that look at them.
    pub(super) tokens: SparseMap<u32, Arc<Token>>,
    /// How long attempts need to stop, where that is longer than what their jobs ask for.
    pub(super) graces: SparseMap<u32, Duration>,
    /// What jobs hold of limits, or wait for: from when they ask for it until they end, or their
    /// attempt does.
    places: SparseMap<u32, Place>,
    /// Places were given back for which others wait. They are given away once the jobs that have
    /// become ready stand in line.
    freed: SparseList<LimitId>,
    /// Of jobs that have begun, while someone traces; kept to the end of the run.
    pub(super) spans: SparseMap<u32, tracing::Span>,
    /// Present once a deadline was set.
    alarms: Option<Box<Alarms>>,
    /// Present once there is something in it.
    pub(super) signals: Option<Box<Signals>>,
    /// Present when the engine has a store.
    pub(super) recorder: Option<Box<Recorder>>,
    /// Present when the run was taken up again.
    pub(super) replay: Option<Box<Replay>>,
    /// Who drives the run, while there is nothing to do.
    pub(super) driver: Option<Waker>,
    /// What jobs printed, from the first piece on.
    pub(super) backlog: Option<Box<Backlog>>,
    /// Who waits for events, and how many they have been told of.
    pub(super) listeners: Vec<Waker>,
    heard: usize,
    /// Who waits for the end.
    pub(super) waiters: Vec<Waker>,
    pub(super) threads: Threads,
    /// How many attempts ended, for the monitor.
    pub(super) steps: u64,
    pub(super) seen_steps: u64,
    pub(super) watched: bool,
    pub(super) shutdown: ShutdownPhase,
    /// Who waits for the run to be drained.
    pub(super) drain_waiters: SparseList<Waker>,
    /// The engine knows of the run: it has waited for something.
    pub(super) entered: bool,
    /// The engine was shut down, and the store has the run back.
    pub(super) given_back: bool,
    /// The report is there.
    pub(super) published: bool,
    /// Woken and ready take turns.
    turn: bool,
    /// How often in turn the driver has found nothing to do, on a clock that waits for that.
    pub(super) turns_at_rest: u8,
    /// The latest reading of the clock, in nanoseconds since the run began.
    pub(super) read_at: i64,
}

/// A job that was started by another.
pub(super) struct Child {
    pub(super) call: Arc<RawCall>,
    pub(super) frame: Arc<ChildFrame>,
    /// Whom to tell how it ended; nobody waits for a compensation.
    pub(super) end: Option<oneshot::Sender<Result<(), JobError>>>,
}

/// What a worker does next.
pub(super) enum Step {
    Launch {
        job: u32,
        attempt: u32,
        flags: JobFlags,
    },
    Poll(Arc<Task>),
    /// Nothing, until something happens.
    Wait,
    Over,
}

/// Who asks for a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Must not block.
    Driver,
    /// May block, and does everything.
    Thread,
    /// May block, and leaves futures to the runtime's only thread.
    BlockingThread,
}

/// How an attempt ended.
pub(super) struct Ended {
    pub(super) job: u32,
    pub(super) attempt: u32,
    pub(super) result: Result<(), JobError>,
    /// What a completed job left, in a run that is kept.
    pub(super) output: Option<Arc<Json>>,
}

impl RunState {
    pub(super) fn new(scheduler: Scheduler, log: Log, recorder: Option<Box<Recorder>>) -> Self {
        Self {
            scheduler,
            log,
            names: JobNames::default(),
            tasks: SparseMap::new(),
            woken: VecDeque::new(),
            blocking: VecDeque::new(),
            children: SparseMap::new(),
            errors: SparseMap::new(),
            facts: Annotations::new(),
            tokens: SparseMap::new(),
            graces: SparseMap::new(),
            places: SparseMap::new(),
            freed: SparseList::new(),
            spans: SparseMap::new(),
            alarms: None,
            signals: None,
            recorder,
            replay: None,
            driver: None,
            backlog: None,
            listeners: Vec::new(),
            heard: 0,
            waiters: Vec::new(),
            threads: Threads::default(),
            turn: false,
            turns_at_rest: 0,
            steps: 0,
            seen_steps: 0,
            watched: false,
            shutdown: ShutdownPhase::default(),
            drain_waiters: SparseList::new(),
            entered: false,
            given_back: false,
            published: false,
            read_at: 0,
        }
    }

    #[inline]
    pub(super) fn note(&mut self, what: EntryKind, job: u32, attempt: u32) {
        self.log.push(Entry::new(what, job, attempt, self.read_at));
    }

    pub(super) fn note_with(
        &mut self,
        what: EntryKind,
        job: u32,
        attempt: u32,
        detail: EntryDetail,
    ) {
        self.log.push_with(Entry::new(what, job, attempt, self.read_at), detail);
    }

    /// What to do next.
    #[inline]
    pub(super) fn next_step(
        &mut self,
        run: &Arc<ActiveRun>,
        role: Role,
        deferred: &mut Deferred,
    ) -> Step {
        if run.engine.stopping.has_begun() && self.shutdown == ShutdownPhase::None {
            self.note_shutdown(run);
        }
        if !self.freed.is_empty()
            && let Some(step) = self.line_up(run, role, deferred)
        {
            return step;
        }
        if role != Role::Driver
            && !self.blocking.is_empty()
            && let Some((job, attempt)) = self.next_blocking(run, deferred)
        {
            let flags = self.scheduler.flags(job);
            return Step::Launch { job, attempt, flags };
        }
        if role == Role::BlockingThread {
            deferred.wake.extend(self.driver.take());
            return if self.published { Step::Over } else { Step::Wait };
        }
        // Woken and ready take turns, so that neither starves.
        self.turn = !self.turn;
        if self.turn
            && let Some(task) = self.woken.pop_front()
        {
            return Step::Poll(task);
        }
        if self.recorder.is_some()
            && let Some(step) = self.next_released(run, role, deferred)
        {
            return step;
        }
        while let Some(effect) = self.scheduler.next() {
            match effect {
                Effect::Launch { job, attempt } => {
                    if let Some(step) = self.launch(run, role, job, attempt, deferred) {
                        if !self.freed.is_empty() {
                            self.give_places(deferred);
                        }
                        return step;
                    }
                }
                other => self.apply(run, other, deferred),
            }
        }
        if !self.freed.is_empty() {
            self.give_places(deferred);
        }
        if self.recorder.is_some() {
            self.record(run);
        }
        match self.woken.pop_front() {
            _ if self.published => Step::Over,
            Some(task) => Step::Poll(task),
            None => Step::Wait,
        }
    }

    /// The launch of an attempt, if the worker that asks may launch it now.
    #[inline]
    fn launch(
        &mut self,
        run: &Arc<ActiveRun>,
        role: Role,
        job: u32,
        attempt: u32,
        deferred: &mut Deferred,
    ) -> Option<Step> {
        let flags = self.scheduler.flags(job);
        if !self.admit(run, role, job, attempt, flags, deferred) {
            return None;
        }
        if flags.intersects(JobFlags::TIMED) {
            self.start_clocks(run, job, deferred);
        }
        Some(Step::Launch { job, attempt, flags })
    }

    /// Starts the clocks of an attempt before its body is called, which may take its time.
    #[cold]
    fn start_clocks(&mut self, run: &Arc<ActiveRun>, job: u32, deferred: &mut Deferred) {
        while let Some(effect) = self.scheduler.next_clock(job) {
            self.apply(run, effect, deferred);
        }
    }

    /// Whether the worker that asks may launch the job now.
    #[inline]
    fn admit(
        &mut self,
        run: &Arc<ActiveRun>,
        role: Role,
        job: u32,
        attempt: u32,
        flags: JobFlags,
        deferred: &mut Deferred,
    ) -> bool {
        if run.engine.limits.concern(flags) && !self.has_places(run, job, attempt, flags, deferred)
        {
            return false;
        }
        if self.recorder.is_some() && !self.may_begin(run, job, attempt, flags, deferred) {
            return false;
        }
        if role == Role::Driver && flags.intersects(JobFlags::BLOCKING) {
            self.blocking.push_back((job, attempt));
            self.threads.call_for_one(deferred);
            return false;
        }
        if self.recorder.is_none() && !flags.intersects(JobFlags::CONDITIONAL) {
            self.note(EntryKind::JobStarted, job, attempt);
        }
        true
    }

    /// Notes the beginning of an attempt in a run that is kept, and holds the attempt back until
    /// the store has what led to it. Where another engine may have taken the run over, until the
    /// store has the beginning itself: it refuses it then.
    fn may_begin(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        flags: JobFlags,
        deferred: &mut Deferred,
    ) -> bool {
        if self.is_lost() {
            self.refuse(run, job, attempt, deferred);
            return false;
        }
        let noted = !flags.intersects(JobFlags::CONDITIONAL);
        let certain = self.may_begin_unrecorded(run);
        if noted && !certain {
            self.note(EntryKind::JobStarted, job, attempt);
        }
        let held = self.hold(Held::Launch { job, attempt });
        if noted && certain {
            self.note(EntryKind::JobStarted, job, attempt);
        }
        held.is_some()
    }

    /// The next attempt that was held back and may begin.
    fn next_released(
        &mut self,
        run: &Arc<ActiveRun>,
        role: Role,
        deferred: &mut Deferred,
    ) -> Option<Step> {
        loop {
            if self.holds_back_attempts() {
                return None;
            }
            let (job, attempt) = self.recorder.as_mut()?.released.pop_front()?;
            // It may have been given up while it was held.
            if !self.scheduler.is_running(job, attempt) {
                continue;
            }
            if self.is_lost() {
                self.refuse(run, job, attempt, deferred);
                continue;
            }
            let flags = self.scheduler.flags(job);
            if role == Role::Driver && flags.intersects(JobFlags::BLOCKING) {
                self.blocking.push_back((job, attempt));
                self.threads.call_for_one(deferred);
                continue;
            }
            return Some(Step::Launch { job, attempt, flags });
        }
    }

    fn next_blocking(
        &mut self,
        run: &Arc<ActiveRun>,
        deferred: &mut Deferred,
    ) -> Option<(u32, u32)> {
        while !self.holds_back_attempts()
            && let Some((job, attempt)) = self.blocking.pop_front()
        {
            // It may have been given up while it waited for a thread.
            if self.scheduler.is_running(job, attempt) {
                if self.is_lost() {
                    self.refuse(run, job, attempt, deferred);
                    continue;
                }
                let noted = self.recorder.is_some();
                if !noted && !self.scheduler.flags(job).intersects(JobFlags::CONDITIONAL) {
                    self.note(EntryKind::JobStarted, job, attempt);
                }
                return Some((job, attempt));
            }
        }
        None
    }

    /// How much waits for a worker.
    #[inline]
    pub(super) fn waiting(&self) -> usize {
        if self.holds_back_attempts() {
            return self.woken.len();
        }
        let released = self.recorder.as_ref().map_or(0, |recorder| recorder.released.len());
        self.scheduler.backlog() + self.woken.len() + self.blocking.len() + released
    }

    /// Whether attempts that the scheduler has launched are not to begin.
    #[inline]
    fn holds_back_attempts(&self) -> bool {
        self.shutdown == ShutdownPhase::Draining && !self.is_lost()
    }

    /// Attempts that count as running and have not begun.
    pub(super) fn unbegun(&self) -> impl Iterator<Item = u32> {
        let recorded = self.recorder.iter().flat_map(|recorder| recorder.unbegun());
        self.blocking.iter().map(|(job, _)| *job).chain(recorded)
    }

    /// Whether a thread of this role would find something to do, or to end for.
    pub(super) fn has_work_for(&self, role: Role) -> bool {
        let work = match role {
            Role::BlockingThread if self.holds_back_attempts() => 0,
            Role::BlockingThread => self.blocking.len(),
            _ => self.waiting(),
        };
        work > 0 || self.published
    }

    /// After a step: wakes who listens and who may help. True when work waits.
    #[inline]
    pub(super) fn notify(&mut self, run: &Arc<ActiveRun>, deferred: &mut Deferred) -> bool {
        if !self.listeners.is_empty() && self.visible() > self.heard {
            self.heard = self.visible();
            deferred.wake.append(&mut self.listeners);
        }
        if self.waiting() == 0 {
            return false;
        }
        if !self.watched && !self.blocking.is_empty() {
            self.watched = true;
            monitor::watch_blocking(run);
        }
        if self.threads.idle > 0 && self.threads.worthwhile {
            deferred.ring = true;
        }
        true
    }

    /// Keeps work that waits; returns what is unwanted because it was given up meanwhile.
    pub(super) fn park(
        &mut self,
        run: &Arc<ActiveRun>,
        task: Arc<Task>,
        work: Work,
        deferred: &mut Deferred,
    ) -> Option<Work> {
        let mut replaying = None;
        match &work {
            Work::Attempt(attempt) => {
                if !self.scheduler.is_running(attempt.job, attempt.attempt) {
                    return Some(work);
                }
                self.tasks.insert(attempt.job, Arc::clone(&task));
                replaying = self.replay.is_some().then_some((attempt.job, attempt.attempt));
            }
            Work::Alarm(_) if !self.is_next_alarm(&task) => return Some(work),
            Work::Alarm(_) | Work::Record { .. } => {}
        }
        let rests = self.put_aside(task, work);
        if let Some((job, attempt)) = replaying.filter(|_| rests) {
            self.fail_departed(run, job, attempt, deferred);
        }
        None
    }

    /// An attempt ended. Ignored when it was given up before.
    #[inline]
    pub(super) fn ended(&mut self, run: &Arc<ActiveRun>, ended: Ended, deferred: &mut Deferred) {
        let Ended { job, attempt, result, output } = ended;
        if !self.scheduler.is_running(job, attempt) {
            return deferred.hosts.extend(result.err().map(HostOwned::Error));
        }
        self.close(job, deferred);
        let departure = match result {
            Ok(()) if self.replay.is_some() => self.departure(job, attempt),
            _ => None,
        };
        match departure.map_or(result, Err) {
            Ok(()) => {
                match output {
                    None => self.note(EntryKind::JobCompleted, job, attempt),
                    Some(output) => {
                        let output = EntryDetail::Output(output);
                        self.note_with(EntryKind::JobCompleted, job, attempt, output);
                    }
                }
                self.scheduler.ended(job, attempt, End::Completed);
                if self
                    .scheduler
                    .flags(job)
                    .intersects(JobFlags::CHILD.union(JobFlags::COMPENSATION))
                {
                    self.tell(job, Ok(()), deferred);
                }
            }
            Err(error) => self.ended_badly(run, job, attempt, error, deferred),
        }
    }

    /// Clears away what belongs to the attempt that has ended.
    #[inline]
    fn close(&mut self, job: u32, deferred: &mut Deferred) {
        self.steps += 1;
        if !self.tasks.is_empty()
            && let Some(task) = self.tasks.remove(&job)
        {
            deferred.drop.push(task);
        }
        if self.scheduler.flags(job).intersects(JobFlags::WATCHES) {
            // Whoever still looks at it was left behind by the attempt.
            let token = self.tokens.remove(&job);
            deferred.stop.extend(token.filter(|token| Arc::strong_count(token) > 1));
            self.graces.remove(&job);
        }
        self.give_back(job);
    }

    #[cold]
    fn ended_badly(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        error: JobError,
        deferred: &mut Deferred,
    ) {
        let (end, error) = match (self.scheduler.asked(job), error.kind()) {
            (Some(cause), _) => {
                let said = error.chain();
                deferred.hosts.push(HostOwned::Error(error));
                (End::Cancelled, self.stopped(run, job, cause, Some(said)))
            }
            (None, JobErrorKind::Cancelled) => (End::Cancelled, error),
            (None, _) if error.is_retryable() && !self.forbids_retry(job, &error) => {
                (End::FailedRetryable, error)
            }
            (None, _) => (End::FailedTerminally, error),
        };
        self.failed_with(job, error, deferred);
        self.scheduler.ended(job, attempt, end);
    }

    fn forbids_retry(&self, job: u32, error: &JobError) -> bool {
        let policy = self.scheduler.policy(job);
        policy.is_some_and(|policy| policy.retry.forbids(error.error_type()))
    }
}
