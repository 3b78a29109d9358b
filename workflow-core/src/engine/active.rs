//! An active run: the record that its driver, its handles and its jobs share.

mod end;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError, Weak};
use std::task::Waker;
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use serde_json::Value as Json;

use super::clock::{Activity, IDLE_TURNS, ManualClock, RunTime};
use super::durable::writer::Recorder;
use super::output::RunOutput;
use super::permits::RunLimits;
use super::request::Runnable;
use super::runtime::Runtime;
use super::state::{Deferred, Role, RunState};
use super::worker::abandoned::RuntimeLoss;
use super::worker::driver::{Background, Helper};
use super::worker::task::Task;
use super::{Engine, Shared, Timings};
use crate::event::{EventKind, Frequent, Log};
use crate::graph::Graph;
use crate::guard;
use crate::id::RunId;
use crate::job::{
    Attempt, Entered, JobContext, JobError, RunValues, Services, TaskGuard, enter_task,
};
use crate::run::{Report, RunError};
use crate::scheduler::Scheduler;
use crate::store::{Lease, Message, MessageKind, NewRun, StoreError};
use crate::value::{Type, ValueError};
use crate::workflow::{Plan, Workflow};

pub(super) struct ActiveRun {
    pub(super) me: Weak<ActiveRun>,
    pub(super) id: RunId,
    pub(super) workflow: Arc<dyn Workflow>,
    pub(super) plan: Arc<Plan>,
    pub(super) run_values: Arc<RunValues>,
    pub(super) engine: Arc<Shared>,
    pub(super) runtime: Runtime,
    /// Whether that runtime was shut down.
    pub(super) runtime_loss: RuntimeLoss,
    /// The nesting level: 1, or one more than the run that this one is inside of.
    pub(super) level: u32,
    time: RunTime,
    /// The engine's time when the run started, or was resumed.
    began: Duration,
    /// Nanoseconds between the start of the run and `began`.
    already: i64,
    pub(super) span: tracing::Span,
    /// The outer run's job, if this is a child workflow.
    pub(super) outer: Option<Box<JobContext>>,
    /// The user that requested the run.
    pub(super) user: Option<Arc<str>>,
    /// The time of the schedule for which it runs.
    pub(super) scheduled_for: Option<Box<SystemTime>>,
    /// The limits that its jobs count against.
    pub(super) limits: RunLimits,
    /// Whether it was claimed with a slot of a concurrency limit.
    pub(super) holds_slot: bool,
    /// Whether it is a child run.
    pub(super) is_child: bool,
    /// The log for the output of its jobs.
    pub(super) output: Option<Box<RunOutput>>,
    state: Mutex<RunState>,
    /// Notifies threads that wait for work.
    pub(super) condvar: Condvar,
    report: OnceLock<Report>,
    followed: OnceLock<Report>,
}

impl Shared {
    /// Creates the scheduler of a run.
    #[inline]
    pub(super) fn scheduler(&self, graph: &Arc<Graph>, run: RunId) -> Scheduler {
        let mut scheduler = Scheduler::new(Arc::clone(graph), run.to_u128() as u64);
        if self.delegation.is_some() {
            scheduler.delegate_attempts();
        } else if self.hands_out {
            scheduler.hand_out_queued();
        }
        scheduler
    }
}

impl ActiveRun {
    /// Creates a run that has not started.
    pub(super) fn new(
        engine: &Engine,
        runtime: Runtime,
        what: Runnable,
        new_run: Option<Arc<NewRun>>,
        retry_of: Option<RunId>,
    ) -> Arc<Self> {
        let shared = &engine.0;
        let (now, jobs) = (shared.time.time_of_day(), what.plan.graph.len());
        let id = new_run.as_ref().map_or_else(|| RunId::made_at(now), |run| run.id);
        let mut log = Log::new(now, jobs);
        match retry_of {
            None => log.push(0, Frequent::RunStarted),
            Some(_) => log.push_event(0, None, EventKind::RunStarted { retry_of }),
        }
        let recorder = new_run.and_then(|run| Some(Recorder::new(shared.record_store()?, run)));
        let graph = Arc::clone(&what.plan.graph);
        let run = Self::with(engine, runtime, what, id, 0, || {
            RunState::new(shared.scheduler(&graph, id), log, recorder)
        });
        if let Some(lease_renewer) = &run.engine.lease_renewer {
            lease_renewer.expect(id, run.me.clone());
        }
        run
    }

