//! One attempt outside of its run: what its function asks for, its timeouts and its grace period.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use futures::channel::oneshot;
use futures::future::{BoxFuture, Either, select};
use serde_json::{Map, Value as Json};

use super::task::{AttemptOutcome, AttemptResult, JobTask};
use crate::engine::Engine;
use crate::engine::active::ActiveRun;
use crate::engine::runtime::Runtime;
use crate::engine::state::{THREAD_RUNS_ON, stop_error};
use crate::guard;
use crate::id::RunId;
use crate::job::{
    Attempt, AttemptIo, BodyKind, ChildHandle, Delivery, Entered, JobError, JobErrorKind, JobFlags,
    NewChild, Printed, RawCall, RunValues, Services, Started, States, TimeoutKind, Token,
};
use crate::run_log::{LogError, OutputStream, RunLog};
use crate::scheduler::Cause;
use crate::value::Type;
use crate::workflow::Plan;

/// What the place where an attempt is made offers it.
pub trait Surroundings: Send + Sync + 'static {
    /// Receives a heartbeat of the job.
    fn heartbeat(&self) {}

    /// Completes when the attempt must stop. Default: never.
    fn cancelled(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    /// Receives output of the job that it does not print to the process. Default: ignores it.
    fn print(&self, _stream: OutputStream, _text: &str) {}

    /// The folder of the run; `None` if it has none here, which is the default.
    fn folder(&self) -> Option<PathBuf> {
        None
    }

    /// Receives a value that the job persisted. The outcome of the attempt has it, too. Default:
    /// ignores it.
    fn persisted(&self, _key: &str, _value: &Json) {}
}

/// The function of an attempt and the values that it reads, in this process.
#[derive(Clone)]
pub(crate) struct Invocation {
    function: Function,
    inputs: AttemptIo,
    output: Type,
}

#[derive(Clone)]
enum Function {
    /// A job of a graph.
    Graph(Arc<Plan>, u32),
    /// A job that another job called, or a compensation.
    Call(Arc<RawCall>),
}

impl Invocation {
    /// The invocation of a job of a run.
    pub(super) fn of(run: &ActiveRun, job: u32, attempt: u32) -> Self {
        let child = run.lock().children.get(&job).map(|child| {
            let inputs = AttemptIo::child(Arc::clone(&child.frame), job, attempt);
            Self::call(Arc::clone(&child.call), inputs)
        });
        child.unwrap_or_else(|| {
            Self::graph(Arc::clone(&run.plan), Arc::clone(&run.run_values), job, attempt)
        })
    }

    /// The invocation of a job of a graph, with these values of a run.
    pub(crate) fn graph(plan: Arc<Plan>, values: Arc<RunValues>, job: u32, attempt: u32) -> Self {
        let output = values.output(job).map_or(Type::opaque::<()>(), |(_, kind)| kind);
        let inputs = AttemptIo::graph(values, job, attempt);
        Self { function: Function::Graph(plan, job), inputs, output }
    }

    /// The invocation of a call with these inputs.
    pub(crate) fn call(call: Arc<RawCall>, inputs: AttemptIo) -> Self {
        Self { output: call.output, function: Function::Call(call), inputs }
    }

    /// The call; `None` for a job of a graph.
    pub(crate) fn as_call(&self) -> Option<&RawCall> {
        match &self.function {
            Function::Graph(..) => None,
            Function::Call(call) => Some(call),
        }
    }

    pub(super) fn inputs(&self) -> &AttemptIo {
        &self.inputs
    }

    fn is_blocking(&self) -> bool {
        match &self.function {
            Function::Graph(plan, job) => {
                plan.graph.cells[*job as usize].flags.intersects(JobFlags::BLOCKING)
            }
            Function::Call(call) => call.body.kind == BodyKind::OnThread,
        }
    }

    fn start(&self, io: AttemptIo, cx: &mut Context<'_>) -> Started {
        match &self.function {
            Function::Graph(plan, job) => plan.bodies.start_in(*job, io, cx),
            Function::Call(call) => call.body.start(io, cx),
        }
    }

    /// Makes one attempt.
    pub(crate) async fn execute(
        self,
        engine: &Engine,
        task: JobTask,
        surroundings: Arc<dyn Surroundings>,
    ) -> AttemptOutcome {
        let (suspend, suspended) = oneshot::channel();
        let services = Arc::new(AttemptServices {
            engine: engine.clone(),
            task,
            surroundings,
            token: Arc::default(),
            state: Mutex::new(AttemptState { suspend: Some(suspend), ..AttemptState::default() }),
        });
        let output: Arc<dyn Any + Send + Sync> = self.output.child_outputs(1).into();
        let result = services.run(&self, Arc::clone(&output), suspended).await;
        let mut state = services.lock();
        AttemptOutcome {
            persisted: std::mem::take(&mut state.persisted),
            annotations: std::mem::take(&mut state.annotations),
            ..AttemptOutcome::new(match result {
                Ok(Ended::Suspended(signal)) => AttemptResult::AwaitsSignal(signal),
                Ok(Ended::Completed) => {
                    let written = self.output.write_from(&*output, 0).unwrap_or(Ok(Json::Null));
                    match written {
                        Ok(written) => AttemptResult::Completed(written),
                        Err(error) => failed(JobError::of_value(error)),
                    }
                }
                Err(error) => failed(error),
            })
        }
    }
}

