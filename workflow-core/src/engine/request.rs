//! A run that has not started: workflow, input, options, and the ways to start it. Checks
//! everything that can be checked before the start, and knows nothing of what follows.

mod future;

use std::any::type_name;
use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value as Json;

use super::Engine;
use super::active::ActiveRun;
use super::durable::lease_renewer::LONGEST_LEASE;
use super::durable::resume::ResumeError;
use super::durable::snapshot::new_run;
use super::handle::RunHandle;
use super::permits::{Inherited, KnownLimits};
use super::runtime::{Caller, Runtime};
use super::state::Role;
use super::worker::driver::Driver;
use super::worker::nesting;
use crate::event::{Event, EventKind};
use crate::flow_control::{Concurrency, Debounce, Fairness, FlowControl, RateLimit};
use crate::guard;
use crate::id::{RunId, check_name};
use crate::job::{JobContext, StateCheck, Unmet, UnmetReason};
use crate::run::{InputError, Report, RunError};
use crate::store::{
    BeginOutcome, IdempotencyKeyError, NewRun, Parent, SharedBy, StoredRun, Trigger,
};
use crate::value::{Boxed, ValueError, to_json};
use crate::workflow::{Plan, PlanError, Workflow};

pub use future::RunFuture;

/// The error of a workflow that cannot be found.
pub type LookupError = Box<dyn Error + Send + Sync>;

/// A type that an engine can run: a [`Workflow`], or the name of a registered one.
pub trait IntoWorkflow {
    /// Returns the workflow.
    ///
    /// # Errors
    ///
    /// Fails if no workflow has that name.
    fn into_workflow(self) -> Result<Arc<dyn Workflow>, LookupError>;
}

impl<W: Workflow> IntoWorkflow for W {
    fn into_workflow(self) -> Result<Arc<dyn Workflow>, LookupError> {
        Ok(Arc::new(self))
    }
}

impl IntoWorkflow for Arc<dyn Workflow> {
    fn into_workflow(self) -> Result<Arc<dyn Workflow>, LookupError> {
        Ok(self)
    }
}

/// A request for a run: set an input, then await it, [`wait`](Self::wait) for it, or
/// [`start`](Self::start) it.
///
/// An awaited run is driven where it is awaited. Dropping the future cancels the run.
#[must_use = "a run begins when it is awaited, waited for, or started"]
pub struct RunRequest {
    engine: Engine,
    workflow: Result<Arc<dyn Workflow>, LookupError>,
    input: Input,
    /// `None` until an option is set.
    store_options: Option<Box<StoreOptions>>,
    user: Option<Arc<str>>,
    /// The outer job, for a child workflow.
    outer: Option<Box<JobContext>>,
}

/// The result of [`RunRequest::enqueue_once`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// The run is new.
    New(RunId),
    /// This run stands for the request: it has the same idempotency key, or the limits of the run
    /// have the request share it.
    Existing(RunId, SharedBy),
    /// The run is new, and on record as cancelled, because of its
    /// [limit](crate::flow_control::OnConflict::CancelNew).
    Cancelled(RunId),
}

impl Enqueued {
    /// The run that is new, or stands for the request.
    pub fn run(self) -> RunId {
        match self {
            Self::New(run) | Self::Existing(run, _) | Self::Cancelled(run) => run,
        }
    }
}

/// Options that only concern the store.
#[derive(Default)]
pub(super) struct StoreOptions {
    pub(super) trigger: Trigger,
    pub(super) idempotency_key: Option<String>,
    pub(super) parent: Option<Parent>,
    pub(super) workflow_id: Option<i64>,
    /// The run that this one retries.
    pub(super) retry_of: Option<RunId>,
    pub(super) task_queue: Option<String>,
    pub(super) priority: i32,
    pub(super) flow_control: FlowControl,
    pub(super) scheduled_for: Option<SystemTime>,
}

