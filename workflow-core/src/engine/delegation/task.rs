//! An attempt as data, for another process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};

use super::attempt::Invocation;
use crate::engine::active::ActiveRun;
use crate::event::{Failure, rfc3339};
use crate::guard;
use crate::id::RunId;
use crate::job::{AttemptIo, Grace, JobError, Services as _, Source, Timeouts};
use crate::run::ChildName;
use crate::value::Type;

/// One attempt of a job as data. [`execute`](crate::executor::execute) makes it, in any process
/// with the same workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobTask {
    /// The run.
    pub run: RunId,
    /// The name of the workflow.
    pub workflow: String,
    /// The job's name in the run.
    pub job: String,
    /// The name of the job's function.
    pub function: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The index of the element, in a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// The user that requested the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Arc<str>>,
    /// The time of the schedule for which the run stands.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339::option")]
    pub scheduled_for: Option<SystemTime>,
    /// The task queue whose workers make the attempt; `None` if the job names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<Arc<str>>,
    /// Where the function is found; `None` if only the process that drives the run has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<JobAddress>,
    /// What it reads.
    #[serde(default, skip_serializing_if = "TaskInputs::is_empty")]
    pub inputs: TaskInputs,
    /// The values that jobs of the run persisted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Json>,
    /// The signals that the attempt has received, in order, with their payloads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<(String, Json)>,
    /// The timeouts of the attempt.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeouts: Timeouts,
    /// The grace period of the job, when it must stop.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub grace: Duration,
    /// The limits that the attempt counts against, with the number of permits of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<(String, usize)>,
}

/// Where the function of a job is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobAddress {
    /// In the graph of the workflow.
    Graph {
        /// The fingerprint of the graph.
        fingerprint: Arc<str>,
    },
    /// In the graph of the workflow: the compensation of this job.
    Compensation {
        /// The job.
        of: String,
        /// The fingerprint of the graph.
        fingerprint: Arc<str>,
    },
    /// Among the registered jobs, under the name of its function.
    Registry,
}

/// The values that an attempt reads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskInputs {
    /// Outputs of jobs of the graph, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Json>,
    /// The input of the run, for jobs that read it and graphs that depend on it. Null is an input.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub run: Option<Json>,
    /// The inputs of a registered job, in the order of its parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Json>,
}

impl TaskInputs {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptOutcome {
    /// How it ended.
    pub result: AttemptResult,
    /// The values that it persisted, by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub persisted: BTreeMap<String, Json>,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub annotations: Map<String, Json>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptResult {
    /// It completed with this output.
    Completed(Json),
    /// It failed, or was cancelled.
    Failed(Failure),
    /// It waits for a signal of this name, and must be made again with the signal.
    AwaitsSignal(String),
}

impl AttemptOutcome {
    /// The outcome of an attempt that failed with this error.
    pub fn failed(error: &JobError) -> Self {
        Self::new(AttemptResult::Failed(Failure::from(error)))
    }

    pub(super) fn new(result: AttemptResult) -> Self {
        Self { result, persisted: BTreeMap::new(), annotations: Map::new() }
    }
}

/// Reads a value that is there, also null.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(value).map(Some)
}

fn is_default(timeouts: &Timeouts) -> bool {
    *timeouts == Timeouts::default()
}

/// Describes an attempt of a delegated run.
///
/// # Errors
///
/// Fails if a value that the job reads cannot be written as JSON.
pub(super) fn describe(
    run: &ActiveRun,
    job: u32,
    attempt: u32,
    invocation: &Invocation,
) -> Result<JobTask, JobError> {
    let state = run.lock();
    let name = state.names.get(&run.plan.graph, job).into_owned();
    let policy = state.scheduler.policy(job);
    let mut timeouts = policy.map(|policy| policy.timeouts).unwrap_or_default();
    // All attempts together are the engine's concern.
    timeouts.schedule_to_close = None;
    let grace = match policy.and_then(|policy| policy.grace) {
        None => Duration::ZERO,
        Some(Grace::Engine) => run.engine.grace,
        Some(Grace::For(period)) => period,
    };
    let limits = policy.map(|policy| policy.limits.clone()).unwrap_or_default();
    let task_queue = policy.and_then(|policy| policy.task_queue.clone());
    let values = state.persisted_values();
    let compensates = match state.names.child(&run.plan.graph, job) {
        Some(ChildName::Compensation { of }) => Some(*of),
        _ => None,
    };
    drop(state);
    let (address, inputs) = locate(run, job, compensates, invocation)?;
    Ok(JobTask {
        run: run.id,
        workflow: run.workflow.name().to_string(),
        function: invocation.as_call().map_or_else(|| name.clone(), |call| call.name.to_string()),
        job: name,
        attempt,
        index: invocation.inputs().map_index(),
        user: run.user(),
        scheduled_for: run.scheduled_for(),
        task_queue,
        address,
        inputs,
        values,
        signals: Vec::new(),
        timeouts,
        grace,
        limits,
    })
}

