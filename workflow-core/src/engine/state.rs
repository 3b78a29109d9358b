//! What changes while a run is under way. Everything here happens under the run's lock, and
//! nothing here calls code of users: what must is collected in [`Errands`] for after the lock.

mod alarms;
mod collapse;
mod condition;
mod errands;
mod mail;
mod perform;
mod places;
mod recall;
mod record;
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
use super::keeper::Keeper;
use super::monitor;
use super::permits::LimitId;
use super::shutdown::ShutdownPhase;
use super::task::{Task, Work};
use crate::event::{Detail, Entry, Failure, Log, What};
use crate::job::{
    ChildFrame, Delivery, Grace, JobError, JobErrorKind, RawCall, Scope, TimeoutKind, Token, Traits,
};
use crate::rare::{Rare, RareList};
use crate::run::{ChildName, Facts, JobNames};
use crate::scheduler::{Cause, Effect, End, Outcome, Scheduler};

use alarms::{Alarms, Alert};
use errands::HostsOwn;
pub(super) use errands::{Errands, wake_all};
pub(super) use mail::Mail;
use places::Place;
pub(super) use recall::{Claim, Recall};
use record::Held;
pub(super) use record::Recorder;
pub(super) use threads::Threads;

pub(super) struct State {
    pub(super) scheduler: Scheduler,
    pub(super) log: Log,
    pub(super) names: JobNames,
    /// Attempts that wait, by job.
    pub(super) tasks: Rare<u32, Arc<Task>>,
    /// Tasks that want to be polled.
    pub(super) woken: VecDeque<Arc<Task>>,
    /// Attempts that wait for a thread.
    pub(super) blocking: VecDeque<(u32, u32)>,
    pub(super) children: Rare<u32, Child>,
    /// What the latest attempt of a job failed with, until the scheduler has decided what follows.
    errors: Rare<u32, JobError>,
    /// What jobs noted for the report, of their latest attempts.
    pub(super) facts: Facts,
    /// Requests to stop, of jobs that look at them.
    pub(super) tokens: Rare<u32, Arc<Token>>,
    /// How long attempts need to stop, where that is longer than what their jobs ask for.
    pub(super) graces: Rare<u32, Duration>,
    /// What jobs hold of limits, or wait for: from when they ask for it until they end, or their
    /// attempt does.
    places: Rare<u32, Place>,
    /// Places were given back for which others wait. They are given away once the jobs that have
    /// become ready stand in line.
    freed: RareList<LimitId>,
    /// Of jobs that have begun, while someone traces; kept to the end of the run.
    pub(super) spans: Rare<u32, tracing::Span>,
    /// Present once a deadline was set.
    alarms: Option<Box<Alarms>>,
    /// Present once there is something in it.
    pub(super) mail: Option<Box<Mail>>,
    /// Present when the engine has a store.
    pub(super) recorder: Option<Box<Recorder>>,
    /// Present when the run was taken up again.
    pub(super) recall: Option<Box<Recall>>,
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
    pub(super) drain_waiters: RareList<Waker>,
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
    /// Whom to tell how it ended; nobody waits for an undo.
    pub(super) end: Option<oneshot::Sender<Result<(), JobError>>>,
}

