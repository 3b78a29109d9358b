//! A run that has not begun: workflow, input, and the three ways to begin.

use std::any::type_name;
use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::Value as Json;

use super::Engine;
use super::active::ActiveRun;
use super::durable::lease_renewer::LONGEST_LEASE;
use super::durable::resume::ResumeError;
use super::durable::snapshot::new_run;
use super::handle::RunHandle;
use super::permits::{Inherited, KnownLimits};
use super::runtime::{Caller, Runtime, Unconstrained, unconstrained};
use super::state::Role;
use super::worker::driver::Driver;
use super::worker::nesting;
use crate::event::{Event, EventKind};
use crate::guard;
use crate::id::RunId;
use crate::job::{JobContext, MissingState, StateCheck};
use crate::run::{InputError, Report, RunError};
use crate::store::{BeginOutcome, KeyError, Parent, Trigger};
use crate::value::{Boxed, ValueError, to_json};
use crate::workflow::{Plan, PlanError, Workflow};

/// Why a workflow is not to be had.
pub type LookupError = Box<dyn Error + Send + Sync>;

/// What an engine can run: a [`Workflow`], or the name of one in the registry.
pub trait IntoWorkflow {
    /// The workflow.
    ///
    /// # Errors
    ///
    /// Fails when there is none of that name.
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

/// A run to be: give it an input, then await it, [`wait`](Self::wait) for it, or
/// [`start`](Self::start) it.
///
/// Awaited, the run is driven where it is awaited, and dropping the future cancels it.
#[must_use = "a run begins when it is awaited, waited for, or started"]
pub struct RunRequest {
    engine: Engine,
    workflow: Result<Arc<dyn Workflow>, LookupError>,
    input: Input,
    /// Absent while nothing was said.
    terms: Option<Box<Terms>>,
    user: Option<Arc<str>>,
    /// The job that the run is inside of.
    outer: Option<Box<JobContext>>,
}

/// A run that was left to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It was not there before.
    New(RunId),
    /// It began before under the same idempotency key.
    Existing(RunId),
}

/// What only a store asks for.
#[derive(Default)]
pub(super) struct Terms {
    pub(super) trigger: Trigger,
    pub(super) idempotency_key: Option<String>,
    pub(super) parent: Option<Parent>,
    pub(super) workflow_id: Option<i64>,
    /// The run that this one repeats.
    pub(super) repeats: Option<RunId>,
}

/// A workflow with its plan for an input that fits.
pub(super) struct Runnable {
    pub(super) workflow: Arc<dyn Workflow>,
    pub(super) plan: Arc<Plan>,
    pub(super) input: Option<Boxed>,
    /// Who asked for the run.
    pub(super) user: Option<Arc<str>>,
    /// How many runs it is inside of, and itself.
    pub(super) level: u32,
    /// The job that it is inside of.
    pub(super) outer: Option<Box<JobContext>>,
    /// What it has from that job.
    pub(super) inherited: Option<Arc<Inherited>>,
    /// Where it has a folder.
    pub(super) runs_dir: Option<Arc<Path>>,
}

/// Whether a job that begins the run waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    Yes,
    /// Not that the engine knows.
    No,
}

enum Input {
    None,
    Json(Result<Json, ValueError>),
    Value(Boxed, &'static str),
}

impl RunRequest {
    pub(super) fn new(engine: Engine, workflow: Result<Arc<dyn Workflow>, LookupError>) -> Self {
        Self { engine, workflow, input: Input::None, terms: None, user: None, outer: None }
    }

    /// Sets the idempotency key, 1 to 255 characters: requests of one user with the same key are one
    /// run of the engine's store. Without a store it has no effect.
    ///
    /// A request that repeats an earlier one is given that run: awaiting it, or its handle, waits
    /// for the report of the earlier run, whoever drives it. One with another workflow or another
    /// input ends in [`RunError::KeyConflict`].
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.terms().idempotency_key = Some(key.into());
        self
    }