/// Where the function of a job is found, and what it reads.
fn locate(
    run: &ActiveRun,
    job: u32,
    compensates: Option<u32>,
    invocation: &Invocation,
) -> Result<(Option<JobAddress>, TaskInputs), JobError> {
    let fingerprint = || Arc::clone(&run.plan.stored_graph().fingerprint);
    if let Some(of) = compensates {
        let mut inputs = graph_inputs(run, of)?;
        let name = run.plan.graph.names.get(of as usize).to_owned();
        // A compensation reads the output of its job.
        inputs.outputs.extend(output(run, of)?.map(|value| (name.clone(), value)));
        let address = JobAddress::Compensation { of: name, fingerprint: fingerprint() };
        return Ok((Some(address), inputs));
    }
    let Some(call) = invocation.as_call() else {
        let address = JobAddress::Graph { fingerprint: fingerprint() };
        return Ok((Some(address), graph_inputs(run, job)?));
    };
    let types = call.parameter_types();
    let parameters = types.and_then(|types| parameters(invocation.inputs(), &types));
    Ok(match parameters {
        Some(parameters) => {
            (Some(JobAddress::Registry), TaskInputs { parameters, ..TaskInputs::default() })
        }
        None => (None, TaskInputs::default()),
    })
}

/// What a job of the graph reads. Outputs of jobs that did not complete are absent.
fn graph_inputs(run: &ActiveRun, job: u32) -> Result<TaskInputs, JobError> {
    let layout = &run.plan.layout;
    let sources = layout.inputs_of(job);
    let mut inputs = TaskInputs::default();
    if is_planned_per_input(run) || sources.iter().any(|source| source.column == Source::INPUT) {
        inputs.run = run_input(run)?;
    }
    let is_output = |source: &&Source| (source.column as usize) < layout.columns.len();
    for source in sources.iter().filter(is_output) {
        let by = layout.outputs.iter().position(|output| output == source);
        if let Some(by) = by
            && let Some(value) = output(run, by as u32)?
        {
            inputs.outputs.insert(run.plan.graph.names.get(by).to_owned(), value);
        }
    }
    Ok(inputs)
}

/// Whether the plan of the run depends on its input.
fn is_planned_per_input(run: &ActiveRun) -> bool {
    let plan = guard::call(|| run.workflow.plan(None).ok()).ok().flatten();
    plan.is_none_or(|plan| !Arc::ptr_eq(&plan, &run.plan))
}

/// The input of the run; `None` without one.
fn run_input(run: &ActiveRun) -> Result<Option<Json>, JobError> {
    let Some((kind, value)) = run.workflow.input().zip(run.run_values.run_input()) else {
        return Ok(None);
    };
    kind.write(value).map(Some).map_err(JobError::of_value)
}

/// The output of a job of the graph, if it is there.
fn output(run: &ActiveRun, job: u32) -> Result<Option<Json>, JobError> {
    let Some((Some(value), kind)) = run.run_values.output(job) else { return Ok(None) };
    kind.write(value).map(Some).map_err(JobError::of_value)
}

/// The inputs of a registered job; `None` if one of them has no value or no JSON form.
fn parameters(inputs: &AttemptIo, types: &[Type]) -> Option<Vec<Json>> {
    let input = |(index, kind): (u32, &Type)| {
        let value = inputs.any(index)?;
        let text = || value.downcast_ref::<&'static str>().map(|text| Json::from(*text));
        kind.write(value).ok().or_else(text)
    };
    (0..).zip(types).map(input).collect()
}
