//! Drives a run: takes a step, executes it outside of the lock, reports how it ended, takes the
//! next.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::monitor::{self, WatchGuard};
use super::nesting::{self, Inside};
use super::task::{Attempt, Task, Work};
use crate::engine::active::ActiveRun;
use crate::engine::clock::{IDLE_TURNS, in_function};
use crate::engine::delegation::{self, Delegation};
use crate::engine::runtime::{Caller, yield_once};
use crate::engine::shutdown::ShutdownPhase;
use crate::engine::state::{Deferred, Ended, Role, Step, wake_all};
use crate::engine::tasks;
use crate::guard::{self, discard};
use crate::job::{AttemptIo, BodyFuture, JobError, JobFlags, Started};
use crate::run::{Report, RunError};
use crate::store::StoreError;

/// The number of steps after which a driver yields to its executor.
const STEPS_PER_TURN: usize = 256;

/// The time after which a thread without work ends.
const IDLE_TIMEOUT: Duration = Duration::from_millis(20);

/// Drives one run to its end.
///
/// No panic leaves it: code of the host is called behind a guard of its own, and if anything else
/// panics, the run ends with an error.
pub(in crate::engine) struct Driver {
    /// Taken only to be dropped.
    run: Option<Arc<ActiveRun>>,
    worker: Worker,
}

/// A driver that nobody awaits. If its runtime drops it before the end, the run is
/// [abandoned](ActiveRun::abandon) and ends elsewhere.
pub(in crate::engine) struct Background(Driver);

/// A thread of control in a run: what a driver and a helper thread have in common.
struct Worker {
    role: Role,
    /// The end of the previous step, not yet reported.
    ended: Option<Ended>,
    deferred: Deferred,
    /// Reused for the next job that is polled in place.
    spare: Option<(Arc<Task>, Waker)>,
    /// Keeps the monitor watching the run while this thread drives it and work waits.
    watched: Option<WatchGuard>,
    /// If this driver displaces others: those others, which are woken at its end.
    displaced: Option<Vec<Waker>>,
}

impl Driver {
    pub(in crate::engine) fn new(run: Arc<ActiveRun>, role: Role) -> Self {
        Self { run: Some(run), worker: Worker::new(role) }
    }

    /// Creates a driver that takes the place of the current one.
    fn displacing(run: Arc<ActiveRun>) -> Self {
        let mut driver = Self::new(run, Role::Driver);
        driver.worker.displaced = Some(Vec::new());
        driver
    }
}

/// Waits for the end of a run on the calling thread.
///
/// A job that blocks here takes a thread away from its executor, perhaps the last one that could
/// drive the other run. So it drives that run itself.
///
/// # Errors
///
/// Fails if the run fails, and on the thread that drives a current-thread runtime.
pub(in crate::engine) fn wait(run: &Arc<ActiveRun>) -> Result<Report, RunError> {
    match Caller::here() {
        Caller::Only => return Err(RunError::WouldBlock),
        // No other worker would take a task that the run spawns on a waiting worker.
        Caller::Worker if run.runtime().is_current() => {
            let driver = Driver::displacing(Arc::clone(run));
            run.runtime().spawn_blocking(move || pollster::block_on(driver));
        }
        _ if nesting::is_polling() && run.runtime().is_current() => {
            pollster::block_on(Driver::displacing(Arc::clone(run)));
        }
        _ => {}
    }
    pollster::block_on(run.outcome())
}

impl Background {
    pub(in crate::engine) fn new(run: Arc<ActiveRun>) -> Self {
        Self(Driver::new(run, Role::Driver))
    }

    /// Creates a driver that may block.
    pub(in crate::engine) fn blocking(run: Arc<ActiveRun>) -> Self {
        Self(Driver::new(run, Role::Thread))
    }
}

impl Worker {
    fn new(role: Role) -> Self {
        let deferred = Deferred::default();
        Self { role, ended: None, deferred, spare: None, watched: None, displaced: None }
    }