fn failed(error: JobError) -> AttemptResult {
    AttemptResult::Failed((&error.written_down()).into())
}

/// How an attempt ended without an error.
enum Ended {
    Completed,
    /// It waits for this signal.
    Suspended(String),
}

/// Why an attempt is interrupted.
enum Interruption {
    Cause(Cause),
    Suspended(String),
}

/// What the function of an attempt may ask for.
struct AttemptServices {
    engine: Engine,
    task: JobTask,
    surroundings: Arc<dyn Surroundings>,
    token: Arc<Token>,
    state: Mutex<AttemptState>,
}

#[derive(Default)]
struct AttemptState {
    persisted: BTreeMap<String, Json>,
    annotations: Map<String, Json>,
    /// The number of signals that the attempt has received.
    received: usize,
    /// Tells which signal the attempt waits for.
    suspend: Option<oneshot::Sender<String>>,
    /// Senders of signals that will not come to this attempt.
    unanswered: Vec<oneshot::Sender<Json>>,
    /// The time of the last heartbeat.
    beat: Option<Instant>,
    /// The grace period that the attempt has reserved.
    reserved: Duration,
    /// Why the attempt must stop.
    stopped: Option<Cause>,
    over: bool,
}

impl AttemptServices {
    fn lock(&self) -> MutexGuard<'_, AttemptState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the function to its end, or until it has to stop.
    async fn run(
        self: &Arc<Self>,
        invocation: &Invocation,
        output: Arc<dyn Any + Send + Sync>,
        suspended: oneshot::Receiver<String>,
    ) -> Result<Ended, JobError> {
        let services: Weak<dyn Services> = Arc::downgrade(self) as Weak<dyn Services>;
        let io = invocation.inputs.lent(services, self.engine.replacements(), output);
        let mut body = self.body(invocation.clone(), io);
        let interruption = {
            let interrupted = pin!(self.interrupted(suspended));
            match select(&mut body, interrupted).await {
                Either::Left((result, _)) => {
                    self.lock().over = true;
                    return result.map(|()| Ended::Completed);
                }
                Either::Right((interruption, _)) => interruption,
            }
        };
        let cause = match interruption {
            Interruption::Cause(cause) => cause,
            Interruption::Suspended(signal) => {
                self.give_up(body);
                return Ok(Ended::Suspended(signal));
            }
        };
        let grace = {
            let mut state = self.lock();
            state.stopped = Some(cause);
            state.reserved.max(self.task.grace)
        };
        self.token.set();
        let (ended, detail) = self.wait_for_end(body, grace, invocation.is_blocking()).await;
        let detail = match ended {
            // Completing within the grace period of a cancelled run counts.
            Some(Ok(())) if cause == Cause::Cancelled => return Ok(Ended::Completed),
            Some(Err(error)) => Some(error.written_down().chain()),
            _ => detail,
        };
        Err(match cause {
            // The run knows why it cancelled the attempt.
            Cause::Cancelled => {
                JobError::of_kind(JobErrorKind::Cancelled, detail.unwrap_or_default())
            }
            cause => stop_error(cause, &self.task.timeouts, None, detail),
        })
    }

    /// Waits until the function has ended, for the grace period at most.
    async fn wait_for_end(
        &self,
        body: BoxFuture<'static, Result<(), JobError>>,
        grace: Duration,
        is_blocking: bool,
    ) -> (Option<Result<(), JobError>>, Option<String>) {
        let thread = is_blocking.then(|| THREAD_RUNS_ON.to_owned());
        if grace.is_zero() {
            self.give_up(body);
            return (None, thread);
        }
        let limit = Runtime::current().sleep(grace);
        match select(body, limit).await {
            Either::Left((result, _)) => {
                self.lock().over = true;
                (Some(result), None)
            }
            Either::Right(((), body)) => {
                self.give_up(body);
                let what = thread.unwrap_or_else(|| "it was dropped".to_owned());
                let detail =
                    format!("it did not stop within its grace period of {grace:?}; {what}");
                (None, Some(detail))
            }
        }
    }

