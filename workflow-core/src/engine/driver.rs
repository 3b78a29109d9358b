//! Makes a run go: takes a step, reports how it ended, takes the next.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::active::ActiveRun;
use super::state::{Ended, Errands, Role, Step};
use super::task::{Attempt, Task, Work};
use crate::job::{Body, JobError, JobErrorKind, Scope};
use crate::workflow::panic_text;

/// After so many steps the driver lets others have their turn.
const STEPS_PER_TURN: usize = 256;

/// How long a thread without work stays.
const LINGER: Duration = Duration::from_millis(20);

/// Drives one run to its end; as a future, or as a thread beside it.
pub(super) struct Driver {
    run: Arc<ActiveRun>,
    role: Role,
    /// How the previous step ended, not yet reported.
    ended: Option<Ended>,
    errands: Errands,
    /// Stands ready for the next job that is polled in place.
    spare: Option<(Arc<Task>, Waker)>,
}

impl Driver {
    pub(super) fn new(run: Arc<ActiveRun>, role: Role) -> Self {
        Self { run, role, ended: None, errands: Errands::default(), spare: None }
    }

    /// Reports what ended and finds out what is next: the one time that a step takes the lock.
    #[inline]
    fn advance(&mut self, waker: Option<&Waker>) -> Step {
        let run = &self.run;
        let mut state = run.lock();
        if run.exact() || state.steps % 64 == 0 {
            state.read_at = run.read_clock();
        }
        if let Some(ended) = self.ended.take() {
            state.ended(run, ended, &mut self.errands);
        }
        let step = state.next_step(run, self.role, &mut self.errands);
        state.hail(run, &mut self.errands);
        if let (Step::Wait, Some(waker)) = (&step, waker) {
            state.driver = Some(waker.clone());
        }
        drop(state);
        if !self.errands.is_empty() {
            self.errands.run(run);
        }
        step
    }

    #[inline]
    fn take(&mut self, step: Step) {
        match step {
            Step::Launch { job, attempt } => self.launch(job, attempt),
            Step::Poll(task) => self.poll(&task),
            Step::Wait | Step::Over => {}
        }
    }

    fn launch(&mut self, job: u32, attempt: u32) {
        let run = Arc::clone(&self.run);
        match run.plan.bodies.get(job as usize) {
            Some(body) => {
                let scope = Scope::graph(Arc::clone(&run.slots), job, attempt);
                if !run.plan.extras.is_empty() && !self.condition_holds(&run, &scope) {
                    return;
                }
                self.start(body, scope);
            }
            None => {
                let child = run.lock().children.get(&job).map(|child| {
                    (Arc::clone(&child.call), Scope::child(Arc::clone(&child.frame), job, attempt))
                });
                if let Some((call, scope)) = child {
                    self.start(&call.body, scope);
                }
            }
        }
    }

    /// Whether the job is to run; if not, that is reported.
    fn condition_holds(&mut self, run: &Arc<ActiveRun>, scope: &Scope) -> bool {
        let (job, attempt) = (scope.job, scope.attempt);
        let extras = run.plan.extras.get(&job);
        let Some(condition) = extras.and_then(|extras| extras.condition.as_ref()) else {
            return true;
        };
        let verdict = catch_unwind(AssertUnwindSafe(|| (condition.0)(scope)));
        let mut state = run.lock();
        match verdict {
            Ok(Some(true)) => {
                state.began(job, attempt);
                return true;
            }
            Ok(Some(false) | None) => state.declined(run, job, attempt, &mut self.errands),
            Err(panic) => {
                state.began(job, attempt);
                self.ended = Some(Ended { job, attempt, result: Err(panicked(&*panic)) });
            }
        }
        false
    }

