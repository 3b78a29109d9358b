//! The context of a job: its access to the run while it runs.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use futures::future::{Either, select};

use super::Printed;
use super::attempt_io::Services;
use super::known_wait::known_wait;
use super::parameter::ProvidedParameter;
use super::{AttemptIo, JobError, JobErrorKind, State, Token};
use crate::id::RunId;
use crate::run_log::{LogError, LogPlace, OutputStream, RunLog};
use crate::value::{from_json, to_json};

/// The context of one attempt of a job: names and IDs, cancellation, heartbeats, sleeps, signals
/// and persisted values.
///
/// A `#[job]` function receives it as a parameter of this type, which is not an input. Outside of a
/// run, the context is never cancelled.
///
/// A clone may outlive the attempt, in a task that the job spawned. Once the attempt has ended, the
/// context [is cancelled](Self::is_cancelled) and its requests to the run fail.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[job(heartbeat = "5s")]
/// async fn copy(ctx: &JobContext, pages: &Vec<String>) -> Result<usize, JobError> {
///     for page in pages {
///         if ctx.is_cancelled() {
///             return Err(JobError::terminal("stopped between two pages"));
///         }
///         println!("attempt {}: {page}", ctx.attempt());
///         ctx.heartbeat();
///     }
///     Ok(pages.len())
/// }
/// ```
#[derive(Clone)]
pub struct JobContext {
    pub(super) io: AttemptIo,
    services: Option<Weak<dyn Services>>,
    token: Arc<Token>,
}

/// A context parameter of a function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the context type of `workflow_core`, but another type of that name",
    note = "the macros recognize a context by the names `JobContext` and `WorkflowContext`; import \
            the other type under another name"
)]
pub trait AttemptContext {
    /// Creates the context of an attempt.
    fn of(io: &AttemptIo) -> Self;
    /// Creates a context outside of any run.
    fn outside() -> Self;
}

impl AttemptContext for JobContext {
    fn of(io: &AttemptIo) -> Self {
        Self::new(io)
    }

    fn outside() -> Self {
        Self::detached()
    }
}

impl JobContext {
    /// Creates the context of an attempt.
    pub fn new(io: &AttemptIo) -> Self {
        let services = io.link().cloned();
        let token = match services.as_ref().map(Weak::upgrade) {
            None => Arc::default(),
            Some(Some(services)) => services.token(io.job, io.attempt),
            Some(None) => Arc::new(Token::already_set()),
        };
        Self { io: io.clone(), services, token }
    }

    /// Creates a context outside of any run, for unit tests.
    pub fn detached() -> Self {
        Self::new(&AttemptIo::detached())
    }

    pub(super) fn services(&self) -> Option<Arc<dyn Services>> {
        self.services.as_ref()?.upgrade()
    }

    /// The run; `None` outside of a run.
    ///
    /// # Errors
    ///
    /// Fails when the run has ended and was dropped. A run with a handle is still there.
    pub(super) fn live_services(&self) -> Result<Option<Arc<dyn Services>>, JobError> {
        match self.services.as_ref().map(Weak::upgrade) {
            None => Ok(None),
            Some(Some(services)) => Ok(Some(services)),
            Some(None) => Err(JobError::no_engine()),
        }
    }

    /// As [`live_services`](Self::live_services), while the attempt is running.
    ///
    /// # Errors
    ///
    /// Fails when the attempt has ended.
    pub(super) fn running_services(&self) -> Result<Option<Arc<dyn Services>>, JobError> {
        let services = self.live_services()?;
        if let Some(services) = &services {
            services.check_under_way(self.io.job, self.io.attempt)?;
        }
        Ok(services)
    }

    /// The token that is set when the job should stop.
    pub(crate) fn token(&self) -> Arc<Token> {
        Arc::clone(&self.token)
    }

    /// The nesting level of the job's run; 0 outside of a run.
    pub(crate) fn level(&self) -> u32 {
        self.services().map_or(0, |services| services.level())
    }

    /// The names of the workflows around the job, the innermost first.
    pub(crate) fn callers(&self) -> Vec<String> {
        self.services().map(|services| services.callers()).unwrap_or_default()
    }

