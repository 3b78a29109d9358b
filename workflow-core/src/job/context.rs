//! What a job may ask of its run while it works.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::{Either, select};

use super::Printed;
use super::attempt_io::Services;
use super::{AttemptIo, JobError, JobErrorKind, State, StateParameter, Token};
use crate::id::RunId;
use crate::run_log::{LogError, LogPlace, OutputStream, RunLog};
use crate::value::{from_json, to_json};

/// Where a job stands, and what it may ask: its names and numbers, whether it should stop, a
/// sign of life, a wait.
///
/// A `#[job]` function that has a parameter of this type receives it; the parameter is no input.
/// A function that is called outside of a run gets a context that is never cancelled.
///
/// A clone may outlive the attempt, in a task that the job spawned. From the end of the attempt on
/// it [is cancelled](Self::is_cancelled), and what it asks of the run fails.
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

/// A context that a function takes beside its inputs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the context of `workflow_core` but another type of that name",
    note = "the macros know a context by the names `JobContext` and `WorkflowContext`; import the \
            other type under another name"
)]
pub trait AttemptContext {
    /// The context of the attempt that the scope belongs to.
    fn of(io: &AttemptIo) -> Self;
    /// A context outside of any run.
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
    /// The context of the attempt that the scope belongs to.
    pub fn new(io: &AttemptIo) -> Self {
        let services = io.link().cloned();
        let token = match services.as_ref().map(Weak::upgrade) {
            None => Arc::default(),
            Some(Some(services)) => services.token(io.job, io.attempt),
            Some(None) => Arc::new(Token::already_set()),
        };
        Self { io: io.clone(), services, token }
    }

    /// A context outside of any run, as unit tests want it.
    pub fn detached() -> Self {
        Self::new(&AttemptIo::detached())
    }

    pub(super) fn services(&self) -> Option<Arc<dyn Services>> {
        self.services.as_ref()?.upgrade()
    }

    /// The run; `None` for a context that never had one.
    ///
    /// # Errors
    ///
    /// Fails when the run has ended and is gone. One that is held by a handle is still there.
    pub(super) fn reach(&self) -> Result<Option<Arc<dyn Services>>, JobError> {
        match self.services.as_ref().map(Weak::upgrade) {
            None => Ok(None),
            Some(Some(services)) => Ok(Some(services)),
            Some(None) => Err(JobError::no_engine()),
        }
    }

    /// As [`reach`](Self::reach), while the attempt is under way.
    ///
    /// # Errors
    ///
    /// Fails when the attempt has ended.
    pub(super) fn reach_under_way(&self) -> Result<Option<Arc<dyn Services>>, JobError> {
        let services = self.reach()?;
        if let Some(services) = &services {
            services.check_under_way(self.io.job, self.io.attempt)?;
        }
        Ok(services)
    }

    /// How many runs the job is inside of.
    pub(crate) fn level(&self) -> u32 {
        self.services().map_or(0, |services| services.level())
    }

    /// The names of the workflows that the job is inside of, the innermost first.
    pub(crate) fn callers(&self) -> Vec<String> {
        self.services().map(|services| services.callers()).unwrap_or_default()
    }

    /// The run's id; `None` outside of a run.
    pub fn run_id(&self) -> Option<RunId> {
        self.services().map(|services| services.run_id())
    }

    /// The workflow's name; empty outside of a run.
    pub fn workflow_name(&self) -> String {
        self.services().map(|services| services.workflow_name()).unwrap_or_default()
    }

    /// The user who asked for the run; `None` when nobody was named, and outside of a run.
    pub fn user(&self) -> Option<Arc<str>> {
        self.services().and_then(|services| services.user())
    }

    /// The job's name in its workflow; empty outside of a run.
    pub fn job_name(&self) -> String {
        self.services().map(|services| services.job_name(self.io.job)).unwrap_or_default()
    }