    fn start(&mut self, body: &Body, scope: Scope) {
        let (job, attempt) = (scope.job, scope.attempt);
        let span = self.run.attempt_span(job, attempt);
        let result = match body {
            Body::Future(body) => {
                match catch_unwind(AssertUnwindSafe(|| span.in_scope(|| body(scope)))) {
                    Ok(future) => {
                        return self.poll_in_place(Attempt { job, attempt, future, span });
                    }
                    Err(panic) => Err(panicked(&*panic)),
                }
            }
            Body::Inline(body) => call(|| span.in_scope(|| body(&scope))),
            Body::Blocking(body) => {
                self.run.enter_blocking(1);
                let result = call(|| span.in_scope(|| body(&scope)));
                self.run.enter_blocking(-1);
                result
            }
        };
        self.ended = Some(Ended { job, attempt, result });
    }

    /// Polls a new future once; only if it waits does it become a task.
    #[inline]
    fn poll_in_place(&mut self, mut attempt: Attempt) {
        let (task, waker) = self.spare.take().unwrap_or_else(|| {
            let task = Task::polling(self.run.me.clone());
            let waker = Waker::from(Arc::clone(&task));
            (task, waker)
        });
        match poll_once(&mut attempt, &mut Context::from_waker(&waker)) {
            Poll::Ready(result) => {
                let (job, number) = (attempt.job, attempt.attempt);
                discard(attempt);
                self.ended = Some(Ended { job, attempt: number, result });
                // With this task and its waker alone there is nobody who could still wake it.
                if Arc::strong_count(&task) == 2 {
                    self.spare = Some((task, waker));
                }
            }
            Poll::Pending => self.keep(task, Work::Attempt(attempt)),
        }
    }

    fn poll(&mut self, task: &Arc<Task>) {
        let Some(work) = task.take() else { return };
        let waker = Waker::from(Arc::clone(task));
        let mut cx = Context::from_waker(&waker);
        match work {
            Work::Attempt(mut attempt) => match poll_once(&mut attempt, &mut cx) {
                Poll::Ready(result) => {
                    let (job, number) = (attempt.job, attempt.attempt);
                    discard(attempt);
                    self.ended = Some(Ended { job, attempt: number, result });
                }
                Poll::Pending => self.keep(Arc::clone(task), Work::Attempt(attempt)),
            },
            Work::Alarm(mut sleep) => match sleep.as_mut().poll(&mut cx) {
                Poll::Ready(()) => {
                    let mut state = self.run.lock();
                    state.read_at = self.run.read_clock();
                    state.alarm(&self.run, &mut self.errands);
                }
                Poll::Pending => self.keep(Arc::clone(task), Work::Alarm(sleep)),
            },
        }
    }

    /// Puts work aside that waits; drops it if it was given up while it was polled.
    fn keep(&mut self, task: Arc<Task>, work: Work) {
        let unwanted = self.run.lock().keep(task, work);
        discard(unwanted);
    }
}

#[inline]
fn poll_once(attempt: &mut Attempt, cx: &mut Context<'_>) -> Poll<Result<(), JobError>> {
    let Attempt { future, span, .. } = attempt;
    let polled = if span.is_disabled() {
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)))
    } else {
        catch_unwind(AssertUnwindSafe(|| span.in_scope(|| future.as_mut().poll(cx))))
    };
    polled.unwrap_or_else(|panic| Poll::Ready(Err(panicked(&*panic))))
}

#[inline]
fn call(body: impl FnOnce() -> Result<(), JobError>) -> Result<(), JobError> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(panicked(&*panic)))
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
        for _ in 0..STEPS_PER_TURN {
            match self.advance(Some(cx.waker())) {
                Step::Wait => return Poll::Pending,
                Step::Over => return Poll::Ready(()),
                step => self.take(step),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Works for a run until there has been nothing to do for a while.
pub(super) fn work_on_thread(run: &Arc<ActiveRun>) {
    let mut driver = Driver::new(Arc::clone(run), run.thread_role());
    loop {
        match driver.advance(None) {
            Step::Over => break,
            Step::Wait if !await_bell(run) => break,
            step => driver.take(step),
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
