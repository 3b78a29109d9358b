//! The documents of a run.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;
use workflow_core::Status;
use workflow_core::store::StoredRun;
use workflow_store::{JobSummary, RunDetails, RunSummary, StoredWorkflow};

use super::stall::{Stall, Wait};
use super::time::{seconds, text};
use crate::launch::Launched;

/// A run of a workflow.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Run {
    /// ID of the run.
    pub(crate) id: String,
    /// Number of the run, which can be used instead of the ID.
    number: i64,
    /// ID of the workflow.
    pub(crate) workflow_id: i64,
    /// Name of the workflow.
    workflow: String,
    /// Status: `pending`, `running`, `completed`, `failed` or `cancelled`.
    #[schema(value_type = String, examples("completed"))]
    status: &'static str,
    /// Trigger: `manual`, `schedule`, `api`, `workflow`, `retry` or `event`.
    #[schema(value_type = String, examples("api"))]
    trigger: &'static str,
    /// Idempotency key of the request.
    idempotency_key: Option<String>,
    /// Job of the parent run, for a child run.
    parent: Option<Parent>,
    /// User who requested it.
    user: Option<String>,
    /// Time of the schedule for which it runs; null if it was not scheduled.
    #[schema(format = DateTime)]
    scheduled_for: Option<String>,
    /// When it was requested.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it started to execute.
    #[schema(format = DateTime)]
    begun_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    completed_at: Option<String>,
    /// Duration in seconds, up to now for a running run.
    duration_seconds: Option<f64>,
    /// Error of a failed run.
    error: Option<String>,
    /// Same as `error`, with the name used in reports.
    error_message: Option<String>,
    /// Most significant line of the error.
    error_line: Option<String>,
    /// Number of events.
    events: u64,
    /// Process that executes it, or executed it last.
    owner: Option<String>,
    /// Task queue in which it waits when no process executes it.
    task_queue: String,
    /// Priority among the runs of its task queue; higher ones start first.
    priority: i32,
    /// Why an unfinished run makes no progress, if it does not.
    stall: Option<Stall>,
}

/// The parent of a child run.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Parent {
    /// ID of the run.
    run: String,
    /// Name of the job.
    job: String,
}

impl From<RunSummary> for Run {
    fn from(of: RunSummary) -> Self {
        let until = match of.status {
            Status::Running => Some(SystemTime::now()),
            _ => of.completed_at,
        };
        Self {
            id: of.id.to_string(),
            number: of.number,
            workflow_id: of.workflow_id,
            workflow: of.workflow,
            status: of.status.as_str(),
            trigger: of.trigger.as_str(),
            idempotency_key: of.idempotency_key,
            user: of.user,
            parent: of.parent.map(|of| Parent { run: of.run.to_string(), job: of.job }),
            scheduled_for: of.scheduled_for.map(text),
            started_at: text(of.started_at),
            begun_at: of.begun_at.map(text),
            completed_at: of.completed_at.map(text),
            duration_seconds: seconds(of.begun_at, until),
            error_line: of.error.as_deref().map(workflow_core::event::decisive_line),
            error_message: of.error.clone(),
            error: of.error,
            events: of.events,
            owner: of.owner.map(|owner| owner.to_string()),
            task_queue: of.task_queue,
            priority: of.priority,
            stall: of.stall.as_ref().map(Stall::from),
        }
    }
}

/// A run with jobs, input, result and graph.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunDocument {
    #[serde(flatten)]
    pub(crate) run: Run,
    /// Input of the run.
    #[schema(value_type = Option<Object>, nullable)]
    input: Json,
    /// Result of the run.
    #[schema(value_type = Option<Object>, nullable)]
    result: Json,
    /// Same as `result`, with the name used in reports.
    #[schema(value_type = Option<Object>, nullable)]
    result_data: Json,
    /// Jobs: all jobs of the graph, then the jobs that other jobs started.
    jobs: Vec<Job>,
    /// Waiting jobs and their reasons. Other jobs may be running.
    waiting: Vec<Wait>,
    /// Whether cancellation is requested and the run has not ended.
    is_cancelling: bool,
    /// ID of the original run of this retry.
    retry_of: Option<String>,
    /// Version of the workflow; null for registered workflows, and for a file that is not a version
    /// of the workflow.
    workflow_version: Option<i64>,
    /// Graph: jobs as `nodes`, dependencies as `edges`.
    #[schema(value_type = Object)]
    graph: Json,
    /// Whether the caller can change it.
    editable: bool,
}

/// The summary of a job of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Job {
    /// Name of the job.
    pub(crate) name: String,
    /// Status of the job; `skipped` if it will not run.
    #[schema(value_type = String, examples("running"))]
    pub(crate) status: &'static str,
    /// Number of attempts.
    attempts: u32,
    /// Start of the first attempt.
    #[schema(format = DateTime)]
    started_at: Option<String>,
    /// Start of the latest attempt.
    #[schema(format = DateTime)]
    attempt_started_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    completed_at: Option<String>,
    /// Duration in seconds, from the start of the first attempt to the end.
    duration_seconds: Option<f64>,
    /// Error of a failed job, or the reason of a skipped one.
    error: Option<String>,
    /// Most significant line of the error.
    error_line: Option<String>,
    /// Start of the next attempt, while the job waits for it.
    #[schema(format = DateTime)]
    retry_at: Option<String>,
    /// Job that started it, for jobs outside the graph.
    started_by: Option<String>,
    /// Whether its result is reused from the original run.
    is_reused: bool,
}

impl From<JobSummary> for Job {
    fn from(of: JobSummary) -> Self {
        Self {
            name: of.name,
            status: of.status.as_str(),
            attempts: of.attempts,
            duration_seconds: seconds(of.started_at, of.completed_at),
            started_at: of.started_at.map(text),
            attempt_started_at: of.attempt_started_at.map(text),
            completed_at: of.completed_at.map(text),
            error: of.error,
            error_line: of.error_line,
            retry_at: of.retry_at.map(text),
            started_by: of.started_by,
            is_reused: of.is_reused,
        }
    }
}

impl RunDocument {
    pub(crate) fn new(of: RunDetails, stored: &StoredRun, editable: bool) -> Self {
        Self {
            run: of.run.into(),
            input: of.input.unwrap_or_default(),
            result_data: of.result.clone(),
            result: of.result,
            jobs: of.jobs.into_iter().map(Job::from).collect(),
            waiting: of.waiting.iter().map(Wait::from).collect(),
            is_cancelling: of.is_cancelling,
            retry_of: of.retry_of.map(|run| run.to_string()),
            workflow_version: of.workflow_version,
            graph: (*stored.workflow.graph).clone(),
            editable,
        }
    }
}

/// A started run.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "run_id": "01980000-0000-7000-8000-000000000000",
    "workflow_id": 123,
    "message": "Run started"
}))]
pub(crate) struct StartedRun {
    /// ID of the run.
    pub(crate) run_id: String,
    /// ID of the workflow.
    pub(crate) workflow_id: i64,
    /// Result of the request, in English.
    pub(crate) message: String,
    /// Whether the run existed before, with the same idempotency key. Only for requests that start
    /// a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) existing: Option<bool>,
    /// Warning about a queued run: no live worker serves its task queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warning: Option<String>,
}

impl StartedRun {
    /// The response to a request that starts a run.
    pub(crate) fn new(workflow: &StoredWorkflow, launched: &Launched) -> Self {
        Self {
            run_id: launched.run.to_string(),
            workflow_id: workflow.id,
            message: launched.message.to_owned(),
            existing: Some(launched.existing),
            warning: launched.warning.clone(),
        }
    }
}