/// A checked request: a workflow with its plan and input.
pub(super) struct Runnable {
    pub(super) workflow: Arc<dyn Workflow>,
    pub(super) plan: Arc<Plan>,
    pub(super) input: Option<Boxed>,
    /// The user that requested the run.
    pub(super) user: Option<Arc<str>>,
    /// The time of the schedule for which it runs.
    pub(super) scheduled_for: Option<Box<SystemTime>>,
    /// The nesting level.
    pub(super) level: u32,
    /// The outer job, for a child workflow.
    pub(super) outer: Option<Box<JobContext>>,
    /// The limits and places that it inherits from the outer job.
    pub(super) inherited: Option<Arc<Inherited>>,
    /// The parent folder for the run's output.
    pub(super) runs_dir: Option<Arc<Path>>,
    /// Whether it was claimed with a slot of a concurrency limit.
    pub(super) holds_slot: bool,
    /// Whether it is a child run.
    pub(super) is_child: bool,
}

/// Whether a job that starts the run waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    Yes,
    /// Not as far as the engine knows.
    No,
}

enum Input {
    None,
    Json(Result<Json, ValueError>),
    Value(Boxed, &'static str),
}

impl RunRequest {
    pub(super) fn new(engine: Engine, workflow: Result<Arc<dyn Workflow>, LookupError>) -> Self {
        Self { engine, workflow, input: Input::None, store_options: None, user: None, outer: None }
    }

    /// Sets the idempotency key, 1 to 255 characters: requests of a user with the same key share
    /// one run of the engine's store. Has no effect without a store.
    ///
    /// A repeated request returns the existing run: awaiting it, or its handle, waits for the
    /// report of that run, whichever engine drives it. A request with another workflow or input
    /// fails with [`RunError::KeyConflict`].
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.store_options().idempotency_key = Some(key.into());
        self
    }