    /// Drops the future of the attempt. A thread runs on, and its output is discarded.
    fn give_up(&self, body: BoxFuture<'static, Result<(), JobError>>) {
        self.lock().over = true;
        self.token.set();
        guard::discard(body);
    }

    /// Marks the calling thread as working for the attempt, so that what it prints is its output.
    fn enter(self: &Arc<Self>) -> Entered {
        let services: Weak<dyn Services> = Arc::downgrade(self) as Weak<dyn Services>;
        let is_captured = self.engine.0.capture_output;
        Attempt { services, job: 0, attempt: self.task.attempt, is_captured }.enter()
    }

    /// The future of the function. A panic is an error.
    fn body(
        self: &Arc<Self>,
        invocation: Invocation,
        io: AttemptIo,
    ) -> BoxFuture<'static, Result<(), JobError>> {
        // The function's contexts refer to these services weakly.
        let services = Arc::clone(self);
        if invocation.is_blocking() {
            return Box::pin(async move {
                let (end, ended) = oneshot::channel();
                let span = tracing::Span::current();
                let started = Runtime::current().spawn_blocking(move || {
                    let (_span, _entered) = (span.enter(), services.enter());
                    let mut cx = Context::from_waker(std::task::Waker::noop());
                    let result = match guard::call(|| invocation.start(io, &mut cx)) {
                        Ok(Started::Ended(result)) => result,
                        Ok(Started::Future(_)) => Err(JobError::terminal("a thread cannot wait")),
                        Err(panic) => Err(JobError::panicked(panic)),
                    };
                    drop(services);
                    // Nobody waits once the attempt was given up.
                    drop(end.send(result));
                });
                if !started {
                    return Err(JobError::retryable("no thread could be started for the job"));
                }
                let lost = |_| Err(JobError::retryable("the thread of the job has ended"));
                ended.await.unwrap_or_else(lost)
            });
        }
        let mut state = Some(io);
        let mut future = None;
        Box::pin(poll_fn(move |cx| {
            let _entered = services.enter();
            let polled = guard::call(|| match (state.take(), &mut future) {
                (Some(io), _) => match invocation.start(io, cx) {
                    Started::Ended(result) => Poll::Ready(result),
                    Started::Future(started) => {
                        future = Some(started);
                        Poll::Pending
                    }
                },
                (None, Some(future)) => future.as_mut().poll(cx),
                (None, None) => Poll::Ready(Err(JobError::terminal("the attempt is over"))),
            });
            polled.unwrap_or_else(|panic| Poll::Ready(Err(JobError::panicked(panic))))
        }))
    }

    /// Completes when the attempt must stop, or waits for a signal that it does not have.
    async fn interrupted(&self, suspended: oneshot::Receiver<String>) -> Interruption {
        let mut cancelled = self.surroundings.cancelled();
        let mut suspended = suspended;
        let mut timers = [
            self.task.timeouts.start_to_close.map(|_| self.timer(TimeoutKind::StartToClose)),
            self.task.timeouts.heartbeat.map(|_| self.timer(TimeoutKind::Heartbeat)),
        ];
        poll_fn(|cx| {
            if cancelled.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Interruption::Cause(Cause::Cancelled));
            }
            for timer in timers.iter_mut().flatten() {
                if let Poll::Ready(kind) = timer.as_mut().poll(cx) {
                    return Poll::Ready(Interruption::Cause(Cause::TimedOut(kind)));
                }
            }
            match Pin::new(&mut suspended).poll(cx) {
                Poll::Ready(Ok(signal)) => Poll::Ready(Interruption::Suspended(signal)),
                _ => Poll::Pending,
            }
        })
        .await
    }

    /// Completes when the attempt is out of time.
    fn timer(&self, kind: TimeoutKind) -> Pin<Box<dyn Future<Output = TimeoutKind> + Send + '_>> {
        let runtime = Runtime::current();
        Box::pin(async move {
            match kind {
                TimeoutKind::Heartbeat => {
                    let limit = self.task.timeouts.heartbeat.unwrap_or(Duration::MAX);
                    let mut since = Instant::now();
                    loop {
                        let left = limit.saturating_sub(since.elapsed());
                        if left.is_zero() {
                            return kind;
                        }
                        runtime.sleep(left).await;
                        since = self.lock().beat.unwrap_or(since).max(since);
                    }
                }
                _ => {
                    let limit = self.task.timeouts.start_to_close.unwrap_or(Duration::MAX);
                    runtime.sleep(limit).await;
                    kind
                }
            }
        })
    }
}

impl Services for AttemptServices {
    fn engine(&self) -> Arc<dyn Any + Send + Sync> {
        self.engine.0.clone()
    }

    fn inherited(&self, _: u32) -> Arc<dyn Any + Send + Sync> {
        Arc::new(())
    }

