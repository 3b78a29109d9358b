//! Attempts that are made elsewhere: another process, another machine, a workflow service.
//!
//! The engine decides what a run does, and an [`Executor`] makes its attempts. There are two sides:
//!
//! - **The side of the run**: [`RunRequest::delegate`](crate::engine::RunRequest::delegate) begins
//!   a [`DelegatedRun`], which its caller polls. Each attempt is an [`AttemptRequest`], whose
//!   [`JobTask`] is data and can be sent anywhere.
//! - **The side of the attempt**: [`execute`] finds the function of a task by name, makes the
//!   attempt within its timeouts, and returns its outcome as data.
//!
//! Function workflows, maps, conditions and child workflows are part of the run. Everything else is
//! an attempt. Attempts of closures, and of calls with arguments that are not inputs, cannot be
//! found by name; [`is_addressable`] tells, and [`AttemptRequest::perform_here`] makes them in the
//! process that polls the run.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::engine::Engine;
use crate::engine::delegation::Invocation;
use crate::guard;
use crate::job::{AttemptIo, ChildFrame, JobError, RunValues};
use crate::registry;
use crate::workflow::{Plan, Workflow};

pub use crate::engine::delegation::{
    AttemptOutcome, AttemptRequest, AttemptResult, ChildRequest, DelegatedRun, Executor,
    JobAddress, JobTask, RecordedRun, RunControl, Stop, Surroundings, TaskInputs, is_addressable,
    not_addressable,
};

/// Surroundings that never cancel an attempt, and ignore its heartbeats and output.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSurroundings;

impl Surroundings for NoSurroundings {}

/// The type of the error of a task that this program cannot execute, because it has another
/// definition of the workflow or job, or none. Another program, or a later version, may have it.
pub const UNKNOWN_DEFINITION: &str = "UnknownDefinition";

/// Executes one attempt in this process.
///
/// `engine` provides the application state and replacements of jobs. If this program lacks the
/// workflow or job, the outcome has the error type [`UNKNOWN_DEFINITION`].
pub async fn execute(
    engine: &Engine,
    task: JobTask,
    surroundings: Arc<dyn Surroundings>,
) -> AttemptOutcome {
    let registered = || {
        let entry = registry::get(&task.workflow).map_err(|error| unknown(error.to_string()))?;
        Ok(entry.workflow())
    };
    match find(engine, &task, &registered) {
        Ok(invocation) => invocation.execute(engine, task, surroundings).await,
        Err(error) => AttemptOutcome::failed(&error),
    }
}

/// Finds the workflow of a task.
pub(crate) type FindWorkflow<'a> = &'a dyn Fn() -> Result<Arc<dyn Workflow>, JobError>;

/// Finds the function of a task, and reads its inputs.
///
/// # Errors
///
/// Fails with the type [`UNKNOWN_DEFINITION`] if this program cannot make the attempt.
pub(crate) fn find(
    engine: &Engine,
    task: &JobTask,
    workflow: FindWorkflow<'_>,
) -> Result<Invocation, JobError> {
    // Planning and reading inputs are code of the host.
    let invocation = guard::call(|| locate(engine, task, workflow));
    invocation.unwrap_or_else(|panic| Err(JobError::retryable(panic)))
}

fn locate(
    engine: &Engine,
    task: &JobTask,
    workflow: FindWorkflow<'_>,
) -> Result<Invocation, JobError> {
    match &task.address {
        Some(JobAddress::Graph { fingerprint }) => {
            let (plan, values) = restore(engine, task, fingerprint, workflow)?;
            let job = number(&plan, &task.job)?;
            Ok(Invocation::graph(plan, values, job, task.attempt))
        }
        Some(JobAddress::Compensation { of, fingerprint }) => {
            let (plan, values) = restore(engine, task, fingerprint, workflow)?;
            let of = number(&plan, of)?;
            let extras = plan.extras.get(&of).and_then(|extras| extras.compensation.as_ref());
            let compensation = extras.ok_or_else(|| unknown("it compensates no job".to_owned()))?;
            let frame = compensation.frame(AttemptIo::graph(values, of, 1));
            let inputs = AttemptIo::child(Arc::new(frame), 0, task.attempt);
            Ok(Invocation::call(Arc::clone(&compensation.call), inputs))
        }
        Some(JobAddress::Registry) => {
            let job = registry::job(&task.function).map_err(|error| unknown(error.to_string()))?;
            let no_names = || unknown(format!("`{}` has inputs without names", task.function));
            let called = job.call().ok_or_else(no_names)?;
            let (call, frame) = called.with_values(&task.inputs.parameters)?;
            let frame = ChildFrame { index: task.index, ..frame };
            let inputs = AttemptIo::child(Arc::new(frame), 0, task.attempt);
            Ok(Invocation::call(Arc::new(call), inputs))
        }
        None => Err(unknown(format!(
            "`{}` is a closure, or a call with arguments that are not inputs; only the process that \
             drives the run can make its attempts",
            task.function
        ))),
    }
}

/// Plans the workflow of a task, and restores the values that the job reads.
fn restore(
    engine: &Engine,
    task: &JobTask,
    fingerprint: &str,
    workflow: FindWorkflow<'_>,
) -> Result<(Arc<Plan>, Arc<RunValues>), JobError> {
    let workflow = workflow()?;
    let read = |input: &Json| workflow.input().map(|kind| kind.read(input.clone())).transpose();
    let input = task.inputs.run.as_ref().map(read).transpose().map_err(JobError::of_value)?;
    let input = input.flatten();
    let plan = workflow.plan(input.as_deref()).map_err(JobError::terminal)?;
    if *plan.stored_graph().fingerprint != *fingerprint {
        return Err(unknown(format!(
            "this program has another definition of workflow `{}` than the run; keep a worker with \
             the old definition until its runs have ended",
            task.workflow
        )));
    }
    let replaced = engine.replacements();
    let values = RunValues::new(Arc::clone(&plan.layout), input, None, replaced);
    for (job, output) in &task.inputs.outputs {
        let job = number(&plan, job)?;
        values.restore(job, output.clone()).map_err(JobError::of_value)?;
    }
    Ok((plan, Arc::new(values)))
}

/// The number of a job in the graph.
fn number(plan: &Plan, job: &str) -> Result<u32, JobError> {
    let at = plan.graph.job_names().position(|name| name == job);
    let missing = || unknown(format!("the graph of the workflow has no job `{job}`"));
    at.and_then(|at| u32::try_from(at).ok()).ok_or_else(missing)
}

/// The error of a task that this program cannot make.
pub(crate) fn unknown(problem: String) -> JobError {
    JobError::terminal(problem).with_type(UNKNOWN_DEFINITION)
}
