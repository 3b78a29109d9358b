//! Runs whose caller polls them and whose attempts an [`Executor`] makes elsewhere.
//!
//! The engine decides as always: order, conditions, retries, signals, compensation. It keeps the
//! record of such a run in memory. Attempts, child workflows and time come from outside, so a run
//! whose executor and clock answer the same makes the same decisions. A workflow service that
//! replays histories, such as Temporal, needs exactly that.
//!
//! | module | holds |
//! |---|---|
//! | `task` | an attempt as data, for another process |
//! | `attempt` | one attempt outside of its run: its services, timeouts and grace period |
//! | `record` | the record of a run as data, with which another process continues |
//!
//! This module does not know where attempts are made, and finds no functions by name.

mod attempt;
mod record;
mod task;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Either, select};
use serde_json::Value as Json;

use super::active::ActiveRun;
use super::clock::Time;
use super::request::RunRequest;
use super::runtime::Runtime;
use super::state::{Child, Role};
use super::worker::driver::Driver;
use super::{Clock, Engine, EngineLimits, Shared};
use crate::event::Event;
use crate::id::RunId;
use crate::job::{BodyFuture, JobError, JobErrorKind, RegisteredJobs, Services as _, Token};
use crate::run::{Report, RunError};
use crate::store::{MemoryStore, Owner, OwnerId, Store};

pub(crate) use attempt::Invocation;
pub use attempt::Surroundings;
pub use record::RecordedRun;
pub use task::{AttemptOutcome, AttemptResult, JobAddress, JobTask, TaskInputs};

/// Whether another process with the same workflows can make the attempt.
pub fn is_addressable(attempt: &AttemptRequest) -> bool {
    match (&attempt.task.address, attempt.invocation.as_call()) {
        (Some(JobAddress::Graph { .. } | JobAddress::Compensation { .. }), _) => true,
        (Some(JobAddress::Registry), Some(call)) => RegisteredJobs::contain(call),
        _ => false,
    }
}

/// The error of an attempt that the workers of its task queue cannot find, because it is not
/// [addressable](is_addressable).
pub fn not_addressable(function: &str, queue: &str) -> JobError {
    JobError::terminal(format!(
        "`{function}` is a closure, or a call with arguments that are not inputs, so the workers of \
         task queue `{queue}` cannot find it; make it a function with `#[job]` that takes all of its \
         values as inputs"
    ))
}

/// Makes the attempts of a run elsewhere, and runs its child workflows.
///
/// The engine calls an executor while the run is polled. The futures are polled there too, one
/// after the other, so they may not block.
pub trait Executor: Send + Sync + 'static {
    /// Makes one attempt of a job and returns its outcome. The engine decides about retries.
    ///
    /// When [`AttemptRequest::stop`] is set, the attempt must be cancelled, and its outcome is
    /// returned once it has stopped. Dropping the future means that nobody needs the outcome.
    fn execute(&self, attempt: AttemptRequest) -> BoxFuture<'static, AttemptOutcome>;

    /// Runs a workflow as a child of this run and returns its output, or null without one.
    ///
    /// When [`ChildRequest::stop`] is set, the child must be cancelled, and its outcome is returned
    /// once it has ended.
    ///
    /// # Errors
    ///
    /// Fails if the child cannot start or does not complete.
    fn run_child(&self, child: ChildRequest) -> BoxFuture<'static, Result<Json, JobError>>;
}

/// A request for one attempt of a job.
#[derive(Clone)]
pub struct AttemptRequest {
    /// The attempt as data.
    pub task: JobTask,
    /// Asks the attempt to stop.
    pub stop: Stop,
    pub(crate) invocation: Invocation,
}

impl AttemptRequest {
    /// Makes the attempt in this process, with the inputs that the run holds. For jobs that another
    /// process cannot find: closures, and calls with arguments that are not inputs.
    ///
    /// `engine` provides the application state.
    pub async fn perform_here(
        &self,
        engine: &Engine,
        surroundings: Arc<dyn Surroundings>,
    ) -> AttemptOutcome {
        self.invocation.clone().execute(engine, self.task.clone(), surroundings).await
    }
}

/// A request for a child workflow.
#[derive(Clone)]
pub struct ChildRequest {
    /// The name of the workflow.
    pub workflow: String,
    /// The name of the job that runs it.
    pub job: String,
    /// The number of the job's attempt, from 1.
    pub attempt: u32,
    /// The input; `None` for a workflow without one.
    pub input: Option<Json>,
    /// The user that requested the run.
    pub user: Option<Arc<str>>,
    /// The time of the schedule for which the run stands.
    pub scheduled_for: Option<SystemTime>,
    /// Asks the child to stop.
    pub stop: Stop,
}

/// A request to stop, set while the run is polled.
#[derive(Clone)]
pub struct Stop(Arc<Token>);

impl Stop {
    pub(crate) fn new(token: Arc<Token>) -> Self {
        Self(token)
    }

    /// Whether the stop is requested.
    pub fn is_set(&self) -> bool {
        self.0.is_set()
    }

