//! What a job may ask of its run while it works.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::oneshot;

use super::call::{JobFn, RawCall};
use super::scope::{ChildFrame, Host, Item};
use super::{JobError, JobErrorKind, OutputStream, Printed, Scope, Token};
use crate::id::RunId;
use crate::value::Outbox;

/// Where a job stands, and what it may ask: its names and numbers, whether it should stop, a
/// sign of life, a wait.
///
/// A `#[job]` function that has a parameter of this type receives it; the parameter is no input.
/// A function that is called outside of a run gets a context that is never cancelled.
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
    scope: Scope,
    host: Option<Weak<dyn Host>>,
    token: Arc<Token>,
}

impl JobContext {
    /// The context of the attempt that the scope belongs to.
    pub fn new(scope: &Scope) -> Self {
        let host = scope.host();
        let token = host.as_ref().map(|host| host.token(scope.job, scope.attempt));
        Self {
            scope: scope.clone(),
            host: host.as_ref().map(Arc::downgrade),
            token: token.unwrap_or_default(),
        }
    }

    /// A context outside of any run, as unit tests want it.
    pub fn detached() -> Self {
        Self::new(&Scope::detached())
    }

    fn host(&self) -> Option<Arc<dyn Host>> {
        self.host.as_ref()?.upgrade()
    }

    /// The run's id; `None` outside of a run.
    pub fn run_id(&self) -> Option<RunId> {
        self.host().map(|host| host.run_id())
    }

    /// The workflow's name; empty outside of a run.
    pub fn workflow_name(&self) -> String {
        self.host().map(|host| host.workflow_name()).unwrap_or_default()
    }

    /// The job's name in its workflow; empty outside of a run.
    pub fn job_name(&self) -> String {
        self.host().map(|host| host.job_name(self.scope.job)).unwrap_or_default()
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.scope.attempt
    }

    /// Which element of the list this job works on, when a map started it.
    pub fn map_index(&self) -> Option<u32> {
        self.scope.map_index()
    }

    /// A text that is the same for every attempt of this job in this run, and for nothing else:
    /// what to send along where a repeated request must count once. Empty outside of a run.
    pub fn idempotency_key(&self) -> String {
        match self.host() {
            Some(host) => format!("{}/{}", host.run_id(), host.job_name(self.scope.job)),
            None => String::new(),
        }
    }

    /// Whether the job has been asked to stop: the run was cancelled, or time is up.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_set()
    }

    /// Ends when the job is asked to stop.
    pub async fn cancelled(&self) {
        self.token.wait().await;
    }

    /// Gives a sign of life, which sets the heartbeat timeout back to its start.
    pub fn heartbeat(&self) {
        if let Some(host) = self.host() {
            host.heartbeat(self.scope.job, self.scope.attempt);
        }
    }

    /// Gives the attempt at least this long to stop, once it is asked to, whatever the engine gives
    /// to others. False when it is too late for that: it has been asked, or given up.
    pub(crate) fn reserve_grace(&self, grace: Duration) -> bool {
        match self.host() {
            Some(host) => host.reserve_grace(self.scope.job, self.scope.attempt, grace),
            // Nobody is there who would give it up.
            None => true,
        }
    }

    /// Keeps a fact about this attempt, which the job's entry in the report then shows. The latest
    /// of one name counts, and a retry begins without any. Facts that do not
    /// serialise, and those of jobs outside of a run, are dropped.
    pub fn note(&self, name: impl Into<String>, value: impl serde::Serialize) {
        if let (Some(host), Ok(value)) = (self.host(), serde_json::to_value(value)) {
            host.note(self.scope.job, self.scope.attempt, name.into(), value);
        }
    }

    /// Prints for those who watch the run: they find the text among its
    /// [events](crate::Run::events), between the beginning and the end of this attempt.
    ///
    /// The text is neither kept in the run's report nor in a store. Nobody waits for those who
    /// watch: of what is printed faster than they read, the run holds the latest
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
    pub fn print(&self, stream: OutputStream, text: impl Into<String>) {
        self.show(Printed { stream, text: text.into(), log: None });
    }

    /// Shows what was printed to those who watch the run.
    pub(crate) fn show(&self, printed: Printed) {
        if let Some(host) = self.host() {
            host.print(self.scope.job, self.scope.attempt, printed);
        }
    }

    /// Waits on the engine's clock, which tests can move.
    pub async fn sleep(&self, duration: Duration) {
        match self.host() {
            Some(host) => host.sleep(duration).await,
            None => futures_timer::Delay::new(duration).await,
        }
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext")
            .field("run", &self.run_id())
            .field("job", &self.job_name())
            .field("attempt", &self.attempt())
            .finish()
    }
}

