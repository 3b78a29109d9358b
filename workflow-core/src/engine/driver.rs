//! Makes a run go: takes a step, reports how it ended, takes the next.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::active::ActiveRun;
use super::monitor::{self, Lit};
use super::shutdown::ShutdownPhase;
use super::state::{Ended, Errands, Role, Step};
use super::task::{Attempt, Task, Work};
use crate::job::{JobError, JobErrorKind, Scope, Started, Traits};
use crate::store::StoreError;
use crate::workflow::panic_text;

/// After so many steps the driver lets others have their turn.
const STEPS_PER_TURN: usize = 256;

/// How long a thread without work stays.
const LINGER: Duration = Duration::from_millis(20);

/// Drives one run to its end; as a future, or as a thread beside it.
pub(super) struct Driver {
    run: Arc<ActiveRun>,
    hands: Hands,
}

/// What a driver works with.
struct Hands {
    role: Role,
    /// How the previous step ended, not yet reported.
    ended: Option<Ended>,
    errands: Errands,
    /// Stands ready for the next job that is polled in place.
    spare: Option<(Arc<Task>, Waker)>,
    /// Has the run watched while this thread drives it and work waits.
    lit: Option<Lit>,
}

impl Driver {
    pub(super) fn new(run: Arc<ActiveRun>, role: Role) -> Self {
        let errands = Errands::default();
        Self { run, hands: Hands { role, ended: None, errands, spare: None, lit: None } }
    }
}

impl Hands {
    /// Reports what ended and finds out what is next: the one time that a step takes the lock.
    #[inline]
    fn advance(&mut self, run: &Arc<ActiveRun>, waker: Option<&Waker>) -> Step {
        let mut state = run.lock();
        // When nothing has happened yet, the run has just begun.
        let happened = self.ended.is_some() || state.steps > 0;
        if happened && run.reads_clock(state.steps) {
            state.read_at = run.read_clock();
        }
        if let Some(ended) = self.ended.take() {
            state.ended(run, ended, &mut self.errands);
        }
        let step = state.next_step(run, self.role, &mut self.errands);
        let waiting = state.hail(run, &mut self.errands);
        if !self.errands.finished
            && let (Step::Wait, Some(waker)) = (&step, waker)
        {
            state.driver = Some(waker.clone());
            state.enter(run);
        }
        if state.shutdown == ShutdownPhase::Draining {
            state.tell_drained(&mut self.errands);
        }
        drop(state);
        if waiting && self.lit.is_none() {
            self.lit = Some(monitor::light(run));
        }
        if self.errands.is_empty() {
            return step;
        }
        let over = self.errands.finished;
        self.errands.run(run);
        if over { Step::Over } else { step }
    }

    #[inline]
    fn take(&mut self, run: &Arc<ActiveRun>, step: Step) {
        match step {
            Step::Launch { job, attempt, traits } => self.launch(run, job, attempt, traits),
            Step::Poll(task) => self.poll(run, &task),
            Step::Wait | Step::Over => {}
        }
    }

    #[inline]
    fn launch(&mut self, run: &Arc<ActiveRun>, job: u32, attempt: u32, traits: Traits) {
        if traits.has(Traits::CHILD.and(Traits::UNDO)) {
            return self.launch_child(run, job, attempt, traits);
        }
        if !traits.has(Traits::CONDITIONAL) || self.condition_holds(run, job, attempt) {
            self.start(run, job, attempt, traits, |cx| {
                run.plan.bodies.start(job, attempt, &run.slots, cx)
            });
        }
    }

    fn launch_child(&mut self, run: &Arc<ActiveRun>, job: u32, attempt: u32, traits: Traits) {
        let child = run.lock().children.get(&job).map(|child| {
            let scope = Scope::child(Arc::clone(&child.frame), job, attempt);
            (Arc::clone(&child.call), scope)
        });
        if let Some((call, scope)) = child {
            self.start(run, job, attempt, traits, |cx| Some(call.body.start(scope.clone(), cx)));
        }
    }

