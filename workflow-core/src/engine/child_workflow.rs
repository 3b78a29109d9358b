//! Child workflows: a job that runs a workflow as a run of its own, and ends with it.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};

use super::delegation::{ChildRequest, Executor, Stop};
use super::request::inherited;
use super::{Engine, IntoWorkflow, RunRequest, Shared};
use crate::guard;
use crate::id::RunId;
use crate::job::arguments::{Bind, Reader, Ref};
use crate::job::{
    AttemptIo, Body, Call, Handle, Inputs, JobContext, JobError, JobErrorKind, Need, StateCheck,
    known_wait, one_input,
};
use crate::run::{OutputError, Report, Run, RunError};
use crate::store::{MessageKind, Parent, Trigger, WorkflowSnapshot};
use crate::value::{Type, ValueError, from_json, to_json};
use crate::workflow::Workflow;

/// Creates a job that runs a workflow on the engine of the outer run.
pub(crate) fn call_workflow<W, I, O>(
    name: impl Into<Cow<'static, str>>,
    workflow: W,
    input: Handle<I>,
) -> Call<O>
where
    W: IntoWorkflow + Clone + Send + Sync + 'static,
    I: serde::Serialize + Send + Sync + 'static,
    O: serde::de::DeserializeOwned + serde::Serialize + Clone + Send + Sync + 'static,
{
    let mut inputs = Inputs::new();
    let reader = <Handle<I> as Bind<Ref<I>>>::bind(input, &mut inputs);
    let needs = needs_of(workflow.clone());
    let body = Body::future(move |io: AttemptIo| {
        let workflow = workflow.clone();
        async move {
            let engine = engine_of(&io)?;
            let workflow = workflow.into_workflow().map_err(JobError::terminal)?;
            let input = Reader::<Ref<I>>::read(&reader, &io)?;
            if let Some(executor) = engine.0.executor() {
                let input = to_json(input).map_err(JobError::of_value)?;
                let input = workflow.input().map(|_| input);
                let output = run_elsewhere(&io, executor, &*workflow, input).await?;
                return io.put(from_json::<O>(output).map_err(JobError::of_value)?);
            }
            let report = run_inside(&io, &engine, workflow, |request| request.input(input));
            let report = report.await?;
            io.put(report.output::<O>().map_err(output_error)?)
        }
    });
    let kind = Type::opaque::<O>().with_clone::<O>().with_serialize::<O>().with_deserialize::<O>();
    Call::new(name, kind, body, inputs)
        // A persisted function tells its calls apart by their inputs.
        .parameters(one_input::<I>)
        .takes_context()
        .container()
        .requiring([needs])
}

/// Returns the state that the jobs of a child workflow need, if its graph is known without an
/// input. If the workflow is not found or cannot be planned, the child run reports the error.
pub fn needs_of<W>(workflow: W) -> Need
where
    W: IntoWorkflow + Clone + Send + Sync + 'static,
{
    Need::workflow(move |check: &mut StateCheck<'_>| {
        let plan = guard::call(|| {
            let workflow = workflow.clone().into_workflow().ok()?;
            Some((workflow.name().to_string(), workflow.plan(None).ok()?))
        });
        if let Ok(Some((name, plan))) = plan {
            plan.check_state(&name, check);
        }
    })
}

/// Runs a workflow inside of a job, and cancels it when the job must stop. The job then ends with
/// the run, whose jobs have their own grace periods.
///
/// In a persisted run, each attempt has one inner run. An attempt that starts again follows that
/// run.
async fn run_inside(
    io: &AttemptIo,
    engine: &Engine,
    workflow: Arc<dyn Workflow>,
    with_input: impl FnOnce(RunRequest) -> RunRequest,
) -> Result<Report, JobError> {
    let context = JobContext::new(io);
    if !context.reserve_grace(Duration::MAX) {
        return Err(JobError::of_kind(JobErrorKind::Cancelled, "cancelled before it started"));
    }
    let mut request = with_input(engine.run(Arc::clone(&workflow))).trigger(Trigger::Workflow);
    if let Some(run) = context.run_id() {
        let key = format!("{}/{}", context.idempotency_key(), context.attempt());
        request = request.idempotency_key(key).parent(Parent { run, job: context.job_name() });
    }
    if let Some(user) = context.user() {
        request = request.user(user);
    }
    if let Some(at) = context.scheduled_for() {
        request = request.scheduled_for(at);
    }
    let run = match request.inside(context.clone()).start() {
        Ok(run) => run,
        Err(RunError::ShutDown { .. }) => return Err(wait_for_shutdown(&context).await),
        Err(error) => return Err(start_error(error)),
    };
    let inner = run.0.id;
    let mut awaited = AwaitedRun::new(&context, inner);
    let ended = known_wait(run.0.until_end());
    let ended = match select(pin!(ended), pin!(context.cancelled())).await {
        Either::Left((ended, _)) => ended,
        Either::Right(_) if context.is_lost() => return Err(outer_run_lost()),
        Either::Right(((), wait)) => {
            run.cancel();
            wait.await
        }
    };
    if let Some(run) = ended.as_ref().err().and_then(RunError::continues_as) {
        awaited.set(run);
        return follow_inside(&context, engine, run, workflow).await;
    }
    if let Err(RunError::ShutDown { .. }) = ended {
        return Err(wait_for_shutdown(&context).await);
    }
    match ended {
        // Another engine may drive the inner run by now, while this one still drives the outer run.
        Err(error) if error.is_left_to_others() => {
            follow_inside(&context, engine, inner, workflow).await
        }
        ended => Ok(ended?),
    }
}