    /// The run's ID; `None` outside of a run.
    pub fn run_id(&self) -> Option<RunId> {
        self.services().map(|services| services.run_id())
    }

    /// The workflow's name; empty outside of a run.
    pub fn workflow_name(&self) -> String {
        self.services().map(|services| services.workflow_name()).unwrap_or_default()
    }

    /// The user who requested the run; `None` if no user is known, and outside of a run.
    pub fn user(&self) -> Option<Arc<str>> {
        self.services().and_then(|services| services.user())
    }

    /// The time of the schedule for which the run stands; `None` if it was not scheduled, and outside
    /// of a run.
    ///
    /// It is the logical time: a run that starts late, is a [retry](crate::engine::RunRequest::retry_of),
    /// is resumed or makes up for a missed time still has the time of the schedule, without jitter.
    /// Use it to select data, such as the day before, instead of the clock. Child workflows have the
    /// time of the run that starts them.
    pub fn scheduled_for(&self) -> Option<SystemTime> {
        self.services().and_then(|services| services.scheduled_for())
    }

    /// The job's name in its workflow; empty outside of a run.
    pub fn job_name(&self) -> String {
        self.services().map(|services| services.job_name(self.io.job)).unwrap_or_default()
    }

    /// The engine's [state](State) of this type, for implementations of [`Job`](super::Job).
    ///
    /// A `#[job]` function takes `State<T>` as a parameter instead, so that missing state is an
    /// error before the run begins; [`Call::requires_state`](super::Call::requires_state) declares
    /// the same for a `Job`. A closure can also capture what it needs.
    ///
    /// ```
    /// use async_trait::async_trait;
    /// use workflow_core::prelude::*;
    ///
    /// struct Rate(f64);
    /// struct Convert;
    ///
    /// #[async_trait]
    /// impl Job for Convert {
    ///     type Input = f64;
    ///     type Output = f64;
    ///
    ///     fn name(&self) -> &'static str {
    ///         "convert"
    ///     }
    ///
    ///     async fn run(&self, ctx: &JobContext, amount: &f64) -> Result<f64, JobError> {
    ///         Ok(amount * ctx.state::<Rate>()?.0)
    ///     }
    /// }
    ///
    /// #[register_workflow(name = "convert")]
    /// fn convert(flow: &mut Flow, amount: Handle<f64>) {
    ///     flow.job(call_job(Convert, amount).requires_state::<Rate>());
    /// }
    ///
    /// let engine = Engine::builder().state(Rate(1.5)).build();
    /// engine.run("convert").input(2.0).wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails with a terminal error when the engine has no such state, and outside of a run.
    pub fn state<T: Send + Sync + 'static>(&self) -> Result<State<T>, JobError> {
        State::of(&self.io)
    }

    /// The number of the attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.io.attempt
    }

    /// The index of the list element that this job processes, if a map started it.
    pub fn map_index(&self) -> Option<u32> {
        self.io.map_index()
    }

    /// A key that is the same for every attempt of this job in this run, and unique otherwise. Send
    /// it with requests that must take effect only once. Empty outside of a run.
    pub fn idempotency_key(&self) -> String {
        match self.services() {
            Some(services) => format!("{}/{}", services.run_id(), services.job_name(self.io.job)),
            None => String::new(),
        }
    }

    /// Whether the job should stop, because the run was cancelled or the job timed out. Also true
    /// once the attempt has ended, for tasks that outlive it.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_set()
            || self.services.as_ref().is_some_and(|services| services.strong_count() == 0)
    }

    /// Completes when the job should stop, and at the latest when the attempt ends.
    pub async fn cancelled(&self) {
        known_wait(self.token.wait()).await;
    }

    /// Sends a heartbeat, which restarts the heartbeat timeout.
    pub fn heartbeat(&self) {
        if let Some(services) = self.services() {
            services.heartbeat(self.io.job, self.io.attempt);
        }
    }

    /// Reserves at least this grace period for the attempt to stop once it is cancelled. Returns
    /// false if it has been cancelled or given up already.
    pub fn reserve_grace(&self, grace: Duration) -> bool {
        match self.live_services() {
            Ok(Some(services)) => services.reserve_grace(self.io.job, self.io.attempt, grace),
            // Outside of a run nothing cancels it.
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Whether this engine has lost the run, so that the job's work is useless.
    pub(crate) fn is_lost(&self) -> bool {
        self.services().is_some_and(|services| services.is_lost())
    }

    /// Sets the child run that the job waits for, or that it no longer waits.
    pub(crate) fn await_run(&self, run: Option<RunId>) {
        if let Some(services) = self.services() {
            services.await_run(self.io.job, run);
        }
    }

    /// What a child run of the job inherits.
    pub(crate) fn inherited(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.services().map(|services| services.inherited(self.io.job))
    }

    /// Annotates this attempt with a named value, which the report shows.
    ///
    /// A later value replaces an earlier one of the same name, and a retry starts without
    /// annotations. The annotation is also [printed](Self::print) to standard error as a line
    /// `name: value`. Values that cannot be serialized are ignored, as are annotations outside of a
    /// run.
    pub fn annotate(&self, name: impl Into<String>, value: impl serde::Serialize) {
        let name = name.into();
        if let (Some(services), Ok(value)) = (self.services(), to_json(&value)) {
            let line = format!("{name}: {value}\n");
            services.annotate(self.io.job, self.io.attempt, name, value);
            services.print(self.io.job, self.io.attempt, OutputStream::Stderr, &line);
        }
    }

    /// Annotates this attempt as [`annotate`](Self::annotate) does, without printing the
    /// annotation.
    pub fn annotate_silently(&self, name: impl Into<String>, value: impl Into<serde_json::Value>) {
        if let Some(services) = self.services() {
            services.annotate(self.io.job, self.io.attempt, name.into(), value.into());
        }
    }

    /// Waits for a signal of this name and returns its payload, which is null if none was sent.
    ///
    /// Signals that arrived earlier are queued: each is received by one job, in the order of
    /// arrival.
    ///
    /// Send signals with [`RunHandle::signal`](crate::engine::RunHandle::signal). In a persisted
    /// run no signal is lost, and after a crash a received signal is received again. A child run
    /// has its own ID and signals.
    ///
    /// # Errors
    ///
    /// Fails when the payload is not a `T`, when the job is cancelled, outside of a run, and when
    /// the attempt has ended.
    pub async fn wait_signal<T: serde::de::DeserializeOwned>(
        &self,
        name: impl Into<String>,
    ) -> Result<T, JobError> {
        let Some(services) = self.running_services()? else {
            return Err(JobError::terminal("signals can be received only in a run"));
        };
        let name = name.into();
        let stopped = || {
            let error = format!("the job was cancelled while it waited for signal `{name}`");
            JobError::of_kind(JobErrorKind::Cancelled, error)
        };
        // A cancelled job leaves the next signal to other jobs.
        if self.is_cancelled() {
            return Err(stopped());
        }
        let received = services.wait_signal(self.io.job, self.io.attempt, name.clone());
        drop(services);
        let payload = match select(pin!(known_wait(received)), pin!(self.cancelled())).await {
            Either::Left((received, _)) => received.map_err(|_| JobError::no_engine())?,
            Either::Right(_) => return Err(stopped()),
        };
        from_json(payload).map_err(JobError::of_value)
    }

    /// Persists a value under a key, for later jobs of this run. A later value replaces an earlier
    /// one of the same key. Does nothing outside of a run.
    ///
    /// # Errors
    ///
    /// Fails when the value has no JSON form, and when the attempt has ended.
    pub fn persist(
        &self,
        key: impl Into<String>,
        value: impl serde::Serialize,
    ) -> Result<(), JobError> {
        let value = to_json(&value).map_err(JobError::of_value)?;
        let Some(services) = self.live_services()? else { return Ok(()) };
        if services.persist_value(self.io.job, self.io.attempt, key.into(), value) {
            return Ok(());
        }
        services.check_under_way(self.io.job, self.io.attempt)
    }

    /// Returns the value that a job of this run [persisted](Self::persist) under the key; `None` if
    /// there is none.
    ///
    /// # Errors
    ///
    /// Fails when the value is not a `T`, and when the attempt has ended.
    pub fn persisted<T: serde::de::DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<T>, JobError> {
        let value = self.running_services()?.and_then(|services| services.persisted_value(key));
        value.map(from_json).transpose().map_err(JobError::of_value)
    }

    /// Prints text to the subscribers of the run, who receive it among the
    /// [events](crate::Run::events), between the start and the end of this attempt.
    ///
    /// The log of the run saves the text, if there is one
    /// ([`runs_dir`](crate::engine::EngineBuilder::runs_dir)); the report and the store do not.
    /// Slow subscribers do not slow the run down: it buffers the latest output for them
    /// ([`output_backlog`](crate::engine::EngineBuilder::output_backlog)). The text is dropped
    /// outside of a run, and once the attempt has been given up. The output of a child run is also
    /// output of the job that started it.
    ///
    /// ```
    /// use workflow_core::prelude::*;
    /// use workflow_core::run_log::OutputStream;
    ///
    /// #[job]
    /// async fn copy(ctx: &JobContext, pages: &Vec<String>) -> usize {
    ///     for page in pages {
    ///         ctx.print(OutputStream::Stdout, format!("copying {page}\n"));
    ///     }
    ///     pages.len()
    /// }
    /// ```
    pub fn print(&self, stream: OutputStream, text: impl AsRef<str>) {
        if let Some(services) = self.services() {
            services.print(self.io.job, self.io.attempt, stream, text.as_ref());
        }
    }

    /// Sends a piece of output to the subscribers of the run, without writing it to the run's log.
    /// `log` is its place in the log, if it was written there.
    ///
    /// [`print`](Self::print) is for output that the engine writes to the log itself.
    pub fn show(&self, stream: OutputStream, text: String, log: Option<LogPlace>) {
        if let Some(services) = self.services() {
            services.show(self.io.job, self.io.attempt, Printed { stream, text, log });
        }
    }

    /// The run's folder; `None` for a run without one, and outside of a run. On another machine than
    /// that of the run, because the job names a [task queue](crate::Call::task_queue), it may not exist.
    pub fn run_folder(&self) -> Option<PathBuf> {
        self.services()?.folder()
    }

    /// The run's folder and the log in it; `None` for a run without a folder, outside of a run, and
    /// where the process of the run writes the log: in a worker of the job's
    /// [task queue](crate::Call::task_queue).
    ///
    /// # Errors
    ///
    /// The inner result fails when the log could not be opened.
    pub fn run_log(&self) -> Option<(PathBuf, Result<RunLog, Arc<LogError>>)> {
        self.services()?.log()
    }

    /// Sleeps on the engine's clock, which tests can advance. Returns at once if the attempt has
    /// ended.
    ///
    /// Ends early when the job is cancelled and has a [grace period](crate::Call::grace) or runs on
    /// a thread; [`is_cancelled`](Self::is_cancelled) tells. A sleep that starts after that takes
    /// up to 10 ms, so that a polling loop does not spin.
    pub async fn sleep(&self, duration: Duration) {
        self.cut_short(duration, self.sleep_through(duration)).await;
    }

    /// Ends with the sleep, or early when the job is cancelled.
    pub(super) async fn cut_short(&self, duration: Duration, sleep: impl Future<Output = ()>) {
        if self.is_cancelled() {
            return self.sleep_through(duration.min(CANCELLED_SLEEP)).await;
        }
        select(pin!(sleep), pin!(known_wait(self.token.wait()))).await;
    }

    /// Sleeps on the engine's clock, even if the job is cancelled. Returns at once if the attempt
    /// has ended.
    pub async fn sleep_through(&self, duration: Duration) {
        match self.running_services() {
            Ok(Some(services)) => services.sleep(duration).await,
            Ok(None) => futures_timer::Delay::new(duration).await,
            Err(_) => {}
        }
    }
}

/// The longest sleep of a cancelled job.
const CANCELLED_SLEEP: Duration = Duration::from_millis(10);

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext")
            .field("run", &self.run_id())
            .field("job", &self.job_name())
            .field("attempt", &self.attempt())
            .finish()
    }
}
