//! Runs plans: performs the effects that the scheduler decides on, and records the events.
//!
//! Jobs are polled in place, where the run is driven. Only a job that waits becomes a task.
//! Functions that block, and work that piles up behind a slow job, go to threads of the runtime in
//! use. The engine does not know the registry.
//!
//! # Map
//!
//! | module | holds |
//! |---|---|
//! | `request`, `handle`, `events` | what a host uses: a run before it starts, while it is active, and its events |
//! | `active` | the active run: what its handles, workers and jobs share, and the one lock |
//! | `state` | what is under the lock, and every decision about it; `state::Deferred` collects what must wait for its release |
//! | `worker` | who works for a run: the driver, its tasks, helper threads and their monitor |
//! | `services`, `child_workflow`, `output` | what jobs use of their run: children, signals, sleeps, child workflows, output |
//! | `permits`, `machine` | limits, and the places that jobs hold |
//! | `clock`, `runtime` | time; tasks, threads and timers |
//! | `durable` | what a store adds: the record, leases, resuming, replay |
//! | `delegation` | runs that the caller polls, with attempts that are made elsewhere |
//! | `tasks` | attempts that workers of another task queue make, from both sides |
//! | `shutdown` | graceful stops |
//! | `eviction` | waiting runs that are left to the store |
//!
//! A new effect of the scheduler is applied in `state/apply`. If it calls code of the host, it adds
//! a field to `state::Deferred`, which performs it after the lock.
//!
//! # Code of the host
//!
//! The engine calls code of the host outside of the run's lock and behind `guard`.
//! The driver calls bodies, conditions and futures, and formats errors. `state::Deferred` calls
//! wakers and destructors, `value` converts JSON, and requests and recovery plan workflows. Clocks,
//! `Workflow::name`, clones of wakers and subscribers of `tracing` are trusted: if one of them
//! panics, the run fails. The complete list is in `docs/decisions/0019-code-of-the-host.md`.

mod active;
mod child_workflow;
mod clock;
pub(crate) mod delegation;
mod durable;
mod events;
mod eviction;
mod handle;
mod machine;
mod output;
mod permits;
mod request;
mod runtime;
mod services;
mod shutdown;
mod state;
mod tasks;
mod worker;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(feature = "schedule")]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
#[cfg(feature = "schedule")]
use std::time::SystemTime;

use crate::job::{Replacement, State, States};
use crate::store::{DEFAULT_PREFIX, IntoStore, OwnerId, Store};
use crate::workflow::Workflow;

pub use clock::{Clock, ManualClock, SystemClock};
pub(crate) use durable::resume::ClaimedBatch;
pub use durable::resume::{Cancellation, Recovery, Resolve, ResumeError};
pub use handle::RunHandle;
pub use permits::{LimitScope, LimitUsage};
pub use request::{Enqueued, IntoWorkflow, LookupError, RunFuture, RunRequest};
pub use shutdown::Shutdown;

pub(crate) use child_workflow::call_workflow;
pub use child_workflow::{needs_of, run_nested};
pub use machine::{CPUS, GPUS, MEMORY};

use clock::Time;
use durable::lease_renewer::LeaseRenewer;
use permits::EngineLimits;
use runtime::Runtime;
use shutdown::Stopping;

/// Runs workflows with its own limits, store and clock.
///
/// `registry::run` uses an engine that the whole program shares. A clone is a handle on the same
/// engine.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[register_workflow(name = "add_one")]
/// fn add_one(number: u64) -> u64 { number + 1 }
///
/// let engine = Engine::builder().max_parallel(4).limit("db", 2).build();
/// let report = engine.run("add_one").input(1_u64).wait()?;
/// assert_eq!(report.output::<u64>()?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Shared>);