    /// Completes when the stop is requested.
    pub async fn requested(&self) {
        self.0.wait().await;
    }
}

/// What an engine with delegated runs holds.
pub(in crate::engine) struct Delegation {
    executor: Arc<dyn Executor>,
    /// The record of the run.
    journal: Arc<MemoryStore>,
    pub(super) owner: Owner,
}

/// A run that its caller drives by polling, with an [`Executor`] for its attempts. Create it with
/// [`RunRequest::delegate`].
///
/// The future is ready when the run has ended. It wakes its task only while it is polled, and when
/// a future of the executor or the clock is woken; wake-ups from elsewhere mean that the workflow
/// waits for something that the run does not control.
///
/// ```
/// use std::sync::Arc;
/// use futures::future::{BoxFuture, FutureExt as _};
/// use workflow_core::executor::{
///     AttemptOutcome, AttemptRequest, ChildRequest, Executor, NoSurroundings, execute,
/// };
/// use workflow_core::engine::SystemClock;
/// use workflow_core::prelude::*;
/// use workflow_core::id::RunId;
///
/// #[job]
/// async fn double(number: u64) -> u64 { number * 2 }
///
/// #[register_workflow(name = "doubles")]
/// fn doubles(flow: &mut Flow, number: Handle<u64>) -> Handle<u64> {
///     flow.job(double(number))
/// }
///
/// /// Makes attempts in this process, from their serialized form.
/// struct Here(Engine);
///
/// impl Executor for Here {
///     fn execute(&self, attempt: AttemptRequest) -> BoxFuture<'static, AttemptOutcome> {
///         let engine = self.0.clone();
///         async move { execute(&engine, attempt.task, Arc::new(NoSurroundings)).await }.boxed()
///     }
///
///     fn run_child(&self, _: ChildRequest) -> BoxFuture<'static, Result<serde_json::Value, JobError>> {
///         async { Err(JobError::terminal("there are no child workflows here")) }.boxed()
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let run = engine
///     .run("doubles")
///     .input(4_u64)
///     .delegate(Here(engine.clone()), SystemClock, RunId::random())?;
/// let report = futures::executor::block_on(run)?;
/// assert_eq!(report.output::<u64>()?, 8);
/// # Ok(())
/// # }
/// ```
#[must_use = "a delegated run makes progress only when it is polled"]
pub struct DelegatedRun {
    run: Arc<ActiveRun>,
    driver: Driver,
}

impl RunRequest {
    /// Begins the run with this ID, for the caller to poll. The executor makes its attempts, and
    /// the clock tells its time.
    ///
    /// The engine provides application state and the names of limits. Its store, its own limits and
    /// its clock are not used: the record of the run is in memory, and the executor decides how
    /// many attempts run at once. A job's own timeouts are part of its [`JobTask`].
    ///
    /// # Errors
    ///
    /// As [`RunRequest::start`]. Also fails if an input or output of the workflow does not
    /// serialize to JSON, and if the workflow limits its runs.
    pub fn delegate(
        self,
        executor: impl Executor,
        clock: impl Clock,
        id: RunId,
    ) -> Result<DelegatedRun, RunError> {
        let retry_of = self.retried();
        let (engine, what, new) = self.check_delegated(id, delegated(executor, clock))?;
        let run = ActiveRun::new(&engine, Runtime::current(), what, Some(Arc::new(new)), retry_of);
        Ok(DelegatedRun::of(run))
    }
}

/// Creates the engine of one delegated run.
fn delegated(executor: impl Executor, clock: impl Clock) -> impl FnOnce(&Engine) -> Engine {
    // A manual clock moves when its caller moves it, and not when this run is idle.
    |engine| engine.delegated(Arc::new(executor), Time::Given(Arc::new(clock)))
}

impl Shared {
    /// The store for the record of a run, if runs are recorded.
    pub(super) fn record_store(&self) -> Option<Arc<dyn Store>> {
        match &self.delegation {
            Some(delegation) => Some(Arc::clone(&delegation.journal) as Arc<dyn Store>),
            None => self.lease_renewer.as_ref().map(|renewer| Arc::clone(renewer.store())),
        }
    }

    /// The executor of child workflows, if they run elsewhere.
    pub(super) fn executor(&self) -> Option<&Arc<dyn Executor>> {
        self.delegation.as_ref().map(|delegation| &delegation.executor)
    }
}

impl Engine {
    /// Creates the engine of one delegated run, with the state and the named limits of this one.
    fn delegated(&self, executor: Arc<dyn Executor>, time: Time) -> Self {
        let (_, limits) = self.0.limits.sizes();
        let mut builder = self.to_builder();
        (builder.store, builder.threads) = (None, 1);
        let Self(shared) = builder.build();
        let owner = Owner { id: OwnerId::random(), lifetime: super::LEASE };
        let delegation = Delegation { executor, journal: Arc::default(), owner };
        let shared = Arc::into_inner(shared).map(|shared| Shared {
            time,
            // A permit that another run holds would be something that a replay cannot repeat.
            limits: EngineLimits::new(None, limits),
            persists: true,
            runs_dir: None,
            delegation: Some(delegation),
            ..shared
        });
        Self(Arc::new(shared.expect("the engine was built here and has no other handle")))
    }
}

