//! A workflow as a job of another.

use std::borrow::Cow;
use std::time::Duration;

use futures::future::{Either, select};

use super::{Engine, IntoWorkflow, RunRequest, Shared};
use crate::job::{
    Bind, Body, Call, Handle, Inputs, JobContext, JobError, JobErrorKind, Reader, Ref, Scope,
};
#[cfg(feature = "yaml")]
use crate::run::OutputError;
use crate::run::{Report, Run, RunError};
use crate::value::Type;

/// A job that runs a workflow, as a run of its own on the engine of the outer one.
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
    let body = Body::future(move |scope: Scope| {
        let workflow = workflow.clone();
        async move {
            let request = engine_of(&scope)?.run(workflow);
            let request = request.input(Reader::<Ref<I>>::read(&reader, &scope)?);
            let report = run_inside(&scope, request).await?;
            scope.put(report.output::<O>().map_err(JobError::terminal)?)
        }
    });
    let kind = Type::opaque::<O>().with_clone::<O>().with_serialize::<O>().with_deserialize::<O>();
    Call::new(name, kind, body, inputs).takes_context().container()
}

/// Runs a workflow inside of a job, and stops it when the job is asked to stop. The job then ends
/// with the run, whose own jobs have their time to stop.
async fn run_inside(scope: &Scope, request: RunRequest) -> Result<Report, JobError> {
    let context = JobContext::new(scope);
    if !context.reserve_grace(Duration::MAX) {
        return Err(JobError::of_kind(JobErrorKind::Cancelled, "asked to stop before it began"));
    }
    let run = request.inside(context.clone()).start().map_err(unfit)?;
    let ended = match select(run.wait(), std::pin::pin!(context.cancelled())).await {
        Either::Left((ended, _)) => ended,
        Either::Right(((), wait)) => {
            run.cancel();
            wait.await
        }
    };
    Ok(ended?)
}

/// The output of a workflow that is run inside of a job, as JSON; null when it has none.
#[cfg(feature = "yaml")]
pub(crate) async fn run_nested(
    scope: &Scope,
    workflow: std::sync::Arc<dyn crate::workflow::Workflow>,
    input: Option<serde_json::Value>,
) -> Result<serde_json::Value, JobError> {
    let mut request = engine_of(scope)?.run(workflow);
    if let Some(input) = input {
        request = request.input(input);
    }
    let report = run_inside(scope, request).await?;
    match report.output_json() {
        Ok(output) => Ok(output),
        Err(OutputError::None { .. }) => Ok(serde_json::Value::Null),
        Err(error) => Err(JobError::terminal(error)),
    }
}

/// Nothing gets better by trying again to begin a run that cannot.
fn unfit(error: RunError) -> JobError {
    JobError::terminal(error)
}

fn engine_of(scope: &Scope) -> Result<Engine, JobError> {
    let shared = scope.host().and_then(|host| host.engine().downcast::<Shared>().ok());
    shared.map(Engine).ok_or_else(|| {
        JobError::terminal("a workflow as a job runs on an engine only, and this context has none")
    })
}