/// The settings and services that all runs of an engine share.
pub(crate) struct Shared {
    time: Time,
    limits: EngineLimits,
    grace: Duration,
    /// Present when there is a store.
    lease_renewer: Option<LeaseRenewer>,
    stopping: Stopping,
    /// The number of calls of `run_schedules` in progress.
    #[cfg(feature = "schedule")]
    scheduling: AtomicUsize,
    store_timeout: Duration,
    /// The number of consecutive deaths of its process after which a run is blocked. `None` for
    /// never.
    poison_after: Option<usize>,
    timings: Timings,
    threads: usize,
    output_backlog: usize,
    /// Whether output of `println!` in jobs goes only to subscribers and the run log.
    capture_output: bool,
    /// The parent folder for runs of workflows that set none.
    runs_dir: Option<Arc<Path>>,
    resolver: Option<Arc<dyn Resolve>>,
    queue_prefix: Arc<str>,
    states: States,
    /// Whether runs are recorded: in the store, or in memory if they are delegated.
    persists: bool,
    /// Whether jobs with a task queue of their own are left to its workers.
    hands_out: bool,
    /// Present if attempts are made elsewhere.
    delegation: Option<delegation::Delegation>,
}

/// The precision of the start and end times of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timings {
    /// Reads the clock for each time, at about 30 ns per reading. The default.
    #[default]
    Exact,
    /// Reads the clock when something waits. Jobs that end without waiting share the latest
    /// reading.
    Coarse,
}

const OUTPUT_BACKLOG: usize = 256 * 1024;

impl Default for Engine {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl Engine {
    /// Returns a builder with the default settings.
    pub fn builder() -> EngineBuilder {
        EngineBuilder {
            time: Time::Machine,
            max_parallel: None,
            limits: HashMap::new(),
            grace: Duration::from_secs(5),
            store: None,
            lease: LEASE,
            store_timeout: STORE_TIMEOUT,
            poison_after: Some(POISON_AFTER),
            timings: Timings::default(),
            threads: machine::processors(),
            output_backlog: OUTPUT_BACKLOG,
            capture_output: false,
            runs_dir: None,
            resolver: None,
            queue_prefix: DEFAULT_PREFIX.into(),
            states: States::default(),
        }
    }

    /// Returns a builder for another engine with the settings of this one. The new engine shares
    /// the clock, the store and the application state. Its limits have the same sizes but separate
    /// places.
    pub fn to_builder(&self) -> EngineBuilder {
        let (max_parallel, limits) = self.0.limits.sizes();
        EngineBuilder {
            time: self.0.time.clone(),
            max_parallel,
            limits,
            grace: self.0.grace,
            store: self.store().cloned(),
            store_timeout: self.0.store_timeout,
            poison_after: self.0.poison_after,
            lease: self.0.lease_renewer.as_ref().map_or(LEASE, LeaseRenewer::lease),
            timings: self.0.timings,
            threads: self.0.threads,
            output_backlog: self.0.output_backlog,
            capture_output: self.0.capture_output,
            runs_dir: self.0.runs_dir.clone(),
            resolver: self.0.resolver.clone(),
            queue_prefix: self.0.queue_prefix.clone(),
            states: self.0.states.clone(),
        }
    }

    /// Prepares a run of a workflow, which is given by its registered name or as a
    /// [`Workflow`]. Nothing happens until the request is awaited, waited for, or
    /// started.
    pub fn run(&self, workflow: impl IntoWorkflow) -> RunRequest {
        RunRequest::new(self.clone(), workflow.into_workflow())
    }

    /// Returns the current usage of all limits that jobs of this engine may count against: the
    /// engine's own, the machine's, and those of workflows with active runs in this process.
    ///
    /// ```
    /// use workflow_core::Engine;
    /// use workflow_core::engine::LimitScope;
    ///
    /// let engine = Engine::builder().limit("db", 2).build();
    /// let limits = engine.limits();
    /// let db = limits.iter().find(|limit| limit.name == "db").ok_or("it was given one")?;
    /// assert_eq!((&db.scope, db.size, db.in_use), (&LimitScope::Engine, 2, 0));
    /// # Ok::<(), &str>(())
    /// ```
    pub fn limits(&self) -> Vec<LimitUsage> {
        self.0.limits.usage()
    }

