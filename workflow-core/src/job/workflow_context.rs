//! The context of a function workflow, which runs jobs as it goes.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::oneshot;
use serde_json::Value as Json;

use super::attempt_io::{ChildFrame, Item, Services};
use super::call::JobFn;
use super::known_wait::{known_wait, known_waker};
use super::raw_call::RawCall;
use super::{AttemptContext, AttemptIo, JobContext, JobError, JobErrorKind};
use crate::value::ChildOutputs;

/// The context of a function workflow. The function runs jobs as it goes, so that loops and
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

impl AttemptContext for WorkflowContext {
    fn of(io: &AttemptIo) -> Self {
        Self::new(io)
    }

    fn outside() -> Self {
        Self::detached()
    }
}

impl WorkflowContext {
    /// Creates the context of an attempt.
    pub fn new(io: &AttemptIo) -> Self {
        Self(JobContext::new(io))
    }

    /// Creates a context outside of any run, for unit tests.
    pub fn detached() -> Self {
        Self(JobContext::detached())
    }

    /// Sleeps. In a persisted run the store records the end of the sleep: after a crash the
    /// function sleeps for the remaining time.
    ///
    /// Ends early when [`JobContext::sleep`] does.
    pub async fn sleep(&self, duration: Duration) {
        let io = &self.0.io;
        match self.0.running_services() {
            Ok(Some(services)) => {
                let sleep = services.sleep_durably(io.job, io.attempt, duration);
                drop(services);
                self.0.cut_short(duration, known_wait(sleep)).await;
            }
            Ok(None) => self.0.sleep(duration).await,
            Err(_) => {}
        }
    }

    /// Runs a job in this run and returns its output. Pass `()` for no input and a tuple for
    /// several.
    ///
    /// The job's options apply: retries, timeouts, limits. A closure can change them:
    /// `ctx.run(|number| halve(number).name("first"), 8)`. Dropping the future cancels the job.
    /// Outside of a run it calls the job's function directly.
    ///
    /// In a persisted run the store records the output of each call. After a crash the function is
    /// replayed: calls of the same job with the same input return the recorded output. So the
    /// function must be deterministic and call the same jobs again; move code that depends on time
    /// or randomness into jobs.
    ///
    /// # Errors
    ///
    /// Fails with the job's error when the job fails for good. When the function is cancelled and
    /// has a [grace period](super::Call::grace), its jobs are cancelled and no more are started.
    /// Fails without running the job when the function's attempt or the run has ended, as in a task
    /// that outlives it.
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
                .ok_or_else(|| JobError::terminal("the job ended without an output"))
        }
    }

    fn start<O: Send + Sync + 'static>(
        &self,
        (owner, call): (u32, super::Call<O>),
        values: Vec<crate::value::Boxed>,
    ) -> Result<(Running, Arc<ChildOutputs<O>>), JobError> {
        call.raw.check_child()?;
        let mut outer = super::bind::Inputs::new();
        let inputs = call.raw.split_inputs(owner, &mut outer);
        let services = self.0.live_services()?;
        if let Some(services) = &services {
            call.raw.check_state(&**services)?;
        }
        if !outer.0.is_empty() {
            return Err(JobError::terminal(
                "`ctx.run` was given a job that reads a handle of a graph; pass the value as input",
            ));
        }
        let persisted = services.as_ref().is_some_and(|services| services.is_persisted());
        let asked = if persisted { call.raw.write_items(&inputs, &values)? } else { Json::Null };
        let output = Arc::new(ChildOutputs::<O>::new(1));
        let frame = Arc::new(ChildFrame {
            parent: self.0.io.clone(),
            inputs: inputs.into(),
            item: Item::Values(values),
            output: output.clone(),
            row: 0,
            index: None,
            timed: call.raw.is_timed(),
        });
        let call = Arc::new(call.raw);
        let running = match services {
            Some(services) => {
                let child = NewChild { call, frame, asked };
                Running::Child(services.spawn(self.0.io.job, vec![child]).pop())
            }
            // A detached context: one whose run has ended was refused above.
            None => Running::Detached(Box::pin(async move {
                call.body.run(AttemptIo::child(frame, 0, 1)).await
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

/// A job to start inside another.
pub(crate) struct NewChild {
    pub(crate) call: Arc<RawCall>,
    pub(crate) frame: Arc<ChildFrame>,
    /// The input that a function passes to it, in a persisted run.
    pub(crate) asked: Json,
}

/// Waits for a child, and stops it if dropped before the child has ended.
pub(crate) struct ChildHandle {
    /// `None` for a job that was refused.
    pub(crate) job: Option<u32>,
    pub(crate) end: oneshot::Receiver<Result<(), JobError>>,
    pub(crate) services: Weak<dyn Services>,
    pub(crate) ended: bool,
}

impl Future for ChildHandle {
    type Output = Result<(), JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = known_waker(cx.waker());
        Pin::new(&mut self.end).poll(&mut Context::from_waker(&waker)).map(|end| {
            self.ended = true;
            end.unwrap_or_else(|_| Err(JobError::no_engine()))
        })
    }
}

impl Drop for ChildHandle {
    fn drop(&mut self) {
        if !self.ended
            && let Some((job, services)) = self.job.zip(self.services.upgrade())
        {
            services.abandon(job);
        }
    }
}

impl JobError {
    #[cold]
    pub(crate) fn no_engine() -> Self {
        Self::of_kind(JobErrorKind::Cancelled, "the run ended before the job did")
    }

    /// The error of a context whose attempt has ended while the run continues.
    #[cold]
    pub(crate) fn attempt_over() -> Self {
        Self::of_kind(JobErrorKind::Cancelled, "the attempt has already ended")
    }
}