/// What a worker does next.
pub(super) enum Step {
    Launch {
        job: u32,
        attempt: u32,
        traits: Traits,
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

impl State {
    pub(super) fn new(scheduler: Scheduler, log: Log, recorder: Option<Box<Recorder>>) -> Self {
        Self {
            scheduler,
            log,
            names: JobNames::default(),
            tasks: Rare::new(),
            woken: VecDeque::new(),
            blocking: VecDeque::new(),
            children: Rare::new(),
            errors: Rare::new(),
            facts: Facts::new(),
            tokens: Rare::new(),
            graces: Rare::new(),
            places: Rare::new(),
            freed: RareList::new(),
            spans: Rare::new(),
            alarms: None,
            mail: None,
            recorder,
            recall: None,
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
            drain_waiters: RareList::new(),
            entered: false,
            given_back: false,
            published: false,
            read_at: 0,
        }
    }

    #[inline]
    pub(super) fn note(&mut self, what: What, job: u32, attempt: u32) {
        self.log.push(Entry::new(what, job, attempt, self.read_at));
    }

    pub(super) fn note_with(&mut self, what: What, job: u32, attempt: u32, detail: Detail) {
        self.log.push_with(Entry::new(what, job, attempt, self.read_at), detail);
    }

    /// What to do next.
    #[inline]
    pub(super) fn next_step(
        &mut self,
        run: &Arc<ActiveRun>,
        role: Role,
        errands: &mut Errands,
    ) -> Step {
        if run.engine.stopping.has_begun() && self.shutdown == ShutdownPhase::None {
            self.note_shutdown(run);
        }
        if !self.freed.is_empty()
            && let Some(step) = self.line_up(run, role, errands)
        {
            return step;
        }
        if role != Role::Driver
            && !self.blocking.is_empty()
            && let Some((job, attempt)) = self.next_blocking(run, errands)
        {
            let traits = self.scheduler.traits(job);
            return Step::Launch { job, attempt, traits };
        }
        if role == Role::BlockingThread {
            errands.wake.extend(self.driver.take());
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
            && let Some(step) = self.next_released(run, role, errands)
        {
            return step;
        }
        while let Some(effect) = self.scheduler.next() {
            match effect {
                Effect::Launch { job, attempt } => {
                    if let Some(step) = self.launch(run, role, job, attempt, errands) {
                        if !self.freed.is_empty() {
                            self.give_places(errands);
                        }
                        return step;
                    }
                }
                other => self.perform(run, other, errands),
            }
        }
        if !self.freed.is_empty() {
            self.give_places(errands);
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
        errands: &mut Errands,
    ) -> Option<Step> {
        let traits = self.scheduler.traits(job);
        if !self.admit(run, role, job, attempt, traits, errands) {
            return None;
        }
        if traits.has(Traits::TIMED) {
            self.start_clocks(run, job, errands);
        }
        Some(Step::Launch { job, attempt, traits })
    }

    /// Starts the clocks of an attempt before its body is called, which may take its time.
    #[cold]
    fn start_clocks(&mut self, run: &Arc<ActiveRun>, job: u32, errands: &mut Errands) {
        while let Some(effect) = self.scheduler.next_clock(job) {
            self.perform(run, effect, errands);
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
        traits: Traits,
        errands: &mut Errands,
    ) -> bool {
        if run.engine.limits.concern(traits) && !self.has_places(run, job, attempt, traits, errands)
        {
            return false;
        }
        if self.recorder.is_some() && !self.may_begin(run, job, attempt, traits, errands) {
            return false;
        }
        if role == Role::Driver && traits.has(Traits::BLOCKING) {
            self.blocking.push_back((job, attempt));
            self.threads.call_for_one(errands);
            return false;
        }
        if self.recorder.is_none() && !traits.has(Traits::CONDITIONAL) {
            self.note(What::JobStarted, job, attempt);
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
        traits: Traits,
        errands: &mut Errands,
    ) -> bool {
        if self.is_lost() {
            self.refuse(run, job, attempt, errands);
            return false;
        }
        let noted = !traits.has(Traits::CONDITIONAL);
        let certain = self.may_begin_unrecorded(run);
        if noted && !certain {
            self.note(What::JobStarted, job, attempt);
        }
        let held = self.hold(Held::Launch { job, attempt });
        if noted && certain {
            self.note(What::JobStarted, job, attempt);
        }
        held.is_some()
    }

    /// The next attempt that was held back and may begin.
    fn next_released(
        &mut self,
        run: &Arc<ActiveRun>,
        role: Role,
        errands: &mut Errands,
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
                self.refuse(run, job, attempt, errands);
                continue;
            }
            let traits = self.scheduler.traits(job);
            if role == Role::Driver && traits.has(Traits::BLOCKING) {
                self.blocking.push_back((job, attempt));
                self.threads.call_for_one(errands);
                continue;
            }
            return Some(Step::Launch { job, attempt, traits });
        }
    }

    fn next_blocking(&mut self, run: &Arc<ActiveRun>, errands: &mut Errands) -> Option<(u32, u32)> {
        while !self.holds_back_attempts()
            && let Some((job, attempt)) = self.blocking.pop_front()
        {
            // It may have been given up while it waited for a thread.
            if self.scheduler.is_running(job, attempt) {
                if self.is_lost() {
                    self.refuse(run, job, attempt, errands);
                    continue;
                }
                let noted = self.recorder.is_some();
                if !noted && !self.scheduler.traits(job).has(Traits::CONDITIONAL) {
                    self.note(What::JobStarted, job, attempt);
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
    pub(super) fn hail(&mut self, run: &Arc<ActiveRun>, errands: &mut Errands) -> bool {
        if !self.listeners.is_empty() && self.visible() > self.heard {
            self.heard = self.visible();
            errands.wake.append(&mut self.listeners);
        }
        if self.waiting() == 0 {
            return false;
        }
        if !self.watched && !self.blocking.is_empty() {
            self.watched = true;
            monitor::watch(run);
        }
        if self.threads.idle > 0 && self.threads.worthwhile {
            errands.ring = true;
        }
        true
    }

    /// Keeps work that waits; returns what is unwanted because it was given up meanwhile.
    pub(super) fn keep(
        &mut self,
        run: &Arc<ActiveRun>,
        task: Arc<Task>,
        work: Work,
        errands: &mut Errands,
    ) -> Option<Work> {
        let mut replaying = None;
        match &work {
            Work::Attempt(attempt) => {
                if !self.scheduler.is_running(attempt.job, attempt.attempt) {
                    return Some(work);
                }
                self.tasks.insert(attempt.job, Arc::clone(&task));
                replaying = self.recall.is_some().then_some((attempt.job, attempt.attempt));
            }
            Work::Alarm(_) if !self.is_next_alarm(&task) => return Some(work),
            Work::Alarm(_) | Work::Record { .. } => {}
        }
        let rests = self.put_aside(task, work);
        if let Some((job, attempt)) = replaying.filter(|_| rests) {
            self.fail_departed(run, job, attempt, errands);
        }
        None
    }

    /// An attempt ended. Ignored when it was given up before.
    #[inline]
    pub(super) fn ended(&mut self, run: &Arc<ActiveRun>, ended: Ended, errands: &mut Errands) {
        let Ended { job, attempt, result, output } = ended;
        if !self.scheduler.is_running(job, attempt) {
            return errands.hosts.extend(result.err().map(HostsOwn::Error));
        }
        self.close(job, errands);
        let departure = match result {
            Ok(()) if self.recall.is_some() => self.departure(job, attempt),
            _ => None,
        };
        match departure.map_or(result, Err) {
            Ok(()) => {
                match output {
                    None => self.note(What::JobCompleted, job, attempt),
                    Some(output) => {
                        let output = Detail::Output(output);
                        self.note_with(What::JobCompleted, job, attempt, output);
                    }
                }
                self.scheduler.ended(job, attempt, End::Completed);
                if self.scheduler.traits(job).has(Traits::CHILD.and(Traits::UNDO)) {
                    self.tell(job, Ok(()), errands);
                }
            }
            Err(error) => self.ended_badly(run, job, attempt, error, errands),
        }
    }

    /// Clears away what belongs to the attempt that has ended.
    #[inline]
    fn close(&mut self, job: u32, errands: &mut Errands) {
        self.steps += 1;
        if !self.tasks.is_empty()
            && let Some(task) = self.tasks.remove(&job)
        {
            errands.drop.push(task);
        }
        if self.scheduler.traits(job).has(Traits::WATCHES) {
            // Whoever still looks at it was left behind by the attempt.
            let token = self.tokens.remove(&job);
            errands.stop.extend(token.filter(|token| Arc::strong_count(token) > 1));
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
        errands: &mut Errands,
    ) {
        let (end, error) = match (self.scheduler.asked(job), error.kind()) {
            (Some(cause), _) => {
                let said = error.chain();
                errands.hosts.push(HostsOwn::Error(error));
                (End::Cancelled, self.stopped(run, job, cause, Some(said)))
            }
            (None, JobErrorKind::Cancelled) => (End::Cancelled, error),
            (None, _) if error.is_retryable() && !self.forbids_retry(job, &error) => {
                (End::FailedRetryable, error)
            }
            (None, _) => (End::FailedTerminally, error),
        };
        self.failed_with(job, error, errands);
        self.scheduler.ended(job, attempt, end);
    }

    fn forbids_retry(&self, job: u32, error: &JobError) -> bool {
        let policy = self.scheduler.policy(job);
        policy.is_some_and(|policy| policy.retry.forbids(error.error_type()))
    }
}