    fn states(&self) -> &States {
        &self.engine.0.states
    }

    fn run_id(&self) -> RunId {
        self.task.run
    }

    fn workflow_name(&self) -> String {
        self.task.workflow.clone()
    }

    fn user(&self) -> Option<Arc<str>> {
        self.task.user.clone()
    }

    fn scheduled_for(&self) -> Option<SystemTime> {
        self.task.scheduled_for
    }

    fn job_name(&self, _: u32) -> String {
        self.task.job.clone()
    }

    fn token(&self, _: u32, _: u32) -> Arc<Token> {
        Arc::clone(&self.token)
    }

    fn heartbeat(&self, _: u32, _: u32) {
        self.lock().beat = Some(Instant::now());
        self.surroundings.heartbeat();
    }

    fn deliver(&self, _: u32, _: u32) -> Delivery {
        let state = self.lock();
        match state.stopped {
            _ if state.over => Delivery::Unwanted,
            Some(Cause::TimedOut(_)) => Delivery::Late,
            _ => Delivery::InTime,
        }
    }

    fn reserve_grace(&self, _: u32, _: u32, grace: Duration) -> bool {
        let mut state = self.lock();
        if state.over || state.stopped.is_some() {
            return false;
        }
        state.reserved = grace.max(state.reserved);
        true
    }

    fn annotate(&self, _: u32, _: u32, name: String, value: Json) {
        let mut state = self.lock();
        if !state.over {
            state.annotations.insert(name, value);
        }
    }

    fn print(&self, _: u32, _: u32, stream: OutputStream, text: &str) {
        self.surroundings.print(stream, text);
    }

    fn show(&self, _: u32, _: u32, printed: Printed) {
        self.surroundings.print(printed.stream, &printed.text);
    }

    fn folder(&self) -> Option<PathBuf> {
        self.surroundings.folder()
    }

    fn log(&self) -> Option<(PathBuf, Result<RunLog, Arc<LogError>>)> {
        None
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Runtime::current().sleep(duration)
    }

    fn sleep_durably(&self, _: u32, _: u32, duration: Duration) -> BoxFuture<'static, ()> {
        self.sleep(duration)
    }

    fn wait_signal(&self, _: u32, _: u32, name: String) -> oneshot::Receiver<Json> {
        let (send, receive) = oneshot::channel();
        let mut state = self.lock();
        let signals = self.task.signals.iter().enumerate().skip(state.received);
        let next = signals.into_iter().find(|(_, (signal, _))| *signal == name);
        match next {
            Some((at, (_, payload))) => {
                state.received = at + 1;
                drop(send.send(payload.clone()));
            }
            None => {
                state.unanswered.push(send);
                if let Some(suspend) = state.suspend.take() {
                    drop(suspend.send(name));
                }
            }
        }
        receive
    }

    fn persist_value(&self, _: u32, _: u32, key: String, value: Json) -> bool {
        let mut state = self.lock();
        if state.over {
            return false;
        }
        self.surroundings.persisted(&key, &value);
        state.persisted.insert(key, value);
        true
    }

    fn persisted_value(&self, key: &str) -> Option<Json> {
        self.lock().persisted.get(key).or_else(|| self.task.values.get(key)).cloned()
    }

    fn check_under_way(&self, _: u32, _: u32) -> Result<(), JobError> {
        if self.lock().over { Err(JobError::attempt_over()) } else { Ok(()) }
    }

    fn level(&self) -> u32 {
        1
    }

    fn callers(&self) -> Vec<String> {
        vec![self.task.workflow.clone()]
    }

    fn is_persisted(&self) -> bool {
        true
    }

    fn is_lost(&self) -> bool {
        false
    }

    fn spawn(&self, _: u32, children: Vec<NewChild>) -> Vec<ChildHandle> {
        // Functions with a `WorkflowContext` and maps are part of the run and never come here.
        let refused = |_| {
            let (end, ended) = oneshot::channel();
            let error = "only functions with a `WorkflowContext` and maps may call jobs";
            drop(end.send(Err(JobError::terminal(error))));
            let services: Weak<Self> = Weak::new();
            ChildHandle { job: None, end: ended, services, ended: false }
        };
        children.into_iter().map(refused).collect()
    }

    fn abandon(&self, _: u32) {}

    fn await_run(&self, _: u32, _: Option<RunId>) {}
}

impl Engine {
    /// The closures that replace jobs.
    pub(crate) fn replacements(&self) -> Option<Arc<crate::job::Replacements>> {
        self.0.states.replaced().cloned()
    }
}

impl AttemptOutcome {
    /// The outcome of an attempt that was cancelled before it began.
    pub fn cancelled() -> Self {
        Self::failed(&JobError::of_kind(JobErrorKind::Cancelled, "cancelled before it began"))
    }
}