    /// The parent folder for runs of a workflow.
    fn runs_dir_of(&self, workflow: &dyn Workflow) -> Option<Arc<Path>> {
        workflow.runs_dir().map(Arc::from).or_else(|| self.0.runs_dir.clone())
    }

    /// The resolver that the host set, if any.
    pub(crate) fn resolver(&self) -> Option<&dyn Resolve> {
        self.0.resolver.as_deref()
    }

    /// Returns the folder for the output of jobs; see [`EngineBuilder::runs_dir`].
    pub fn runs_dir(&self) -> Option<&Path> {
        self.0.runs_dir.as_deref()
    }

    /// Returns the prefix of the default task queues; see [`EngineBuilder::queue_prefix`].
    pub fn queue_prefix(&self) -> &str {
        &self.0.queue_prefix
    }

    /// The time on the engine's clock.
    pub(crate) fn now(&self) -> Duration {
        self.0.time.now()
    }

    /// Waits on the engine's clock.
    pub(crate) async fn sleep(&self, duration: Duration) {
        self.0.time.sleep(&Runtime::current(), duration).await;
    }

    /// Returns application state of this type, if the engine has it.
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<State<T>> {
        self.0.states.find()
    }

    /// Returns the engine's store, if it has one.
    pub fn store(&self) -> Option<&Arc<dyn Store>> {
        self.0.lease_renewer.as_ref().map(LeaseRenewer::store)
    }

    /// The ID by which the store knows the engine, if it has one.
    pub(crate) fn owner_id(&self) -> Option<OwnerId> {
        self.0.lease_renewer.as_ref().map(|lease_renewer| lease_renewer.owner().id)
    }

    /// The limit of its running jobs.
    pub(crate) fn max_parallel(&self) -> Option<usize> {
        self.0.limits.sizes().0
    }
}

#[cfg(feature = "schedule")]
impl Engine {
    /// Returns whether this engine currently [runs schedules](Self::run_schedules).
    pub fn runs_schedules(&self) -> bool {
        self.0.scheduling.load(Ordering::Relaxed) > 0
    }