    /// Sets why the run starts, which the store records. Default: [`Trigger::Manual`].
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.store_options().trigger = trigger;
        self
    }

    /// Sets the time for which the run stands, such as a time of its schedule, instead of the moment
    /// at which it starts: see [`JobContext::scheduled_for`]. Child workflows have the same time.
    /// Default: none.
    pub fn scheduled_for(mut self, at: SystemTime) -> Self {
        self.store_options().scheduled_for = Some(at);
        self
    }

    /// Sets the name of the user that requests the run, which the store records. Child workflows
    /// have the same user. Default: none.
    pub fn user(mut self, name: impl Into<Arc<str>>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// Sets the id of the workflow in the engine's store. Default: the workflow with the same name,
    /// owner and source.
    pub fn workflow_id(mut self, id: i64) -> Self {
        self.store_options().workflow_id = Some(id);
        self
    }

    /// Sets the run that this one retries, which its first event names. It has the task queue, the
    /// priority and the [time](Self::scheduled_for) of that run.
    pub fn retry_of(mut self, run: &StoredRun) -> Self {
        let options = self.store_options();
        options.retry_of = Some(run.id);
        options.task_queue = Some(run.task_queue.clone());
        options.priority = run.priority;
        options.scheduled_for = run.scheduled_for;
        self
    }

    /// Sets the task queue in which the run waits for a worker, when it is
    /// [enqueued](Self::enqueue) or when its engine dies. 1 to 200 printable characters. Default: the
    /// queue of the workflow's domain; see
    /// [`EngineBuilder::queue_prefix`](crate::engine::EngineBuilder::queue_prefix).
    pub fn task_queue(mut self, name: impl Into<String>) -> Self {
        self.store_options().task_queue = Some(name.into());
        self
    }

    /// Sets the priority of the run among those of its task queue: higher ones begin first.
    /// Default: 0.
    pub fn priority(mut self, priority: i32) -> Self {
        self.store_options().priority = priority;
        self
    }

    /// Sets the most runs with the same key that are in progress at once, instead of that of the
    /// workflow.
    pub fn concurrency(mut self, limit: Concurrency) -> Self {
        self.store_options().flow_control.concurrency = Some(limit);
        self
    }

    /// Returns the run of the workflow that is in progress or waits, if there is one, instead of
    /// starting another: see [`Concurrency::singleton`].
    pub fn singleton(self) -> Self {
        self.concurrency(Concurrency::singleton())
    }

    /// Sets the most runs with the same key that begin in a period, instead of that of the workflow.
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.store_options().flow_control.rate_limit = Some(limit);
        self
    }

    /// Delays the run, and lets later requests with the same key replace its input, instead of the
    /// debounce of the workflow.
    pub fn debounce(mut self, debounce: Debounce) -> Self {
        self.store_options().flow_control.debounce = Some(debounce);
        self
    }

    /// Sets the key whose runs take turns with those of other keys in the task queue, instead of
    /// that of the workflow.
    pub fn fairness(mut self, fairness: Fairness) -> Self {
        self.store_options().flow_control.fairness = Some(fairness);
        self
    }

    /// Sets the outer job, for the store.
    pub(crate) fn parent(mut self, parent: Parent) -> Self {
        self.store_options().parent = Some(parent);
        self
    }

    /// The run that this one retries.
    pub(super) fn retried(&self) -> Option<RunId> {
        self.store_options.as_ref().and_then(|options| options.retry_of)
    }

    fn store_options(&mut self) -> &mut StoreOptions {
        self.store_options.get_or_insert_default()
    }

    /// Sets the input, which is passed as JSON: any value of the right shape.
    pub fn input(mut self, input: impl Serialize) -> Self {
        self.input = Input::Json(to_json(&input));
        self
    }

    /// Sets the input to a value of exactly the type that the workflow takes. It need not implement
    /// `Serialize`.
    pub fn input_value<T: Send + Sync + 'static>(mut self, input: T) -> Self {
        self.input = Input::Value(Box::new(input), type_name::<T>());
        self
    }

    /// Sets the outer job. Output of the run's jobs becomes output of that job.
    pub(super) fn inside(mut self, job: JobContext) -> Self {
        self.outer = Some(Box::new(job));
        self
    }

    /// Starts the run in the background: on the current tokio runtime, or without one on a thread
    /// pool of the library.
    ///
    /// # Errors
    ///
    /// Fails if there is no such workflow, if its graph cannot run, or if the input does not fit.
    pub fn start(self) -> Result<RunHandle, RunError> {
        let run = self.begin(Runtime::current(), Waits::No)?;
        // Now, because the engine may be shut down before the run waits for something.
        run.lock().enter(&run);
        run.drive_in_background();
        if run.has_limits() && run.outer.is_none() {
            // Nobody may wait for the run, which continues here once its limits allow that.
            run.spawn_restartable(|run| Box::pin(async move { drop(run.outcome().await) }));
        }
        Ok(RunHandle(run))
    }

    /// Queues the run for any engine that [serves](Engine::serve) the same store, and returns its
    /// id once the store has it. If another run stands for the request, returns that run's id:
    /// see [`enqueue_once`](Self::enqueue_once).
    ///
    /// # Errors
    ///
    /// Fails if the engine has no store, if the run cannot start, or if the store rejects it.
    pub async fn enqueue(self) -> Result<RunId, RunError> {
        self.enqueue_once().await.map(Enqueued::run)
    }

    /// Queues the run like [`enqueue`](Self::enqueue), and tells whether it is new, or
    /// which run stands for it, and why.
    ///
    /// # Errors
    ///
    /// As [`enqueue`](Self::enqueue).
    pub async fn enqueue_once(self) -> Result<Enqueued, RunError> {
        let engine = self.engine.clone();
        let Some(store) = engine.store() else {
            let run = RunId::random();
            return Err(RunError::Resume { run, error: Box::new(ResumeError::NoStore) });
        };
        let (what, store_options) = self.check(Waits::No)?;
        let retry_of = store_options.as_ref().and_then(|store_options| store_options.retry_of);
        let mut new = guarded(&*what.workflow, || new_run(&engine.0, &what, store_options))?;
        engine.check_enforced(&new)?;
        new.owner = None;
        let name = new.workflow.name.clone();
        let run = new.id;
        let started = Event::new(0, new.created_at, EventKind::RunStarted { retry_of });
        let events = new.first_events(&[started]);
        match store.begin(new, events).await {
            Ok(BeginOutcome::New(_)) => Ok(Enqueued::New(run)),
            Ok(BeginOutcome::Cancelled) => Ok(Enqueued::Cancelled(run)),
            Ok(BeginOutcome::Existing(found, by)) => Ok(Enqueued::Existing(found.id, by)),
            Err(error) => Err(RunError::of_store(&name, run, Arc::new(error))),
        }
    }

    /// Runs to the end, blocking the calling thread. For hosts without async code, and for threads
    /// that may block, such as those of `tokio::task::spawn_blocking`. In async code, await the
    /// request.
    ///
    /// In a task of a multi-thread tokio runtime, the call occupies a worker until the run ends.
    ///
    /// # Errors
    ///
    /// Fails if the run cannot start, fails, or is cancelled; the latter errors hold the report.
    /// Fails with [`RunError::WouldBlock`] before the run starts on the thread that drives a
    /// current-thread runtime of tokio.
    pub fn wait(self) -> Result<Report, RunError> {
        let role = match Caller::here() {
            Caller::Only => return Err(RunError::WouldBlock),
            Caller::Free | Caller::Pool => Some(Role::Thread),
            // Not on this thread: a blocking function may call an executor of its own, which fails
            // here.
            Caller::Entered => Some(Role::Driver),
            Caller::Worker => None,
        };
        let run = self.begin(Runtime::for_blocked_thread(), Waits::Yes)?;
        let Some(role) = role else {
            // On another thread, so that this worker's queue is free for others.
            return run.drive_on_thread();
        };
        // Unlike the one of `futures`, this `block_on` may be called by a job that it is polling.
        pollster::block_on(Driver::new(Arc::clone(&run), role));
        run.settled().unwrap_or_else(|| pollster::block_on(run.outcome()))
    }

    fn begin(self, runtime: Runtime, waits: Waits) -> Result<Arc<ActiveRun>, RunError> {
        let engine = self.engine.clone();
        let (what, store_options) = self.check(waits)?;
        if engine.is_stopping() {
            let workflow = what.workflow.name().to_string();
            return Err(RunError::ShutDown { workflow, run: None });
        }
        engine.check_state(&what)?;
        let retry_of = store_options.as_ref().and_then(|store_options| store_options.retry_of);
        let new_run = match engine.0.lease_renewer {
            Some(_) => {
                let new = guarded(&*what.workflow, || new_run(&engine.0, &what, store_options))?;
                Some(Arc::new(new))
            }
            None => engine.check_unlimited(&what, store_options.as_deref()).map(|()| None)?,
        };
        if let Some(new) = &new_run {
            engine.check_enforced(new)?;
        }
        Ok(ActiveRun::new(&engine, runtime, what, new_run, retry_of))
    }

    /// Checks a run that its caller drives, on an engine of its own that `delegated` creates.
    pub(super) fn check_delegated(
        self,
        id: RunId,
        delegated: impl FnOnce(&Engine) -> Engine,
    ) -> Result<(Engine, Runnable, NewRun), RunError> {
        let engine = self.engine.clone();
        let (what, store_options) = self.check(Waits::No)?;
        engine.check_state(&what)?;
        engine.check_unlimited(&what, store_options.as_deref())?;
        let engine = delegated(&engine);
        let new = guarded(&*what.workflow, || new_run(&engine.0, &what, store_options))?;
        let owner = engine.0.delegation.as_ref().map(|delegation| delegation.owner);
        let new = NewRun { id, owner, idempotency_key: None, ..new };
        Ok((engine, what, new))
    }

    /// Checks that the run can start.
    fn check(self, waits: Waits) -> Result<(Runnable, Option<Box<StoreOptions>>), RunError> {
        let workflow = self.workflow.map_err(RunError::Registry)?;
        let name = || workflow.name().to_string();
        if let Some(store_options) = &self.store_options
            && let (Some(key), None) = (&store_options.idempotency_key, &store_options.parent)
        {
            let invalid = |error| RunError::InvalidKey { workflow: name(), error };
            IdempotencyKeyError::check(key).map_err(invalid)?;
        }
        if let Some(store_options) = &self.store_options
            && let Some(queue) = &store_options.task_queue
        {
            let invalid = |error| RunError::InvalidQueue { workflow: name(), error };
            check_name(queue).map_err(invalid)?;
        }
        let level = nesting::level_of(&name, self.outer.as_deref(), waits == Waits::Yes)?;
        let (input, plan) = guarded(&*workflow, || plan(self.input, &*workflow))?;
        let inherited = self.outer.as_deref().and_then(inherited);
        let Self { engine, user, store_options, outer, .. } = self;
        let runs_dir = engine.runs_dir_of(&*workflow);
        let scheduled_for = store_options.as_ref().and_then(|options| options.scheduled_for);
        let what = Runnable {
            workflow,
            plan,
            input,
            user,
            scheduled_for: scheduled_for.map(Box::new),
            level,
            is_child: outer.is_some(),
            outer,
            inherited,
            runs_dir,
            holds_slot: false,
        };
        engine.check_limits(&what)?;
        if let Some(lease_renewer) = &engine.0.lease_renewer
            && lease_renewer.lease() > LONGEST_LEASE
        {
            let (workflow, lease) = (what.workflow.name().to_string(), lease_renewer.lease());
            return Err(RunError::LongLease { workflow, lease, longest: LONGEST_LEASE });
        }
        Ok((what, store_options))
    }
}