    /// Reports the end of the last step and returns the next one. Each step takes the lock only
    /// here.
    #[inline]
    fn advance(&mut self, run: &Arc<ActiveRun>, waker: Option<&Waker>) -> Step {
        let mut state = run.lock();
        // Without any step, the run has just started, and the clock is at its start.
        let happened = self.ended.is_some() || state.steps > 0;
        if happened && run.reads_clock(state.steps) {
            state.read_at = run.read_clock();
        }
        if let Some(ended) = self.ended.take() {
            state.ended(run, ended, &mut self.deferred);
        }
        let step = state.next_step(run, self.role, &mut self.deferred);
        let waiting = state.notify(run, &mut self.deferred);
        if !self.deferred.finished
            && let (Step::Wait, Some(waker)) = (&step, waker)
        {
            if let Some(other) = state.driver.replace(waker.clone())
                && !other.will_wake(waker)
            {
                self.displace(other);
            }
            state.enter(run);
        }
        if state.shutdown == ShutdownPhase::Draining {
            state.wake_drained(&mut self.deferred);
        }
        if state.idle_turns > 0 && !matches!(step, Step::Wait) {
            state.idle_turns = 0;
        }
        drop(state);
        // No thread may help with a delegated run.
        if waiting && self.watched.is_none() && !run.is_delegated() {
            self.watched = Some(monitor::watch(run));
        }
        if self.deferred.is_empty() {
            return step;
        }
        let over = self.deferred.finished;
        self.deferred.run(run);
        if over { Step::Over } else { step }
    }

    /// Keeps or wakes the waker of another driver, whose place this one took.
    #[cold]
    fn displace(&mut self, other: Waker) {
        match &mut self.displaced {
            Some(displaced) => displaced.push(other),
            // That driver took this one's place before, and does so again.
            None => self.deferred.wake.push(other),
        }
    }

    /// Counts idle turns, and notifies a manual clock once the executor has gone round often enough
    /// without any work.
    #[cold]
    fn idle(run: &ActiveRun, cx: &mut Context<'_>) {
        let mut state = run.lock();
        if state.idle_turns == IDLE_TURNS {
            return;
        }
        state.idle_turns += 1;
        let is_idle = state.idle_turns == IDLE_TURNS;
        drop(state);
        if is_idle {
            run.notify_clock();
        } else {
            yield_once(cx);
        }
    }

    #[inline]
    fn execute(&mut self, run: &Arc<ActiveRun>, step: Step) {
        match step {
            Step::Launch { job, attempt, flags } => self.launch(run, job, attempt, flags),
            Step::Poll(task) => self.poll(run, &task),
            Step::Wait | Step::Over => {}
        }
    }

    #[inline]
    fn launch(&mut self, run: &Arc<ActiveRun>, job: u32, attempt: u32, flags: JobFlags) {
        if let Some(delegation) = &run.engine.delegation
            && !flags.intersects(JobFlags::CONTAINER)
        {
            return self.delegate(run, delegation, job, attempt, flags);
        }
        // One test for most jobs. `LIMITED` marks those with a task queue of their own, too.
        if flags.intersects(JobFlags::CHILD.union(JobFlags::COMPENSATION).union(JobFlags::LIMITED))
        {
            if flags.intersects(JobFlags::LIMITED) && run.engine.hands_out {
                let is_handed_out = run.lock().scheduler.handed_out(job).is_some();
                if is_handed_out {
                    return self.hand_out(run, job, attempt, flags);
                }
            }
            if flags.intersects(JobFlags::CHILD.union(JobFlags::COMPENSATION)) {
                return self.launch_child(run, job, attempt, flags);
            }
        }
        if !flags.intersects(JobFlags::CONDITIONAL) || self.condition_holds(run, job, attempt) {
            self.start(run, job, attempt, flags, |cx| {
                run.plan.bodies.start(job, attempt, &run.run_values, cx)
            });
        }
    }