    /// Creates a run in this state, which started `already` nanoseconds ago. The state is built in
    /// place: it is large, and a few copies of it take about as long as a run of a few jobs.
    pub(super) fn with(
        engine: &Engine,
        runtime: Runtime,
        what: Runnable,
        id: RunId,
        already: i64,
        state: impl FnOnce() -> RunState,
    ) -> Arc<Self> {
        let engine = Arc::clone(&engine.0);
        let Runnable {
            workflow,
            plan,
            input,
            user,
            scheduled_for,
            level,
            outer,
            inherited,
            runs_dir,
            holds_slot,
            is_child,
        } = what;
        let output = runs_dir.map(|folder| Box::new(RunOutput::new(&folder, id)));
        let span = tracing::info_span!("run", workflow = %workflow.name(), run = %id);
        let limits = RunLimits::new(&*workflow, &plan, inherited);
        let run = Arc::new_cyclic(|me: &Weak<Self>| {
            let services: Weak<dyn Services> = me.clone();
            Self {
                me: me.clone(),
                id,
                workflow,
                run_values: Arc::new(RunValues::new(
                    Arc::clone(&plan.layout),
                    input,
                    Some(services),
                    engine.states.replaced().cloned(),
                )),
                plan,
                began: engine.time.now(),
                already,
                engine,
                runtime,
                runtime_loss: RuntimeLoss::default(),
                level,
                time: RunTime::default(),
                span,
                outer,
                user,
                scheduled_for,
                limits,
                holds_slot,
                is_child,
                output,
                state: Mutex::new(state()),
                condvar: Condvar::new(),
                report: OnceLock::new(),
                followed: OnceLock::new(),
            }
        });
        if let Some(clock) = run.manual_clock() {
            clock.watch(run.me.clone());
        }
        run
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state_mut(&mut self) -> &mut RunState {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, RunState>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            // The state stays consistent after a panic.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The time on the run's clock.
    #[inline]
    pub(super) fn now(&self) -> Duration {
        self.time.now(&self.engine.time)
    }

    pub(super) fn time_of_day(&self) -> SystemTime {
        self.time.time_of_day(&self.engine.time)
    }

    /// Waits on the run's clock.
    pub(super) fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.time.sleep(&self.engine.time, self.runtime(), duration)
    }

    /// The manual clock, which moves when the run is idle.
    #[inline]
    pub(super) fn manual_clock(&self) -> Option<&ManualClock> {
        self.engine.time.manual()
    }

    /// Nanoseconds since the start of the run.
    #[inline]
    pub(super) fn read_clock(&self) -> i64 {
        let since = self.now().saturating_sub(self.began);
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX).saturating_add(self.already)
    }

    /// The work in progress, for a manual clock that waits for the run.
    pub(super) fn activity(&self) -> Activity {
        let state = self.lock();
        if state.published {
            return Activity::default();
        }
        let driver = usize::from(state.idle_turns < IDLE_TURNS);
        let threads = state.threads.count.saturating_sub(state.threads.idle);
        let waiting = state.waiting() > 0 || state.is_recording() || state.suspended;
        Activity { waiting, workers: driver + threads }
    }

    /// Notifies a manual clock that the run may be idle. The run must not be locked.
    #[inline]
    pub(super) fn notify_clock(&self) {
        if let Some(clock) = self.manual_clock() {
            clock.notify();
        }
    }

    /// Whether to read the clock after this many steps.
    #[inline]
    pub(super) fn reads_clock(&self, steps: u64) -> bool {
        self.engine.timings == Timings::Exact || steps % 64 == 63
    }

    /// Changes the state from outside of the workers, and wakes the driver.
    pub(super) fn change(self: &Arc<Self>, change: impl FnOnce(&mut RunState, &mut Deferred)) {
        let mut deferred = Deferred::default();
        let mut state = self.lock();
        // Wakers call this and must not panic. The driver reads the same clock and fails the run.
        state.read_at = guard::call(|| self.read_clock()).unwrap_or(state.read_at);
        change(&mut state, &mut deferred);
        deferred.wake.extend(state.driver.take());
        drop(state);
        deferred.run(self);
    }

    /// Marks the calling thread as working for an attempt, if the engine captures its output.
    #[inline]
    pub(super) fn enter_attempt(&self, job: u32, attempt: u32) -> Option<Entered> {
        let is_captured = self.engine.capture_output;
        if !is_captured && self.output.is_none() {
            return None;
        }
        let services: Weak<dyn Services> = self.me.clone();
        Some(Attempt { services, job, attempt, is_captured }.enter())
    }

    /// Marks the calling thread as polling an attempt for a task, if it matters what the attempt
    /// waits for: the run may be evicted, or others wait for the attempt's place.
    #[inline]
    pub(super) fn enter_task(&self, task: &Arc<Task>) -> Option<TaskGuard> {
        let matters = self.engine.lease_renewer.is_some() || self.engine.limits.has_total();
        matters.then(|| enter_task(Arc::clone(task) as _))
    }

    /// Queues a task that was woken.
    pub(super) fn woken(self: &Arc<Self>, task: Arc<Task>) {
        self.change(|state, _| state.woken.push_back(task));
    }

    /// Starts a thread that works for the run as long as there is work.
    pub(super) fn start_thread(self: &Arc<Self>) {
        let helper = Helper::new(Arc::clone(self));
        if !self.runtime().spawn_blocking(move || helper.work()) {
            tracing::warn!(parent: &self.span, "cannot start a thread; blocking jobs wait for one");
        }
    }

    /// Whether the run is recorded.
    #[inline]
    pub(super) fn is_persisted(&self) -> bool {
        self.engine.persists
    }

    /// Whether its attempts are made elsewhere.
    #[inline]
    pub(super) fn is_delegated(&self) -> bool {
        self.engine.delegation.is_some()
    }