/// Calls a workflow, which may be code of the host, behind the guard.
fn guarded<T>(
    workflow: &dyn Workflow,
    ask: impl FnOnce() -> Result<T, RunError>,
) -> Result<T, RunError> {
    guard::call(ask).unwrap_or_else(|panic| {
        let workflow = guard::call(|| workflow.name().to_string()).unwrap_or_default();
        Err(RunError::Plan { workflow, error: PlanError::Panicked(panic) })
    })
}

/// Converts the input, and plans the workflow for it.
fn plan(input: Input, workflow: &dyn Workflow) -> Result<(Option<Boxed>, Arc<Plan>), RunError> {
    let name = || workflow.name().to_string();
    let input = convert_input(input, workflow)
        .map_err(|error| RunError::Input { workflow: name(), error })?;
    workflow.ready().map_err(|reason| RunError::NotReady { workflow: name(), reason })?;
    let plan = workflow
        .plan(input.as_deref())
        .map_err(|error| RunError::Plan { workflow: name(), error })?;
    Ok((input, plan))
}

/// Converts the given input into the type that the workflow takes.
fn convert_input(input: Input, workflow: &dyn Workflow) -> Result<Option<Boxed>, InputError> {
    let Some(wanted) = workflow.input() else {
        return match input {
            Input::None | Input::Json(Ok(Json::Null)) => Ok(None),
            _ => Err(InputError::Unwanted),
        };
    };
    match input {
        // An optional input may be omitted.
        Input::None => match wanted.read(Json::Null) {
            Ok(value) => Ok(Some(value)),
            Err(error @ ValueError::Panicked { .. }) => Err(InputError::Shape(error)),
            Err(_) => Err(InputError::Missing { wanted: wanted.name() }),
        },
        Input::Json(json) => {
            json.and_then(|json| wanted.read(json)).map(Some).map_err(InputError::Shape)
        }
        Input::Value(value, _) if wanted.holds(&*value) => Ok(Some(value)),
        Input::Value(_, found) => Err(InputError::Type { wanted: wanted.name(), found }),
    }
}