/// The child run that a job waits for, as its run knows it.
struct AwaitedRun<'a>(&'a JobContext);

impl<'a> AwaitedRun<'a> {
    fn new(context: &'a JobContext, run: RunId) -> Self {
        context.await_run(Some(run));
        Self(context)
    }

    fn set(&mut self, run: RunId) {
        self.0.await_run(Some(run));
    }
}

impl Drop for AwaitedRun<'_> {
    fn drop(&mut self) {
        self.0.await_run(None);
    }
}

/// Has a child workflow run elsewhere, and returns its output as JSON. The job ends with the child.
async fn run_elsewhere(
    io: &AttemptIo,
    executor: &Arc<dyn Executor>,
    workflow: &dyn Workflow,
    input: Option<serde_json::Value>,
) -> Result<serde_json::Value, JobError> {
    let context = JobContext::new(io);
    if !context.reserve_grace(Duration::MAX) {
        return Err(JobError::of_kind(JobErrorKind::Cancelled, "cancelled before it started"));
    }
    let child = ChildRequest {
        workflow: workflow.name().to_string(),
        job: context.job_name(),
        attempt: context.attempt(),
        input,
        user: context.user(),
        scheduled_for: context.scheduled_for(),
        stop: Stop::new(context.token()),
    };
    executor.run_child(child).await
}

/// The error of a job whose outer run is lost. The inner run continues, and the engine that resumes
/// the outer run follows it. Nobody sees this error.
fn outer_run_lost() -> JobError {
    JobError::of_kind(JobErrorKind::Cancelled, "another engine drives the outer run")
}

/// The engine is shutting down: the job waits until it is stopped with the outer run, and starts
/// again where that run is resumed.
async fn wait_for_shutdown(context: &JobContext) -> JobError {
    context.cancelled().await;
    outer_run_lost()
}

/// Follows the run that an attempt started, whichever engine drives it.
async fn follow_inside(
    context: &JobContext,
    engine: &Engine,
    run: RunId,
    workflow: Arc<dyn Workflow>,
) -> Result<Report, JobError> {
    let find = move |_: &WorkflowSnapshot| Ok(Arc::clone(&workflow));
    let followed = pin!(engine.follow_inside(run, &find, inherited(context)));
    let ended = match select(followed, pin!(context.cancelled())).await {
        Either::Left((ended, _)) => ended,
        Either::Right(_) if context.is_lost() => return Err(outer_run_lost()),
        Either::Right(((), followed)) => {
            if let Some(store) = engine.store() {
                store.send(run, MessageKind::Cancel).await.map_err(JobError::terminal)?;
            }
            followed.await
        }
    };
    Ok(ended?)
}

/// Runs a workflow inside of a job, and returns its output as JSON, or null if it has none.
///
/// # Errors
///
/// Fails if the run cannot start or does not complete, and outside of an engine.
pub async fn run_nested(
    io: &AttemptIo,
    workflow: Arc<dyn Workflow>,
    input: Option<serde_json::Value>,
) -> Result<serde_json::Value, JobError> {
    let engine = engine_of(io)?;
    if let Some(executor) = engine.0.executor() {
        return run_elsewhere(io, executor, &*workflow, input).await;
    }
    let report = run_inside(io, &engine, workflow, |request| match input {
        Some(input) => request.input(input),
        None => request,
    });
    let report = report.await?;
    match report.output_json() {
        Ok(output) => Ok(output),
        Err(OutputError::None { .. }) => Ok(serde_json::Value::Null),
        Err(error) => Err(output_error(error)),
    }
}

/// The error of a job that cannot use the output of its inner run.
fn output_error(error: OutputError) -> JobError {
    match error {
        OutputError::Type { error: error @ ValueError::Panicked { .. }, .. }
        | OutputError::Json { error: error @ ValueError::Panicked { .. }, .. } => {
            JobError::of_value(error)
        }
        error => JobError::terminal(error),
    }
}

/// A run that cannot start fails the job for good: a retry cannot help.
fn start_error(error: RunError) -> JobError {
    JobError::terminal(error)
}

fn engine_of(io: &AttemptIo) -> Result<Engine, JobError> {
    let shared = io.services().and_then(|services| services.engine().downcast::<Shared>().ok());
    shared.map(Engine).ok_or_else(|| {
        JobError::terminal("a child workflow needs an engine, and this context has none")
    })
}