impl DelegatedRun {
    fn of(run: Arc<ActiveRun>) -> Self {
        let driver = Driver::new(Arc::clone(&run), Role::Driver);
        Self { run, driver }
    }

    /// The run's ID.
    pub fn id(&self) -> RunId {
        self.run.id
    }

    /// Returns a handle for requests to the run, which may outlive it.
    pub fn control(&self) -> RunControl {
        RunControl(Arc::clone(&self.run))
    }
}

impl Future for DelegatedRun {
    type Output = Result<Report, RunError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if Pin::new(&mut self.driver).poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.run.poll_end(cx)
    }
}

/// Requests to a [`DelegatedRun`], which take effect when it is polled next.
#[derive(Clone)]
pub struct RunControl(Arc<ActiveRun>);

impl RunControl {
    /// Sends a signal to the run, for a job that waits for this name now or later.
    pub fn signal(&self, name: impl Into<String>, payload: Json) {
        self.0.signal(name.into(), payload, None);
    }

    /// Cancels the run. Its jobs stop first.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// The names of the signals for which jobs wait, sorted. Empty if none waits.
    pub fn awaited_signals(&self) -> Vec<String> {
        self.0.lock().awaited_signals()
    }

    /// The recorded events from the one with this sequence number on.
    pub fn events(&self, from: u64) -> Vec<Event> {
        let Some(delegation) = &self.0.engine.delegation else { return Vec::new() };
        // A store in memory answers at once.
        let events = delegation.journal.events(self.0.id, from, usize::MAX).now_or_never();
        events.and_then(Result::ok).unwrap_or_default()
    }
}

/// The attempts of one launch of a delegated run, by its executor.
pub(in crate::engine) fn attempt(
    run: &Arc<ActiveRun>,
    delegation: &Delegation,
    job: u32,
    attempt: u32,
) -> BodyFuture {
    let executor = Arc::clone(&delegation.executor);
    attempt_by(run, job, attempt, move |request| executor.execute(request))
}

/// All attempts of one launch: one, unless the job waits for signals.
pub(in crate::engine) fn attempt_by(
    run: &Arc<ActiveRun>,
    job: u32,
    attempt: u32,
    execute: impl Fn(AttemptRequest) -> BoxFuture<'static, AttemptOutcome> + Send + 'static,
) -> BodyFuture {
    // The future belongs to the run.
    let run = Arc::downgrade(run);
    Box::pin(async move {
        let ended = || JobError::of_kind(JobErrorKind::Cancelled, "the run has ended");
        let live = || run.upgrade().ok_or_else(ended);
        let mut request = request(&live()?, job, attempt)?;
        loop {
            let outcome = execute(request.clone()).await;
            let run = live()?;
            for (key, value) in outcome.persisted {
                run.persist_value(job, attempt, key, value);
            }
            for (name, value) in outcome.annotations {
                run.annotate(job, attempt, name, value);
            }
            let signal = match outcome.result {
                AttemptResult::Completed(output) => return run.restore_output(job, output),
                AttemptResult::Failed(failure) => return Err(failure.into()),
                AttemptResult::AwaitsSignal(signal) => signal,
            };
            let received = run.wait_signal(job, attempt, signal.clone());
            drop(run);
            let payload = match select(received, pin!(request.stop.requested())).await {
                Either::Left((payload, _)) => payload.map_err(|_| ended())?,
                Either::Right(_) => {
                    let error = format!("cancelled while it waited for signal `{signal}`");
                    return Err(JobError::of_kind(JobErrorKind::Cancelled, error));
                }
            };
            request.task.signals.push((signal, payload));
            request.task.values = live()?.lock().persisted_values();
        }
    })
}

impl ActiveRun {
    /// Stores the output of a job that was made elsewhere.
    fn restore_output(&self, job: u32, output: Json) -> Result<(), JobError> {
        let child = self.lock().children.get(&job).map(|child| Child {
            call: Arc::clone(&child.call),
            frame: Arc::clone(&child.frame),
            end: None,
        });
        match child {
            Some(child) => super::durable::replay::restore(&child, Some(Arc::new(output))),
            None => self.run_values.restore(job, output).map_err(JobError::of_value),
        }
    }

    /// The token that stops the running attempt of a job.
    fn token_of(&self, job: u32) -> Arc<Token> {
        Arc::clone(self.lock().tokens.entry(job).or_default())
    }
}

/// Describes an attempt for the executor.
fn request(run: &Arc<ActiveRun>, job: u32, attempt: u32) -> Result<AttemptRequest, JobError> {
    let stop = Stop::new(run.token_of(job));
    let invocation = Invocation::of(run, job, attempt);
    let mut task = task::describe(run, job, attempt, &invocation)?;
    // Those that the attempt received before the run was resumed.
    task.signals = run.lock().take_recorded_signals(job, attempt);
    Ok(AttemptRequest { task, stop, invocation })
}