    /// Sets why the run begins, which its store keeps. Default: [`Trigger::Manual`].
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.terms().trigger = trigger;
        self
    }

    /// Sets who asks for the run: the name of a user, which the engine's store keeps. The runs of
    /// workflows inside of it have the same user. Default: nobody.
    pub fn user(mut self, name: impl Into<Arc<str>>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// Sets the number by which the engine's store knows the workflow. Default: the run joins the
    /// workflow of this name that has the same owner and source.
    pub fn workflow_id(mut self, id: i64) -> Self {
        self.terms().workflow_id = Some(id);
        self
    }

    /// Sets the run that this one repeats, which its first event names.
    pub fn repeats(mut self, run: RunId) -> Self {
        self.terms().repeats = Some(run);
        self
    }

    /// Makes the run a part of a job of another run.
    pub(crate) fn parent(mut self, parent: Parent) -> Self {
        self.terms().parent = Some(parent);
        self
    }

    fn terms(&mut self) -> &mut Terms {
        self.terms.get_or_insert_default()
    }

    /// Sets the input, which reaches the workflow by way of JSON: anything of the right shape.
    pub fn input(mut self, input: impl Serialize) -> Self {
        self.input = Input::Json(to_json(&input));
        self
    }

    /// Sets the input to a value of the very type that the workflow takes. It need not serialise.
    pub fn input_value<T: Send + Sync + 'static>(mut self, input: T) -> Self {
        self.input = Input::Value(Box::new(input), type_name::<T>());
        self
    }

    /// Makes it a run inside of a job: what its jobs print is what that job prints.
    pub(super) fn inside(mut self, job: JobContext) -> Self {
        self.outer = Some(Box::new(job));
        self
    }

    /// Starts the run in the background: on the tokio runtime that this is called in, and
    /// elsewhere on a thread pool of the library.
    ///
    /// # Errors
    ///
    /// Fails when there is no such workflow, when its graph cannot run, or when the input does
    /// not fit.
    pub fn start(self) -> Result<RunHandle, RunError> {
        let run = self.begin(Runtime::current(), Waits::No)?;
        // Whoever has the handle may shut the engine down before the run waits for something.
        run.lock().enter(&run);
        run.drive_in_background();
        Ok(RunHandle(run))
    }

    /// Leaves the run to any engine that [serves](Engine::serve) the same store, and returns its
    /// id once the store has it. Under an idempotency key that was used before, returns the id of
    /// the run that is there: see [`enqueue_once`](Self::enqueue_once).
    ///
    /// # Errors
    ///
    /// Fails when the engine has no store, when the run cannot begin, and when it is not kept.
    pub async fn enqueue(self) -> Result<RunId, RunError> {
        Ok(match self.enqueue_once().await? {
            Enqueued::New(run) | Enqueued::Existing(run) => run,
        })
    }

    /// Does the same, and tells whether the run began before under the same idempotency key.
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
        let (what, terms) = self.check(Waits::No)?;
        let repeats = terms.as_ref().and_then(|terms| terms.repeats);
        let mut new = of_host(&*what.workflow, || new_run(&engine.0, &what, terms))?;
        new.owner = None;
        let name = new.workflow.name.clone();
        let run = new.id;
        // Only an event says which run it repeats, and that is its first.
        let begins = |run| {
            let kind = EventKind::RunStarted { repeats: Some(run) };
            Event::new(0, new.created_at, kind)
        };
        let events = repeats.map(begins).into_iter().collect();
        match store.begin(new, events).await {
            Ok(BeginOutcome::New(_)) => Ok(Enqueued::New(run)),
            Ok(BeginOutcome::Existing(existing)) => Ok(Enqueued::Existing(existing.id)),
            Err(error) => Err(RunError::of_store(&name, run, Arc::new(error))),
        }
    }

    /// Runs to the end and blocks the calling thread: for hosts without async code, and for threads
    /// that may block, such as those of `tokio::task::spawn_blocking`. In async code, await the
    /// request.
    ///
    /// In a task of a multi-thread tokio runtime, the call takes a worker away until the run ends.
    ///
    /// # Errors
    ///
    /// Fails when the run cannot begin, fails, or is cancelled; the latter errors hold the report.
    /// On the thread that drives a current-thread runtime of tokio, fails with
    /// [`RunError::WouldBlock`] before the run begins.
    pub fn wait(self) -> Result<Report, RunError> {
        let role = match Caller::here() {
            Caller::Only => return Err(RunError::WouldBlock),
            Caller::Free | Caller::Pool => Some(Role::Thread),
            // A function that blocks may call an executor of its own, which fails here.
            Caller::Entered => Some(Role::Driver),
            Caller::Worker => None,
        };
        let run = self.begin(Runtime::for_blocked_thread(), Waits::Yes)?;
        let Some(role) = role else {
            // What a job spawns here, another thread must be free to take.
            return run.drive_on_thread();
        };
        // Unlike that of `futures`, this `block_on` may be called by a job that it is polling.
        pollster::block_on(Driver::new(Arc::clone(&run), role));
        run.settled().unwrap_or_else(|| pollster::block_on(run.outcome()))
    }

    fn begin(self, runtime: Runtime, waits: Waits) -> Result<Arc<ActiveRun>, RunError> {
        let engine = self.engine.clone();
        let (what, terms) = self.check(waits)?;
        if engine.is_stopping() {
            let workflow = what.workflow.name().to_string();
            return Err(RunError::ShutDown { workflow, run: None });
        }
        engine.check_state(&what)?;
        let repeats = terms.as_ref().and_then(|terms| terms.repeats);
        let new_run = match engine.0.lease_renewer {
            Some(_) => Some(of_host(&*what.workflow, || new_run(&engine.0, &what, terms))?),
            None => None,
        };
        Ok(ActiveRun::new(&engine, runtime, what, new_run, repeats))
    }

    /// Checks that the run can begin.
    fn check(self, waits: Waits) -> Result<(Runnable, Option<Box<Terms>>), RunError> {
        let workflow = self.workflow.map_err(RunError::Registry)?;
        let name = || workflow.name().to_string();
        if let Some(terms) = &self.terms
            && let (Some(key), None) = (&terms.idempotency_key, &terms.parent)
        {
            let invalid = |error| RunError::InvalidKey { workflow: name(), error };
            KeyError::check(key).map_err(invalid)?;
        }
        let level = nesting::level_of(&name, self.outer.as_deref(), waits == Waits::Yes)?;
        let (input, plan) = of_host(&*workflow, || plan(self.input, &*workflow))?;
        let inherited = self.outer.as_deref().and_then(inherited);
        let Self { engine, user, terms, outer, .. } = self;
        let runs_dir = engine.runs_dir_of(&*workflow);
        let what = Runnable { workflow, plan, input, user, level, outer, inherited, runs_dir };
        engine.check_limits(&what)?;
        if let Some(lease_renewer) = &engine.0.lease_renewer
            && lease_renewer.lease() > LONGEST_LEASE
        {
            let (workflow, lease) = (what.workflow.name().to_string(), lease_renewer.lease());
            return Err(RunError::LongLease { workflow, lease, longest: LONGEST_LEASE });
        }
        Ok((what, terms))
    }
}