/// What a run inside of this job inherits.
pub(super) fn inherited(job: &JobContext) -> Option<Arc<Inherited>> {
    job.inherited()?.downcast().ok()
}

impl Engine {
    /// Checks that the store of the engine enforces the limits of a run.
    fn check_enforced(&self, new: &NewRun) -> Result<(), RunError> {
        let enforces = || self.store().is_some_and(|store| store.enforces_limits());
        if !new.flow_control.has_limits() || enforces() {
            return Ok(());
        }
        Err(RunError::LimitsNotEnforced { workflow: new.workflow.name.clone() })
    }

    /// Checks that a run of an engine without a store has no limits.
    #[inline]
    fn check_unlimited(
        &self,
        what: &Runnable,
        options: Option<&StoreOptions>,
    ) -> Result<(), RunError> {
        let own = what.workflow.metadata().flow_control();
        let requested = options.map(|options| &options.flow_control);
        if !own.into_iter().chain(requested).any(FlowControl::has_limits) {
            return Ok(());
        }
        Err(RunError::LimitsNotEnforced { workflow: what.workflow.name().to_string() })
    }

    /// Checks that the engine has the state, and can provide the parameters, of all jobs and child
    /// workflows. Jobs that a function calls are checked when it calls them.
    #[inline]
    pub(super) fn check_state(&self, what: &Runnable) -> Result<(), RunError> {
        if what.plan.needs.is_empty() {
            return Ok(());
        }
        let mut check = StateCheck::new(&self.0.states);
        what.plan.check_state(what.workflow.name().as_str(), &mut check);
        check.unmet.pop().map_or(Ok(()), |unmet| Err(self.unmet(unmet)))
    }