    /// The [state](State) of this type that the engine was given: for a [`Job`](super::Job) that is
    /// a value. A `#[job]` function takes `State<T>` as a parameter instead, so that a missing one
    /// is found before the run begins; [`Call::requires_state`](super::Call::requires_state) does
    /// the same for a `Job`. A closure can also hold what it needs.
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
    /// Fails for good when the engine has no such state, and outside of a run.
    pub fn state<T: Send + Sync + 'static>(&self) -> Result<State<T>, JobError> {
        State::of(&self.io)
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.io.attempt
    }

    /// Which element of the list this job works on, when a map started it.
    pub fn map_index(&self) -> Option<u32> {
        self.io.map_index()
    }

    /// A text that is the same for every attempt of this job in this run, and for nothing else:
    /// what to send along where a repeated request must count once. Empty outside of a run.
    pub fn idempotency_key(&self) -> String {
        match self.services() {
            Some(services) => format!("{}/{}", services.run_id(), services.job_name(self.io.job)),
            None => String::new(),
        }
    }

    /// Whether the job has been asked to stop: the run was cancelled, or time is up. True as well
    /// once the attempt has ended, for tasks that it left behind.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_set()
            || self.services.as_ref().is_some_and(|services| services.strong_count() == 0)
    }

    /// Ends when the job is asked to stop, and at the latest with the attempt.
    pub async fn cancelled(&self) {
        self.token.wait().await;
    }

    /// Gives a sign of life, which sets the heartbeat timeout back to its start.
    pub fn heartbeat(&self) {
        if let Some(services) = self.services() {
            services.heartbeat(self.io.job, self.io.attempt);
        }
    }

    /// Gives the attempt at least this long to stop, once it is asked to, whatever the engine gives
    /// to others. False when it is too late for that: it has been asked, or given up.
    pub fn reserve_grace(&self, grace: Duration) -> bool {
        match self.reach() {
            Ok(Some(services)) => services.reserve_grace(self.io.job, self.io.attempt, grace),
            // Nobody is there who would give it up.
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Whether the run is not this engine's any more: what the job does is of no use.
    pub(crate) fn is_lost(&self) -> bool {
        self.services().is_some_and(|services| services.is_lost())
    }

    /// What a run has that is inside of the job.
    pub(crate) fn inherited(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.services().map(|services| services.inherited(self.io.job))
    }

    /// Keeps a fact about this attempt, which the job's entry in the report shows. The latest
    /// of one name counts, and a retry begins without any. While the attempt goes on, those who
    /// watch read it among what it [prints](Self::print), as a line `name: value` of standard error.
    /// Facts that do not serialise, and those of jobs outside of a run, are dropped.
    pub fn annotate(&self, name: impl Into<String>, value: impl serde::Serialize) {
        let name = name.into();
        if let (Some(services), Ok(value)) = (self.services(), to_json(&value)) {
            let line = format!("{name}: {value}\n");
            services.note(self.io.job, self.io.attempt, name, value);
            services.print(self.io.job, self.io.attempt, OutputStream::Stderr, &line);
        }
    }

    /// Keeps a fact about this attempt that nobody needs to read before its end.
    /// Adds a fact about the attempt as [`note`](Self::note) does, and does not show it among what the
    /// job prints.
    pub fn annotate_silently(&self, name: impl Into<String>, value: impl Into<serde_json::Value>) {
        if let Some(services) = self.services() {
            services.note(self.io.job, self.io.attempt, name.into(), value.into());
        }
    }

    /// Waits for a signal of this name, and returns what came with it; null for nothing. Signals
    /// that came before wait here to be received, each by one job, in the order in which they came.
    ///
    /// They are sent with [`RunHandle::signal`](crate::RunHandle::signal). In a run that a store
    /// keeps, a signal is not lost, and one that was received is received again after a crash. A
    /// run inside of a job has an id and signals of its own.
    ///
    /// # Errors
    ///
    /// Fails when what came is no `T`, when the job is asked to stop, outside of a run, and when the
    /// attempt has ended.
    pub async fn wait_signal<T: serde::de::DeserializeOwned>(
        &self,
        name: impl Into<String>,
    ) -> Result<T, JobError> {
        let Some(services) = self.reach_under_way()? else {
            return Err(JobError::terminal("signals reach jobs of a run only"));
        };
        let name = name.into();
        let stopped = || {
            let error = format!("it was asked to stop while it waited for the signal `{name}`");
            JobError::of_kind(JobErrorKind::Cancelled, error)
        };
        // A signal that comes now is left to whoever is not asked to stop.
        if self.is_cancelled() {
            return Err(stopped());
        }
        let received = services.wait_signal(self.io.job, self.io.attempt, name.clone());
        drop(services);
        let payload = match select(received, pin!(self.cancelled())).await {
            Either::Left((received, _)) => received.map_err(|_| JobError::no_engine())?,
            Either::Right(_) => return Err(stopped()),
        };
        from_json(payload).map_err(JobError::of_value)
    }

    /// Keeps a value under a key, for jobs that come later in this run. The latest of one key
    /// counts. Outside of a run, nothing is kept.
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
        let Some(services) = self.reach()? else { return Ok(()) };
        if services.persist_value(self.io.job, self.io.attempt, key.into(), value) {
            return Ok(());
        }
        services.check_under_way(self.io.job, self.io.attempt)
    }

    /// The value that a job of this run [kept](Self::keep) under the key; `None` when there is
    /// none.
    ///
    /// # Errors
    ///
    /// Fails when the value is no `T`, and when the attempt has ended.
    pub fn persisted<T: serde::de::DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<T>, JobError> {
        let value = self.reach_under_way()?.and_then(|services| services.persisted_value(key));
        value.map(from_json).transpose().map_err(JobError::of_value)
    }

    /// Prints for those who watch the run: they find the text among its
    /// [events](crate::Run::events), between the beginning and the end of this attempt.
    ///
    /// The log of the run keeps the text, where the run has one
    /// ([`runs_dir`](crate::EngineBuilder::runs_dir)); neither the report nor a store does. Nobody
    /// waits for those who watch: of what is printed faster than they read, the run holds the latest
    /// ([`output_backlog`](crate::EngineBuilder::output_backlog)). Outside of a run, and once the
    /// attempt has been given up, the text is dropped. What a run prints that is inside of a job is
    /// also what that job prints.
    ///
    /// ```
    /// use workflow_core::prelude::*;
    /// use workflow_core::OutputStream;
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

    /// Shows what was printed, and the log has, to those who watch the run.
    /// Shows a piece of output to those who watch the run; `log` is where the run's log has it, if
    /// it was written there. Nothing is written by this.
    ///
    /// [`print`](Self::print) is for output that the engine writes to the log itself.
    pub fn show(&self, stream: OutputStream, text: String, log: Option<LogPlace>) {
        if let Some(services) = self.services() {
            services.show(self.io.job, self.io.attempt, Printed { stream, text, log });
        }
    }

    /// The run's folder, and the log in it; `None` for a run without a folder, and outside of runs.
    ///
    /// # Errors
    ///
    /// The inner result fails when the log could not be opened.
    pub fn run_log(&self) -> Option<(PathBuf, Result<RunLog, Arc<LogError>>)> {
        self.services()?.log()
    }

    /// Waits on the engine's clock, which tests can move. Does not wait once the attempt has
    /// ended.
    ///
    /// Ends at once when the job is asked to stop and has a [grace period](crate::Call::grace), or
    /// runs on a thread: [`is_cancelled`](Self::is_cancelled) tells. A sleep that begins later ends
    /// after 10 ms, so that a loop which sleeps between two tries does not spin.
    pub async fn sleep(&self, duration: Duration) {
        self.cut_short(duration, self.sleep_through(duration)).await;
    }

    /// Ends with the sleep, or early when the job is asked to stop.
    pub(super) async fn cut_short(&self, duration: Duration, sleep: impl Future<Output = ()>) {
        if self.is_cancelled() {
            return self.sleep_through(duration.min(PACE)).await;
        }
        select(pin!(sleep), self.token.wait()).await;
    }

    /// Waits on the engine's clock, whether the job is asked to stop or not. Does not wait once the
    /// attempt has ended.
    pub async fn sleep_through(&self, duration: Duration) {
        match self.reach_under_way() {
            Ok(Some(services)) => services.sleep(duration).await,
            Ok(None) => futures_timer::Delay::new(duration).await,
            Err(_) => {}
        }
    }
}

/// How long a job that was asked to stop may sleep at a time.
const PACE: Duration = Duration::from_millis(10);

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext")
            .field("run", &self.run_id())
            .field("job", &self.job_name())
            .field("attempt", &self.attempt())
            .finish()
    }
}