    /// Has the attempt made elsewhere. Conditions are evaluated here.
    #[cold]
    fn delegate(
        &mut self,
        run: &Arc<ActiveRun>,
        delegation: &Delegation,
        job: u32,
        attempt: u32,
        flags: JobFlags,
    ) {
        self.await_elsewhere(run, job, attempt, flags, || {
            delegation::attempt(run, delegation, job, attempt)
        });
    }

    /// Leaves the attempt to the workers of the job's task queue. Conditions are evaluated here.
    #[cold]
    fn hand_out(&mut self, run: &Arc<ActiveRun>, job: u32, attempt: u32, flags: JobFlags) {
        self.await_elsewhere(run, job, attempt, flags, || tasks::hand_out(run, job, attempt));
    }

    /// Waits for an attempt that somebody else makes, if the condition of the job holds.
    fn await_elsewhere(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        flags: JobFlags,
        ask: impl Fn() -> BodyFuture,
    ) {
        let is_child = flags.intersects(JobFlags::CHILD.union(JobFlags::COMPENSATION));
        if !is_child
            && flags.intersects(JobFlags::CONDITIONAL)
            && !self.condition_holds(run, job, attempt)
        {
            return;
        }
        self.start(run, job, attempt, flags, |cx| {
            let mut future = ask();
            Some(match future.as_mut().poll(cx) {
                Poll::Ready(result) => Started::Ended(result),
                Poll::Pending => Started::Future(future),
            })
        });
    }

    fn launch_child(&mut self, run: &Arc<ActiveRun>, job: u32, attempt: u32, flags: JobFlags) {
        let child = run.lock().children.get(&job).map(|child| {
            let io = AttemptIo::child(Arc::clone(&child.frame), job, attempt);
            (Arc::clone(&child.call), io)
        });
        if let Some((call, io)) = child {
            self.start(run, job, attempt, flags, |cx| Some(call.body.start(io.clone(), cx)));
        }
    }

    /// Whether the job may run. If not, reports that.
    fn condition_holds(&mut self, run: &Arc<ActiveRun>, job: u32, attempt: u32) -> bool {
        let extras = run.plan.extras.get(&job);
        let Some(condition) = extras.and_then(|extras| extras.condition.as_ref()) else {
            return true;
        };
        if run.is_persisted() && run.lock().take_condition_held(job, attempt) {
            return true;
        }
        let io = AttemptIo::graph(Arc::clone(&run.run_values), job, attempt);
        let verdict = guard::call(|| (condition.0)(&io)).map_err(JobError::panicked);
        let mut state = run.lock();
        match verdict.and_then(|verdict| verdict) {
            Ok(true) => return state.condition_held(run, job, attempt, &mut self.deferred),
            Ok(false) => state.condition_failed(job, attempt, &mut self.deferred),
            Err(error) => {
                state.began(job, attempt);
                drop(state);
                self.end(run, job, attempt, Err(error));
            }
        }
        false
    }