    /// Counts a call of `run_schedules` as in progress until the returned guard is dropped.
    pub(crate) fn note_schedules(&self) -> impl Drop {
        struct Scheduling(Arc<Shared>);
        impl Drop for Scheduling {
            fn drop(&mut self) {
                self.0.scheduling.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.0.scheduling.fetch_add(1, Ordering::Relaxed);
        Scheduling(self.0.clone())
    }

    pub(crate) fn time_of_day(&self) -> SystemTime {
        self.0.time.time_of_day()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("limits", &self.0.limits)
            .field("grace", &self.0.grace)
            .finish_non_exhaustive()
    }
}

/// Configures an [`Engine`].
#[must_use = "finish with `.build()`"]
pub struct EngineBuilder {
    time: Time,
    max_parallel: Option<usize>,
    limits: HashMap<String, usize>,
    grace: Duration,
    store: Option<Arc<dyn Store>>,
    lease: Duration,
    store_timeout: Duration,
    poison_after: Option<usize>,
    timings: Timings,
    threads: usize,
    output_backlog: usize,
    capture_output: bool,
    runs_dir: Option<Arc<Path>>,
    resolver: Option<Arc<dyn Resolve>>,
    queue_prefix: Arc<str>,
    states: States,
}

/// The default lease.
const LEASE: Duration = Duration::from_secs(10);

/// The default time that a run waits for an unreachable store.
const STORE_TIMEOUT: Duration = Duration::from_secs(60);

/// The default number of consecutive deaths of its process after which a run is blocked.
const POISON_AFTER: usize = 5;

impl EngineBuilder {
    /// Limits how many jobs of this engine run at once, over all runs. 0 counts as 1. Default: no
    /// limit.
    ///
    /// Jobs that only wait for other jobs do not count: maps, child workflows, and functions with a
    /// [`WorkflowContext`](crate::WorkflowContext).
    pub fn max_parallel(mut self, jobs: usize) -> Self {
        self.max_parallel = Some(jobs.max(1));
        self
    }

    /// Limits how many jobs that name this limit run at once on this engine, over all runs. 0
    /// counts as 1.
    ///
    /// A workflow may have limits too ([`Flow::limit`](crate::Flow::limit), `limits:` in a file).
    /// If both have a limit of the same name, jobs of the workflow count against both.
    ///
    /// The machine has the limits `machine.cpus`, `machine.gpus` and, on Linux,
    /// `machine.memory_mib`, which all engines of the process share. A limit with one of these
    /// names reduces the engine's share. It never raises it above the size of the machine.
    ///
    /// [`Call::limit`](crate::Call::limit) describes the order in which jobs get places.
    pub fn limit(mut self, name: impl Into<String>, jobs: usize) -> Self {
        self.limits.insert(name.into(), jobs.max(1));
        self
    }

    /// Sets the grace period of jobs that request one without a duration: `#[job(grace)]`,
    /// [`Call::default_grace`](crate::Call::default_grace). Default: 5 s.
    ///
    /// Jobs with a duration of their own use that duration. Jobs without a grace period are dropped
    /// as soon as they must stop. A job that runs a shell command gets the command's grace period
    /// and 5 s more for killed processes to exit. A job that runs another workflow waits until that
    /// run has ended.
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets the store that persists runs, so that they outlive the process. Takes a store, or an
    /// `Arc` of a shared one. Default: none.
    ///
    /// In a persisted run, inputs and outputs of jobs must serialize to JSON. A job starts once the
    /// store has the events that lead to it.
    pub fn store(mut self, store: impl IntoStore) -> Self {
        self.store = Some(store.into_store());
        self
    }

    /// Sets the lease: if this engine dies, engines that [serve](Engine::serve) the same store take
    /// over its runs within this time. A living engine renews its leases about three times within
    /// it. Default: 10 s. With more than 365 days, runs end in [`RunError::LongLease`].
    ///
    /// [`RunError::LongLease`]: crate::RunError::LongLease
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self
    }

    /// Sets how long an active run waits for an unreachable store before it fails. Meanwhile the
    /// run pauses and loses nothing. Default: 60 s.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// Sets after how many consecutive deaths of its process a run is [blocked as
    /// poisoned](crate::event::Blocked::Poisoned), if the same job was in flight each time. A
    /// graceful stop, the end of the job, and [`Engine::unblock`] reset the count. 0 means never.
    /// Default: 5.
    pub fn poison_after(mut self, deaths: usize) -> Self {
        self.poison_after = (deaths > 0).then_some(deaths);
        self
    }

    /// Limits how many threads poll the futures of one run at a time. With 1, futures stay where
    /// the run is driven. Functions that block have separate threads. Default: one for each core.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Sets how many bytes of job output each run buffers in memory for subscribers. New output
    /// pushes out the oldest, read or not. With 0, subscribers see no output. Default: 256 KiB.
    pub fn output_backlog(mut self, bytes: usize) -> Self {
        self.output_backlog = bytes;
        self
    }

    /// Persists the output of jobs: each run gets a folder in this one, named by its id, with the
    /// log `output.log` ([`RunLog`](crate::run_log::RunLog) reads it). Workflow files have such a
    /// folder already and keep using it. Default: none, so that only subscribers of the run see the
    /// output.
    ///
    /// Output is what a job passes to [`JobContext::print`](crate::JobContext::print), to
    /// [`annotate`](crate::JobContext::annotate), and to the macros of
    /// [`printing`](crate::printing), which stand in for `println!` and its relatives in jobs. The
    /// log keeps 16 MiB of each attempt.
    pub fn runs_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        self.runs_dir = Some(std::path::absolute(&folder).unwrap_or(folder).into());
        self
    }