/// The context of a function that is a workflow: it can run jobs as it goes, so that loops and
/// branches are ordinary Rust.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[job]
/// async fn halve(number: &u64) -> u64 { number / 2 }
///
/// #[register_workflow(name = "halvings")]
/// async fn halvings(ctx: WorkflowContext, mut number: u64) -> Result<u32, JobError> {
///     let mut steps = 0;
///     while number > 1 {
///         number = ctx.run(halve, number).await?;
///         steps += 1;
///     }
///     Ok(steps)
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let steps: u32 = registry::run("halvings").input(40_u64).wait()?.output()?;
/// assert_eq!(steps, 5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WorkflowContext(JobContext);

impl WorkflowContext {
    /// The context of the attempt that the scope belongs to.
    pub fn new(scope: &Scope) -> Self {
        Self(JobContext::new(scope))
    }

    /// A context outside of any run, as unit tests want it.
    pub fn detached() -> Self {
        Self(JobContext::detached())
    }

    /// Runs a job of this run and returns its output. `()` stands for no input, a tuple for
    /// several.
    ///
    /// The job's options hold: retries, timeouts, limits. A closure can change them:
    /// `ctx.run(|number| halve(number).name("first"), 8)`. Dropping the future cancels the job.
    /// Outside of a run the job's function is simply called.
    ///
    /// # Errors
    ///
    /// Fails with the job's error when it failed for good.
    pub fn run<I, O, M, F>(
        &self,
        job: F,
        input: I,
    ) -> impl Future<Output = Result<O, JobError>> + Send + use<I, O, M, F>
    where
        O: Send + Sync + 'static,
        F: JobFn<I, O, M>,
    {
        let started = self.start(job.template(), F::values(input));
        async move {
            let (running, output) = started?;
            running.await?;
            output
                .take()
                .and_then(|mut values| values.pop())
                .ok_or_else(|| JobError::terminal("the job ended without leaving an output"))
        }
    }

    fn start<O: Send + Sync + 'static>(
        &self,
        (owner, call): (u32, super::Call<O>),
        values: Vec<crate::value::Boxed>,
    ) -> Result<(Running, Arc<Outbox<O>>), JobError> {
        call.raw.check_child()?;
        let mut outer = super::bind::Inputs::new();
        let inputs = call.raw.split_inputs(owner, &mut outer);
        if !outer.is_empty() {
            return Err(JobError::terminal(
                "`ctx.run` was given a job that reads a handle of a graph; pass the value as input",
            ));
        }
        let output = Arc::new(Outbox::<O>::new(1));
        let frame = Arc::new(ChildFrame {
            parent: self.0.scope.clone(),
            inputs: inputs.into(),
            item: Item::Values(values),
            output: output.clone(),
            row: 0,
            index: None,
        });
        let call = Arc::new(call.raw);
        let running = match self.0.host() {
            Some(host) => {
                let child = NewChild { call, frame };
                Running::Child(host.spawn(self.0.scope.job, vec![child]).pop())
            }
            None => Running::Detached(Box::pin(async move {
                call.body.run_detached(Scope::child(frame, 0, 1)).await
            })),
        };
        Ok((running, output))
    }
}

impl Deref for WorkflowContext {
    type Target = JobContext;

    fn deref(&self) -> &JobContext {
        &self.0
    }
}

enum Running {
    Child(Option<ChildHandle>),
    Detached(super::BodyFuture),
}

impl Future for Running {
    type Output = Result<(), JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Child(Some(child)) => Pin::new(child).poll(cx),
            Self::Child(None) => Poll::Ready(Err(JobError::no_engine())),
            Self::Detached(body) => body.as_mut().poll(cx),
        }
    }
}

/// A job that is to run inside another.
pub(crate) struct NewChild {
    pub(crate) call: Arc<RawCall>,
    pub(crate) frame: Arc<ChildFrame>,
}

/// Waits for a child; stops it when dropped before its end.
pub(crate) struct ChildHandle {
    pub(crate) job: u32,
    pub(crate) end: oneshot::Receiver<Result<(), JobError>>,
    pub(crate) host: Weak<dyn Host>,
    pub(crate) ended: bool,
}

impl Future for ChildHandle {
    type Output = Result<(), JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.end).poll(cx).map(|end| {
            self.ended = true;
            end.unwrap_or_else(|_| Err(JobError::no_engine()))
        })
    }
}

impl Drop for ChildHandle {
    fn drop(&mut self) {
        if !self.ended
            && let Some(host) = self.host.upgrade()
        {
            host.abandon(self.job);
        }
    }
}

impl JobError {
    #[cold]
    fn no_engine() -> Self {
        Self::of_kind(JobErrorKind::Cancelled, "the run ended before the job did")
    }
}
