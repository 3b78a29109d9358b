//! Runs plans: performs what the scheduler decides, and notes what happens.
//!
//! Jobs are polled where the run is driven, in place; only those that wait become tasks.
//! Functions that block, and work that piles up behind a slow job, go to threads of the runtime
//! in use. Knows nothing of the registry.
//!
//! # Code of the host
//!
//! Is called outside of the run's lock and behind [`guard`](crate::guard): bodies, conditions and
//! futures by the driver, which also puts errors into words; wakers and destructors by the deferred work;
//! JSON by `value`; planning by requests and recovery. Trusted are clocks, `Workflow::name`, clones
//! of wakers and subscribers of `tracing`: a panic of these fails the run. The whole list, with what
//! follows from each, is in `docs/decisions/0019-code-of-the-host.md`.

mod active;
mod child_workflow;
mod clock;
mod durable;
mod events;
mod handle;
mod machine;
mod output;
mod permits;
mod request;
mod runtime;
mod services;
mod shutdown;
mod state;
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

use crate::job::{Replacement, States};
use crate::store::{IntoStore, Store};
use crate::workflow::Workflow;

pub use clock::{Clock, ManualClock, SystemClock};
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

/// Runs workflows, with limits, a store and a clock of its own.
///
/// `registry::run` uses one that the whole program shares. Clones are the same engine.
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

/// What the runs of an engine share.
pub(crate) struct Shared {
    time: Time,
    limits: EngineLimits,
    grace: Duration,
    /// Present when there is a store.
    lease_renewer: Option<LeaseRenewer>,
    stopping: Stopping,
    /// How many are under way that run schedules.
    #[cfg(feature = "schedule")]
    scheduling: AtomicUsize,
    store_timeout: Duration,
    /// After so many deaths of its process in a row, a run is blocked; `None` for never.
    poison_after: Option<usize>,
    timings: Timings,
    threads: usize,
    output_backlog: usize,
    /// Whether what jobs print with `println!` is for those who watch alone.
    capture_output: bool,
    /// Where runs have their folders whose workflows do not say.
    runs_dir: Option<Arc<Path>>,
    resolver: Option<Arc<dyn Resolve>>,
    states: States,
}

/// How exactly a run notes when its jobs began and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timings {
    /// Each time is read from the clock. The default; costs some 30 ns per reading.
    #[default]
    Exact,
    /// The clock is read when something waits; jobs that end without waiting share the latest
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
    /// An engine to be configured.
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
            states: States::default(),
        }
    }

    /// Another engine to be configured, which begins with everything that this one was given: limits
    /// of the same sizes, with places of its own, its clock, and the store and the application
    /// state, which both then hold.
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
            states: self.0.states.clone(),
        }
    }

    /// A run of this workflow: by name from the registry, or a [`Workflow`](crate::Workflow) at hand. Nothing
    /// happens until the request is awaited, waited for, or started.
    pub fn run(&self, workflow: impl IntoWorkflow) -> RunRequest {
        RunRequest::new(self.clone(), workflow.into_workflow())
    }

    /// The limits that jobs of this engine may count against, and how they are used at the moment:
    /// the engine's own, this machine's, and those of the workflows that have runs under way in this
    /// process.
    ///
    /// ```
    /// use workflow_core::{Engine, LimitScope};
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

    /// Where runs of a workflow have their folders.
    fn runs_dir_of(&self, workflow: &dyn Workflow) -> Option<Arc<Path>> {
        workflow.runs_dir().map(Arc::from).or_else(|| self.0.runs_dir.clone())
    }

    /// What finds the workflows of stored runs, where the host has said so.
    pub(crate) fn resolver(&self) -> Option<&dyn Resolve> {
        self.0.resolver.as_deref()
    }

    /// Where the engine keeps what jobs print; see [`EngineBuilder::runs_dir`].
    pub fn runs_dir(&self) -> Option<&Path> {
        self.0.runs_dir.as_deref()
    }

    /// Waits on the engine's clock.
    pub(crate) async fn sleep(&self, duration: Duration) {
        self.0.time.sleep(&Runtime::current(), duration).await;
    }

    /// The store that the engine was given.
    pub fn store(&self) -> Option<&Arc<dyn Store>> {
        self.0.lease_renewer.as_ref().map(LeaseRenewer::store)
    }
}

#[cfg(feature = "schedule")]
impl Engine {
    /// Whether this engine [runs schedules](Self::run_schedules) at the moment.
    pub fn runs_schedules(&self) -> bool {
        self.0.scheduling.load(Ordering::Relaxed) > 0
    }

    /// Notes that it does, until what is returned is dropped.
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
    states: States,
}

/// How long a dead engine keeps its runs, unless told otherwise.
const LEASE: Duration = Duration::from_secs(10);

/// How long a run goes on without its store, unless told otherwise.
const STORE_TIMEOUT: Duration = Duration::from_secs(60);

/// After how many deaths of its process in a row a run is blocked, unless told otherwise.
const POISON_AFTER: usize = 5;

impl EngineBuilder {
    /// Limits how many jobs of this engine may run at once, over all runs; 0 counts as 1. Default: no
    /// limit.
    ///
    /// Jobs that only wait for others are not counted: maps, workflows inside of workflows, functions
    /// with a [`WorkflowContext`](crate::WorkflowContext).
    pub fn max_parallel(mut self, jobs: usize) -> Self {
        self.max_parallel = Some(jobs.max(1));
        self
    }