    /// Sets the resolver that finds the workflows of stored runs. Default:
    /// [`WorkflowSnapshot::workflow`](crate::store::WorkflowSnapshot::workflow).
    pub fn resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Sets the prefix of the default task queues: runs of a workflow wait in `{prefix}-{domain}`,
    /// or without a domain in `{prefix}-workflows`. Default: `default`.
    pub fn queue_prefix(mut self, prefix: impl Into<Arc<str>>) -> Self {
        self.queue_prefix = prefix.into();
        self
    }

    /// Sets whether output of the macros of [`printing`](crate::printing) in jobs goes only to
    /// subscribers of the run and its log. Default: no, it also goes to the standard output of the
    /// process.
    pub fn capture_output(mut self, capture: bool) -> Self {
        self.capture_output = capture;
        self
    }

    /// Adds application state, which jobs take as [`State<T>`](crate::State): a database pool, a
    /// client, settings. Call it once for each type. A second value of a type replaces the first.
    ///
    /// If the state of a job is missing, the run fails before it starts with
    /// [`RunError::MissingState`](crate::RunError::MissingState). The same holds for a run that is
    /// resumed from the store. An engine that only [enqueues](crate::engine::RunRequest::enqueue)
    /// runs needs no state.
    ///
    /// ```
    /// use workflow_core::prelude::*;
    ///
    /// struct Greeting(&'static str);
    ///
    /// #[register_workflow(name = "greets")]
    /// fn greets(greeting: State<Greeting>, name: &str) -> String {
    ///     format!("{} {name}", greeting.0)
    /// }
    ///
    /// let engine = Engine::builder().state(Greeting("hello")).build();
    /// assert_eq!(engine.run("greets").input("Ada").wait()?.output::<String>()?, "hello Ada");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Replaces the function of a `#[job]` by a closure in every workflow that this engine runs.
    /// For tests of a workflow whose job would charge a card.
    ///
    /// The closure takes the function's inputs, without its context and state, and has the same
    /// return type. Everything else stays the same: the graph, options, retries and the persisted
    /// record. State that only replaced jobs take may be missing.
    ///
    /// ```
    /// use workflow_core::prelude::*;
    ///
    /// #[job]
    /// async fn charge(card: &str, amount: u64) -> Result<u64, JobError> {
    ///     Err(format!("no bank here to charge {card} {amount}").into())
    /// }
    ///
    /// #[register_workflow(name = "pay")]
    /// fn pay(flow: &mut Flow, card: Handle<String>) -> Handle<u64> {
    ///     flow.job(charge(card, 30))
    /// }
    ///
    /// let engine = Engine::builder().replace(charge::replaced_by(|_, amount| Ok(amount))).build();
    /// assert_eq!(engine.run("pay").input("1234").wait()?.output::<u64>()?, 30);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replace(mut self, replacement: Replacement) -> Self {
        self.states.replace(replacement);
        self
    }

    /// Sets the clock. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.time = Time::given(clock);
        self
    }

    /// Sets the precision of the recorded times. Default: [`Timings::Exact`].
    pub fn timings(mut self, timings: Timings) -> Self {
        self.timings = timings;
        self
    }

    /// Builds the engine.
    pub fn build(self) -> Engine {
        let persists = self.store.is_some();
        let hands_out = self.store.as_ref().is_some_and(|store| store.task_store().is_some());
        Engine(Arc::new(Shared {
            time: self.time,
            limits: EngineLimits::new(self.max_parallel, self.limits),
            grace: self.grace,
            lease_renewer: self.store.map(|store| LeaseRenewer::new(store, self.lease)),
            stopping: Stopping::default(),
            #[cfg(feature = "schedule")]
            scheduling: AtomicUsize::new(0),
            store_timeout: self.store_timeout,
            poison_after: self.poison_after,
            timings: self.timings,
            threads: self.threads,
            output_backlog: self.output_backlog,
            capture_output: self.capture_output,
            runs_dir: self.runs_dir,
            resolver: self.resolver,
            queue_prefix: self.queue_prefix,
            states: self.states,
            persists,
            hands_out,
            delegation: None,
        }))
    }
}