/// Asks something of a workflow, which may be the host's own.
fn of_host<T>(
    workflow: &dyn Workflow,
    ask: impl FnOnce() -> Result<T, RunError>,
) -> Result<T, RunError> {
    guard::call(ask).unwrap_or_else(|panic| {
        let workflow = guard::call(|| workflow.name().to_string()).unwrap_or_default();
        Err(RunError::Plan { workflow, error: PlanError::Panicked(panic) })
    })
}

/// The input that the workflow takes, and its plan for that.
fn plan(input: Input, workflow: &dyn Workflow) -> Result<(Option<Boxed>, Arc<Plan>), RunError> {
    let name = || workflow.name().to_string();
    let input =
        fit(input, workflow).map_err(|error| RunError::Input { workflow: name(), error })?;
    workflow.ready().map_err(|reason| RunError::NotReady { workflow: name(), reason })?;
    let plan = workflow
        .plan(input.as_deref())
        .map_err(|error| RunError::Plan { workflow: name(), error })?;
    Ok((input, plan))
}

/// Turns the input that was given into the one that the workflow takes.
fn fit(input: Input, workflow: &dyn Workflow) -> Result<Option<Boxed>, InputError> {
    let Some(wanted) = workflow.input() else {
        return match input {
            Input::None | Input::Json(Ok(Json::Null)) => Ok(None),
            _ => Err(InputError::Unwanted),
        };
    };
    match input {
        // An optional input may be left away.
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

/// What a run has that is inside of this job.
pub(super) fn inherited(job: &JobContext) -> Option<Arc<Inherited>> {
    job.inherited()?.downcast().ok()
}

impl Engine {
    /// State that a job takes must be there, and that of the workflows which jobs run. What a
    /// function starts as it goes is checked when it does.
    pub(super) fn check_state(&self, what: &Runnable) -> Result<(), RunError> {
        if what.plan.needs.is_empty() {
            return Ok(());
        }
        let mut check = StateCheck::new(&self.0.states);
        what.plan.check_state(what.workflow.name().as_str(), &mut check);
        match check.missing {
            None => Ok(()),
            Some(MissingState { workflow, job, state }) => {
                let known = self.0.states.names();
                Err(RunError::MissingState { workflow, job, state, known })
            }
        }
    }

    /// Every limit that a job names must be there. Jobs that are started by jobs are checked when
    /// they are.
    pub(super) fn check_limits(&self, what: &Runnable) -> Result<(), RunError> {
        let Runnable { workflow, plan, inherited, .. } = what;
        if plan.graph.policies.is_empty() && plan.extras.is_empty() {
            return Ok(());
        }
        let (engine, workflow_limits) = (&self.0.limits, &plan.limits);
        let inherited = inherited.as_deref();
        let known = KnownLimits { engine, workflow: workflow_limits, inherited };
        let policies = plan.graph.policies.iter().map(|(job, policy)| (*job, &policy.limits[..]));
        let undoes = plan.extras.iter().filter_map(|(job, extras)| {
            let options = extras.compensation.as_ref()?.call.options.as_ref()?;
            Some((*job, &options.limits[..]))
        });
        let missing = |(job, limits): (u32, _)| Some((job, known.missing(limits)?));
        let Some((job, limit)) = policies.chain(undoes).filter_map(missing).min() else {
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

impl IntoFuture for RunRequest {
    type Output = Result<Report, RunError>;
    type IntoFuture = RunFuture;

    fn into_future(self) -> RunFuture {
        RunFuture(Stage::Asked(Some(self)))
    }
}

/// Drives a run where it is awaited. Dropped before the end, it cancels the run.
#[must_use = "a run begins when it is awaited"]
pub struct RunFuture(Stage);

enum Stage {
    /// Empty once the run could not begin: polled again, the future stays pending.
    Asked(Option<RunRequest>),
    Running {
        run: Arc<ActiveRun>,
        /// Absent where the run is driven in the background.
        driver: Option<Unconstrained<Driver>>,
    },
    /// The run has ended, or another began before under the same idempotency key.
    Ended(BoxFuture<'static, Result<Report, RunError>>),
}

impl Future for RunFuture {
    type Output = Result<Report, RunError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Stage::Asked(request) = &mut self.0 {
            let Some(request) = request.take() else { return Poll::Pending };
            let run = match request.begin(Runtime::current(), Waits::Yes) {
                Ok(run) => run,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let here = run.manual_clock().is_none() || Caller::here() != Caller::Worker;
            let driver = here.then(|| unconstrained(Driver::new(Arc::clone(&run), Role::Driver)));
            if driver.is_none() {
                run.drive_in_background();
            }
            self.0 = Stage::Running { run, driver };
        }
        if let Stage::Running { run, driver } = &mut self.0 {
            let is_over = match driver {
                Some(driver) => Pin::new(driver).poll(cx).is_ready(),
                None => run.poll_end(cx).is_ready(),
            };
            if !is_over {
                return Poll::Pending;
            }
            if let Some(settled) = run.settled() {
                return Poll::Ready(settled);
            }
            let run = Arc::clone(run);
            self.0 = Stage::Ended(Box::pin(async move { run.outcome().await }));
        }
        match &mut self.0 {
            Stage::Ended(report) => report.as_mut().poll(cx),
            _ => Poll::Pending,
        }
    }
}

impl Drop for RunFuture {
    fn drop(&mut self) {
        if let Stage::Running { run, driver } = &self.0
            && run.report().is_none()
        {
            run.cancel();
            if driver.is_some() {
                run.drive_in_background();
            }
        }
    }
}