    /// Sets how many jobs of this engine that name this limit may run at once, over all runs; 0 counts
    /// as 1.
    ///
    /// A workflow may have limits too ([`Flow::limit`](crate::Flow::limit), `limits:` of a file). Where
    /// both have one of the same name, jobs of the workflow count against both.
    ///
    /// The machine has the limits `machine.cpus`, `machine.gpus` and, on Linux, `machine.memory_mib`,
    /// once for all engines of the process. A limit of that name makes this engine use less of it,
    /// and never more than there is.
    ///
    /// [`Call::limit`](crate::Call::limit) says in which order jobs have their places.
    pub fn limit(mut self, name: impl Into<String>, jobs: usize) -> Self {
        self.limits.insert(name.into(), jobs.max(1));
        self
    }

    /// Sets the grace period of jobs that ask for one without saying how long:
    /// `#[job(grace)]`, [`Call::default_grace`](crate::Call::default_grace). Default: 5 s.
    ///
    /// Other jobs have the grace period that they ask for, or none: they are dropped as soon as
    /// they are to stop. A job that runs a shell command has the command's grace period and 5 s
    /// for what was killed to be gone; one that runs another workflow has until that run has
    /// ended.
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets where runs are kept, so that they outlive the process: a store, or an `Arc` of one that
    /// others hold too. Default: nowhere.
    ///
    /// In a run that is kept, what jobs take and make must have a JSON form, and a job begins once
    /// the store has what led to it.
    pub fn store(mut self, store: impl IntoStore) -> Self {
        self.store = Some(store.into_store());
        self
    }

    /// Sets the time within which engines that [serve](Engine::serve) the same store have taken
    /// over the runs of this one, when it dies. Alive, it is heard of three times in that time.
    /// Default: 10 s; at most 365 days, or runs end in [`RunError::LongLease`].
    ///
    /// [`RunError::LongLease`]: crate::RunError::LongLease
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self
    }

    /// Sets how long a run that is under way waits for a store that is out of reach, before it
    /// is given up. Until then it stands still and loses nothing. Default: 60 s.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// Sets after how many deaths of its process in a row a run is [blocked as
    /// poisoned](crate::Blocked::Poisoned): one of its jobs was in flight each time. Only deaths
    /// count: a graceful stop, a job that ends, and [`Engine::unblock`] start the count again.
    /// With 0, never. Default: 5.
    pub fn poison_after(mut self, deaths: usize) -> Self {
        self.poison_after = (deaths > 0).then_some(deaths);
        self
    }

    /// Limits how many threads at a time poll the futures of one run; 1 keeps them where the run
    /// is driven. Default: one for each core. Functions that block have threads of their own.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Sets how many bytes of memory each run may hold of what its jobs print, for those who watch
    /// it. What is printed meanwhile pushes out the oldest, whether anyone has read it or not.
    /// Default: 256 KiB; with 0 nobody sees what is printed.
    pub fn output_backlog(mut self, bytes: usize) -> Self {
        self.output_backlog = bytes;
        self
    }

    /// Keeps what jobs print: each run has a folder of its own in this one, named by its id, with
    /// the log `output.log` in it ([`RunLog`](crate::RunLog) reads it). Files of workflows have such
    /// a folder already, and keep it. Default: none, and what a job prints is seen only while
    /// somebody watches.
    ///
    /// What a job prints is what it gives to [`JobContext::print`](crate::JobContext::print) and
    /// [`note`](crate::JobContext::note), and to the macros of [`printing`](crate::printing), as which
    /// `println!` and its kin in a job count. Of each attempt, 16 MiB are kept.
    pub fn runs_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        self.runs_dir = Some(std::path::absolute(&folder).unwrap_or(folder).into());
        self
    }

    /// Sets what finds the workflows of stored runs. Default: [`WorkflowSnapshot::workflow`].
    pub fn resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Whether what jobs print with the macros of [`printing`](crate::printing) is left
    /// to those who watch the run, and to its log. Default: no, it also goes to the standard output
    /// of the process.
    pub fn capture_output(mut self, capture: bool) -> Self {
        self.capture_output = capture;
        self
    }

    /// Gives jobs of this engine a value of this type, which they take as
    /// [`State<T>`](crate::State): a database pool, a client, settings. May be called once for each
    /// type; of one type, the latest counts.
    ///
    /// An engine without a type that a job takes refuses the run before it begins, with
    /// [`RunError::MissingState`](crate::RunError::MissingState). So does one that takes up a run
    /// from its store. One that only [enqueues](crate::RunRequest::enqueue) a run needs no state.
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

    /// Calls a closure in place of the function of a `#[job]`, in every workflow that this engine
    /// runs: for tests of a workflow whose job would charge a card.
    ///
    /// The closure has the function's inputs, without its context and its state, and returns what
    /// the function returns. All else is as it was: the graph, options, retries, what a store
    /// keeps. State that only replaced jobs take need not be there.
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

    /// Sets how exactly times are noted. Default: [`Timings::Exact`].
    pub fn timings(mut self, timings: Timings) -> Self {
        self.timings = timings;
        self
    }

    /// The engine.
    pub fn build(self) -> Engine {
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
            states: self.states,
        }))
    }
}