    /// Registers the lease under which the engine drives the run.
    pub(super) fn hold_lease(&self, lease: Lease) {
        if let Some(lease_renewer) = &self.engine.lease_renewer {
            lease_renewer.hold(lease, self.me.clone());
        }
    }

    /// Whether the run has ended, or all that is open in it and in its child runs waits.
    pub(super) fn is_idle(&self) -> bool {
        let children = {
            let state = self.lock();
            if !state.published && !state.only_waits() {
                return false;
            }
            if state.published { Vec::new() } else { state.awaited_runs() }
        };
        // Unlocked, because each run has a lock.
        children.iter().all(|child| {
            let lease_renewer = self.engine.lease_renewer.as_ref();
            lease_renewer.and_then(|runs| runs.find(*child)).is_some_and(|child| child.is_idle())
        })
    }

    /// Whether the run is lost: the store does not accept its events any more.
    pub(super) fn is_lost(&self) -> bool {
        self.lock().is_lost()
    }

    /// Marks the run as lost to this engine.
    pub(super) fn lost(self: &Arc<Self>, error: StoreError) {
        self.change(|state, deferred| {
            state.lost(error);
            state.release(deferred);
        });
    }

    /// Handles a message to the run.
    pub(super) fn receive(self: &Arc<Self>, message: Message) {
        match message.kind {
            MessageKind::Cancel => self.change(|state, _| {
                state.note_message(message.number);
                state.cancel(None);
            }),
            MessageKind::Signal { name, payload } => {
                self.signal(name, payload, Some(message.number));
            }
        }
    }

    /// The output of a completed job, as JSON.
    pub(super) fn written_output(&self, job: u32) -> Result<Json, JobError> {
        let written = match self.run_values.output(job) {
            Some((value, kind)) => {
                value.map(|value| Ok::<_, ValueError>((kind.write(value)?, kind)))
            }
            None => {
                let child = self
                    .lock()
                    .children
                    .get(&job)
                    .map(|child| (Arc::clone(&child.call), Arc::clone(&child.frame)));
                child.and_then(|(call, frame)| {
                    let written = call.output.write_from(&*frame.output, frame.row)?;
                    Some(written.map(|written| (written, call.output)))
                })
            }
        };
        let Some(written) = written else { return Ok(Json::Null) };
        let checked = written.and_then(|(json, kind): (Json, Type)| {
            kind.check_stable(&json)?;
            Ok(json)
        });
        checked.map_err(JobError::of_value)
    }

    /// Whether the run is new and may have to wait for its limits.
    pub(super) fn has_limits(&self) -> bool {
        self.lock().recorder.as_ref().is_some_and(|recorder| recorder.has_limits())
    }

    pub(super) fn cancel(self: &Arc<Self>) {
        self.change(|state, _| state.cancel(None));
    }

    /// Starts a driver in the background.
    pub(super) fn drive_in_background(self: &Arc<Self>) {
        let driver = Background::new(Arc::clone(self));
        if self.manual_clock().is_some() && self.runtime().has_workers() {
            // One worker of tokio may hold back the wakes of jobs that yield while another finds
            // the driver idle: the clock would move too early.
            self.runtime().spawn_blocking(move || pollster::block_on(driver));
        } else {
            self.runtime().spawn(driver);
        }
    }

    /// Drives the run on a thread that may block, and waits for its end on the calling thread.
    pub(super) fn drive_on_thread(self: &Arc<Self>) -> Result<Report, RunError> {
        let driver = Background::blocking(Arc::clone(self));
        self.runtime().spawn_blocking(move || pollster::block_on(driver));
        pollster::block_on(self.outcome())
    }

    /// The role of helper threads: whether they may poll futures.
    pub(super) fn thread_role(&self) -> Role {
        let alone = self.engine.threads == 1 || !self.runtime().has_threads();
        if alone { Role::BlockingThread } else { Role::Thread }
    }

    /// The span of an attempt, disabled without a subscriber.
    #[inline]
    pub(super) fn attempt_span(&self, job: u32, attempt: u32) -> tracing::Span {
        if self.span.is_disabled() {
            return tracing::Span::none();
        }
        // Created outside of the lock, because that calls the host's subscriber.
        let known = self.lock().spans.get(&job).cloned();
        let span = known.unwrap_or_else(|| {
            let name = self.lock().names.get(&self.plan.graph, job).into_owned();
            let span = tracing::info_span!(parent: &self.span, "job", job = %name);
            self.lock().spans.insert(job, span.clone());
            span
        });
        tracing::info_span!(parent: span, "attempt", attempt)
    }

    /// Counts functions that may block: 1 when one starts, -1 when it has ended.
    pub(super) fn enter_blocking(&self, more: isize) {
        let blocked = &mut self.lock().threads.blocked;
        *blocked = blocked.saturating_add_signed(more);
    }
}

/// The `tracing` target for the ends of runs and jobs: one name to filter by.
pub(super) const LOG_TARGET: &str = "workflow_core::run";

/// Adds a waker, unless an equal one is in the list.
pub(super) fn add_waker(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|known| known.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}