    /// Calls a body and polls its future once. A future that waits becomes a task.
    #[inline]
    fn start(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        flags: JobFlags,
        body: impl Fn(&mut Context<'_>) -> Option<Started>,
    ) {
        let span = run.attempt_span(job, attempt);
        if !span.is_disabled() {
            tracing::debug!(parent: &span, "attempt started");
        }
        let (task, waker) = self.spare.get_or_insert_with(|| {
            let task = Task::polling(run.me.clone());
            let waker = Waker::from(Arc::clone(&task));
            (task, waker)
        });
        let in_function = flags.intersects(JobFlags::BLOCKING).then(|| {
            run.enter_blocking(1);
            in_function()
        });
        let mut cx = Context::from_waker(waker);
        let mut started = None;
        let entered = (run.enter_attempt(job, attempt), run.enter_task(task));
        let guarded = guard(&span, || started = body(&mut cx));
        drop(entered);
        drop(in_function);
        let result = match (guarded, started) {
            (Ok(()), Some(Started::Ended(result))) => result,
            (Ok(()), Some(Started::Future(future))) => {
                let task = Arc::clone(task);
                self.spare = None;
                let attempt = Attempt { job, attempt, future, span };
                return park(run, task, Work::Attempt(attempt), &mut self.deferred);
            }
            (Ok(()), None) => Err(JobError::terminal("the job has no body")),
            (Err(panicked), _) => Err(panicked),
        };
        if flags.intersects(JobFlags::BLOCKING) {
            run.enter_blocking(-1);
        }
        log_completed(&span, &result);
        // Two references are this task and its waker. With more, somebody could still wake it.
        if Arc::strong_count(task) > 2 || Arc::weak_count(task) > 0 {
            self.spare = None;
        }
        self.end(run, job, attempt, result);
    }

    /// Notes how an attempt ended, with its output if the run is persisted. From here on, errors no
    /// longer call code of the host.
    #[inline]
    fn end(&mut self, run: &ActiveRun, job: u32, attempt: u32, mut result: Result<(), JobError>) {
        let mut output = None;
        if run.is_persisted() && result.is_ok() {
            match run.written_output(job) {
                Ok(written) => output = Some(Arc::new(written)),
                Err(error) => result = Err(error),
            }
        }
        let result = result.map_err(|error| nesting::propagate(error.written_down()));
        self.ended = Some(Ended { job, attempt, result, output });
    }

    fn poll(&mut self, run: &Arc<ActiveRun>, task: &Arc<Task>) {
        let Some(work) = task.take() else { return };
        let waker = Waker::from(Arc::clone(task));
        let mut cx = Context::from_waker(&waker);
        match work {
            Work::Attempt(Attempt { job, attempt, mut future, span }) => {
                let mut polled = Poll::Pending;
                let entered = (run.enter_attempt(job, attempt), run.enter_task(task));
                let guarded = guard(&span, || polled = future.as_mut().poll(&mut cx));
                drop(entered);
                let result = match (guarded, polled) {
                    (Ok(()), Poll::Ready(result)) => result,
                    (Ok(()), Poll::Pending) => {
                        let attempt = Attempt { job, attempt, future, span };
                        let work = Work::Attempt(attempt);
                        return park(run, Arc::clone(task), work, &mut self.deferred);
                    }
                    (Err(panicked), _) => Err(panicked),
                };
                discard(future);
                log_completed(&span, &result);
                self.end(run, job, attempt, result);
            }
            Work::Alarm(mut sleep) => {
                let polled = guard::call(|| sleep.as_mut().poll(&mut cx));
                if let Ok(Poll::Pending) = polled {
                    return park(run, Arc::clone(task), Work::Alarm(sleep), &mut self.deferred);
                }
                discard(sleep);
                if let Err(panic) = &polled {
                    run.leave_runtime(&format!("its timer panicked: {panic}"));
                }
                let mut state = run.lock();
                state.read_at = run.read_clock();
                state.alarm(run, polled.is_ok(), &mut self.deferred);
            }
            Work::Record { mut appended, until } => {
                let result = match guard::call(|| appended.as_mut().poll(&mut cx)) {
                    Ok(Poll::Ready(result)) => result,
                    Ok(Poll::Pending) => {
                        let work = Work::Record { appended, until };
                        return park(run, Arc::clone(task), work, &mut self.deferred);
                    }
                    Err(panic) => {
                        Err(StoreError::Unavailable(format!("the store panicked: {panic}").into()))
                    }
                };
                discard(appended);
                run.lock().recorded(run, until, result, &mut self.deferred);
            }
        }
    }
}

/// Stores work that waits, or drops it if it was given up while it was polled.
fn park(run: &Arc<ActiveRun>, task: Arc<Task>, work: Work, deferred: &mut Deferred) {
    let unwanted = run.lock().park(run, task, work, deferred);
    discard(unwanted);
}

/// Logs that an attempt completed. Failures are logged later, with their consequence.
#[inline]
fn log_completed(span: &tracing::Span, result: &Result<(), JobError>) {
    if !span.is_disabled() && result.is_ok() {
        tracing::debug!(parent: span, "attempt completed");
    }
}

/// Runs code of the host inside its span. A panic becomes an error.
#[inline]
fn guard(span: &tracing::Span, mut code: impl FnMut()) -> Result<(), JobError> {
    // One pointer crosses the guard. Anything larger would be copied.
    let code = &mut code;
    let guarded = if span.is_disabled() {
        catch_unwind(AssertUnwindSafe(code))
    } else {
        catch_unwind(AssertUnwindSafe(|| span.in_scope(code)))
    };
    guarded.map_err(|panic| JobError::panicked(guard::panic_text(panic)))
}

impl Worker {
    /// Drives the run until there is nothing to do, or until it is time to yield.
    fn turn(&mut self, run: &Arc<ActiveRun>, cx: &mut Context<'_>) -> Poll<()> {
        let mut polled = None;
        for _ in 0..STEPS_PER_TURN {
            match self.advance(run, Some(cx.waker())) {
                Step::Wait => {
                    if run.manual_clock().is_some() {
                        Self::idle(run, cx);
                    }
                    polled = Some(Poll::Pending);
                }
                Step::Over => polled = Some(Poll::Ready(())),
                step => self.execute(run, step),
            }
            if polled.is_some() {
                break;
            }
        }
        polled.unwrap_or_else(|| {
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }

    /// Works for a run until there has been nothing to do for a while.
    fn work(&mut self, run: &Arc<ActiveRun>) {
        loop {
            match self.advance(run, None) {
                Step::Over => break,
                Step::Wait if !wait_for_work(run) => break,
                step => self.execute(run, step),
            }
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { run: Some(run), worker } = &mut *self else { return Poll::Ready(()) };
        let _inside = Inside::polling(run);
        let polled = guard::call(|| worker.turn(run, cx));
        // The next turn may be on another thread.
        worker.watched = None;
        polled.unwrap_or_else(|panic| {
            run.collapse(&panic);
            Poll::Ready(())
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        wake_all(self.worker.displaced.take().into_iter().flatten());
        // The last reference to a run drops values of the host: its workflow, its clock.
        discard(self.run.take());
    }
}

impl Future for Background {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(run) = &self.0.run
            && run.report().is_none()
        {
            run.abandon();
        }
    }
}

/// A thread that works for a run beside its driver, from the moment it is requested.
pub(in crate::engine) struct Helper(Option<Arc<ActiveRun>>);

impl Helper {
    pub(in crate::engine) fn new(run: Arc<ActiveRun>) -> Self {
        Self(Some(run))
    }

    /// Works until there has been nothing to do for a while.
    pub(in crate::engine) fn work(mut self) {
        let Some(run) = self.0.take() else { return };
        let inside = Inside::helping(&run);
        if let Err(panic) = guard::call(|| Worker::new(run.thread_role()).work(&run)) {
            run.collapse(&panic);
        }
        drop(inside);
        run.lock().threads.count -= 1;
        run.notify_clock();
        discard(run);
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // The runtime was shut down before the thread started.
        if let Some(run) = self.0.take() {
            run.start_own_thread();
        }
    }
}

/// Waits for work. Returns false on a timeout.
fn wait_for_work(run: &Arc<ActiveRun>) -> bool {
    let mut state = run.lock();
    if state.has_work_for(run.thread_role()) {
        return true;
    }
    state.threads.idle += 1;
    if run.manual_clock().is_some() {
        drop(state);
        run.notify_clock();
        state = run.lock();
        if state.has_work_for(run.thread_role()) {
            state.threads.idle -= 1;
            return true;
        }
    }
    let waited = run.condvar.wait_timeout(state, IDLE_TIMEOUT);
    let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
    state.threads.idle -= 1;
    !timeout.timed_out() || state.has_work_for(run.thread_role())
}