    /// Whether the job is to run; if not, that is reported.
    fn condition_holds(&mut self, run: &Arc<ActiveRun>, job: u32, attempt: u32) -> bool {
        let extras = run.plan.extras.get(&job);
        let Some(condition) = extras.and_then(|extras| extras.condition.as_ref()) else {
            return true;
        };
        if run.is_kept() && run.lock().was_judged(job, attempt) {
            return true;
        }
        let scope = Scope::graph(Arc::clone(&run.slots), job, attempt);
        let verdict = catch_unwind(AssertUnwindSafe(|| (condition.0)(&scope)));
        let mut state = run.lock();
        match verdict {
            Ok(Ok(true)) => return state.holds_for(run, job, attempt, &mut self.errands),
            Ok(Ok(false)) => state.declined(run, job, attempt, &mut self.errands),
            Ok(Err(error)) => {
                state.began(job, attempt);
                self.ended = Some(Ended { job, attempt, result: Err(error), output: None });
            }
            Err(panic) => {
                state.began(job, attempt);
                let result = Err(panicked(&*panic));
                self.ended = Some(Ended { job, attempt, result, output: None });
            }
        }
        false
    }

    /// Calls a body, which polls its future once, if it is one; only if that waits does it
    /// become a task.
    #[inline]
    fn start(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        traits: Traits,
        body: impl Fn(&mut Context<'_>) -> Option<Started>,
    ) {
        let span = run.attempt_span(job, attempt);
        let (task, waker) = self.spare.get_or_insert_with(|| {
            let task = Task::polling(run.me.clone());
            let waker = Waker::from(Arc::clone(&task));
            (task, waker)
        });
        if traits.has(Traits::BLOCKING) {
            run.enter_blocking(1);
        }
        let mut cx = Context::from_waker(waker);
        let mut started = None;
        let guarded = guard(&span, || started = body(&mut cx));
        let result = match (guarded, started) {
            (Ok(()), Some(Started::Ended(result))) => result,
            (Ok(()), Some(Started::Future(future))) => {
                let task = Arc::clone(task);
                self.spare = None;
                let attempt = Attempt { job, attempt, future, span };
                return keep(run, task, Work::Attempt(attempt), &mut self.errands);
            }
            (Ok(()), None) => Err(JobError::terminal("the job has no body")),
            (Err(panicked), _) => Err(panicked),
        };
        if traits.has(Traits::BLOCKING) {
            run.enter_blocking(-1);
        }
        // With this task and its waker alone there is nobody who could still wake it.
        if Arc::strong_count(task) > 2 {
            self.spare = None;
        }
        self.end(run, job, attempt, result);
    }

    /// Notes how an attempt ended, and in a run that is kept what it left.
    #[inline]
    fn end(&mut self, run: &ActiveRun, job: u32, attempt: u32, mut result: Result<(), JobError>) {
        let mut output = None;
        if run.is_kept() && result.is_ok() {
            match run.written_output(job) {
                Ok(written) => output = Some(Arc::new(written)),
                Err(error) => result = Err(error),
            }
        }
        self.ended = Some(Ended { job, attempt, result, output });
    }

    fn poll(&mut self, run: &Arc<ActiveRun>, task: &Arc<Task>) {
        let Some(work) = task.take() else { return };
        let waker = Waker::from(Arc::clone(task));
        let mut cx = Context::from_waker(&waker);
        match work {
            Work::Attempt(Attempt { job, attempt, mut future, span }) => {
                let mut polled = Poll::Pending;
                let guarded = guard(&span, || polled = future.as_mut().poll(&mut cx));
                let result = match (guarded, polled) {
                    (Ok(()), Poll::Ready(result)) => result,
                    (Ok(()), Poll::Pending) => {
                        let attempt = Attempt { job, attempt, future, span };
                        let work = Work::Attempt(attempt);
                        return keep(run, Arc::clone(task), work, &mut self.errands);
                    }
                    (Err(panicked), _) => Err(panicked),
                };
                discard(future);
                self.end(run, job, attempt, result);
            }
            Work::Alarm(mut sleep) => match sleep.as_mut().poll(&mut cx) {
                Poll::Ready(()) => {
                    let mut state = run.lock();
                    state.read_at = run.read_clock();
                    state.alarm(run, &mut self.errands);
                }
                Poll::Pending => {
                    keep(run, Arc::clone(task), Work::Alarm(sleep), &mut self.errands);
                }
            },
            Work::Record { mut appended, until } => {
                let span = tracing::Span::none();
                let mut polled = Poll::Pending;
                let guarded = guard(&span, || polled = appended.as_mut().poll(&mut cx));
                let result = match (guarded, polled) {
                    (Ok(()), Poll::Ready(result)) => result,
                    (Ok(()), Poll::Pending) => {
                        let work = Work::Record { appended, until };
                        return keep(run, Arc::clone(task), work, &mut self.errands);
                    }
                    (Err(panicked), _) => Err(StoreError::Unavailable(panicked.into_error())),
                };
                run.lock().recorded(run, until, result, &mut self.errands);
            }
        }
    }
}

/// Puts work aside that waits; drops it if it was given up while it was polled.
fn keep(run: &Arc<ActiveRun>, task: Arc<Task>, work: Work, errands: &mut Errands) {
    let unwanted = run.lock().keep(run, task, work, errands);
    discard(unwanted);
}

/// Runs code of users inside its span; a panic becomes an error.
#[inline]
fn guard(span: &tracing::Span, mut code: impl FnMut()) -> Result<(), JobError> {
    // What crosses the guard is one pointer: anything larger would be copied on the way.
    let code = &mut code;
    let guarded = if span.is_disabled() {
        catch_unwind(AssertUnwindSafe(code))
    } else {
        catch_unwind(AssertUnwindSafe(|| span.in_scope(code)))
    };
    guarded.map_err(|panic| panicked(&*panic))
}

/// Drops what holds code of users, whose destructors may panic like everything else.
#[inline]
pub(super) fn discard<T>(value: T) {
    // The attempt has its outcome already; a panic has been printed by the host's hook.
    let _ = catch_unwind(AssertUnwindSafe(move || drop(value)));
}

#[cold]
fn panicked(panic: &(dyn std::any::Any + Send)) -> JobError {
    JobError::of_kind(JobErrorKind::Panicked, panic_text(panic))
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { run, hands } = &mut *self;
        let mut polled = None;
        for _ in 0..STEPS_PER_TURN {
            match hands.advance(run, Some(cx.waker())) {
                Step::Wait => polled = Some(Poll::Pending),
                Step::Over => polled = Some(Poll::Ready(())),
                step => hands.take(run, step),
            }
            if polled.is_some() {
                break;
            }
        }
        // The next turn may be on another thread.
        hands.lit = None;
        polled.unwrap_or_else(|| {
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }
}

/// Works for a run until there has been nothing to do for a while.
pub(super) fn work_on_thread(run: &Arc<ActiveRun>) {
    let Driver { mut hands, .. } = Driver::new(Arc::clone(run), run.thread_role());
    loop {
        match hands.advance(run, None) {
            Step::Over => break,
            Step::Wait if !await_bell(run) => break,
            step => hands.take(run, step),
        }
    }
    run.lock().threads.count -= 1;
}

/// Waits for work; false when none came.
fn await_bell(run: &Arc<ActiveRun>) -> bool {
    let mut state = run.lock();
    if state.has_work_for(run.thread_role()) {
        return true;
    }
    state.threads.idle += 1;
    let waited = run.bell.wait_timeout(state, LINGER);
    let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
    state.threads.idle -= 1;
    !timeout.timed_out() || state.has_work_for(run.thread_role())
}