    fn unmet(&self, Unmet { workflow, job, why }: Unmet) -> RunError {
        match why {
            UnmetReason::State(state) => {
                RunError::MissingState { workflow, job, state, known: self.0.states.names() }
            }
            UnmetReason::Parameter(error) => RunError::Parameter { workflow, job, error },
        }
    }

    /// Checks the [parameters](crate::job::FromContext) that the jobs of a workflow take, such as
    /// configuration, and returns all problems. A host can do so when it starts; a run is checked
    /// in any case before it begins.
    ///
    /// [State](crate::State) is not checked. A workflow whose graph depends on its input, or cannot
    /// be drawn, has no problems before a run of it begins.
    pub fn check_parameters(&self, workflow: &dyn Workflow) -> Vec<RunError> {
        let plan = guard::call(|| workflow.plan(None));
        let Ok(Ok(plan)) = plan else { return Vec::new() };
        let mut check = StateCheck::of_parameters(&self.0.states);
        plan.check_state(workflow.name().as_str(), &mut check);
        check.unmet.into_iter().map(|unmet| self.unmet(unmet)).collect()
    }

    /// Checks that all limits that jobs name exist. Jobs that are started by jobs are checked when
    /// they start.
    pub(super) fn check_limits(&self, what: &Runnable) -> Result<(), RunError> {
        let Runnable { workflow, plan, inherited, .. } = what;
        if plan.graph.policies.is_empty() && plan.extras.is_empty() {
            return Ok(());
        }
        let (engine, workflow_limits) = (&self.0.limits, &plan.limits);
        let inherited = inherited.as_deref();
        let known = KnownLimits { engine, workflow: workflow_limits, inherited };
        let policies = plan.graph.policies.iter().map(|(job, policy)| (*job, &policy.limits[..]));
        let compensations = plan.extras.iter().filter_map(|(job, extras)| {
            let options = extras.compensation.as_ref()?.call.options.as_ref()?;
            Some((*job, &options.limits[..]))
        });
        let missing = |(job, limits): (u32, _)| Some((job, known.missing(limits)?));
        let Some((job, limit)) = policies.chain(compensations).filter_map(missing).min() else {
            return Ok(());
        };
        Err(RunError::UnknownLimit {
            workflow: workflow.name().to_string(),
            job: plan.graph.names.get(job as usize).to_owned(),
            limit: limit.to_owned(),
            known: known.names(),
        })
    }
}

impl fmt::Debug for RunRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workflow = self.workflow.as_ref().map(|workflow| workflow.name());
        f.debug_struct("RunRequest").field("workflow", &workflow).finish_non_exhaustive()
    }
}
