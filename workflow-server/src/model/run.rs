//! A run.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;
use workflow_core::{Status, StoredRun};
use workflow_store::{JobSummary, RunDetails, RunSummary};

use super::stall::{Stall, Wait};
use super::time::{seconds, text};

/// A run of a workflow.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Run {
    /// Its id.
    pub(crate) id: String,
    /// Its number, by which it may be asked for, too.
    number: i64,
    /// The number of its workflow.
    pub(crate) workflow_id: i64,
    /// The name of its workflow.
    workflow: String,
    /// Where it stands: `pending`, `running`, `completed`, `failed` or `cancelled`.
    #[schema(value_type = String, examples("completed"))]
    status: &'static str,
    /// Why it began: `manual`, `schedule`, `api`, `workflow` or `retry`.
    #[schema(value_type = String, examples("api"))]
    trigger: &'static str,
    /// The text by which a repeated request is known.
    idempotency_key: Option<String>,
    /// The job of another run that it belongs to.
    parent: Option<Parent>,
    /// Who asked for it.
    user: Option<String>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it began.
    #[schema(format = DateTime)]
    begun_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    completed_at: Option<String>,
    /// How long it has taken, until now when it is under way.
    duration_seconds: Option<f64>,
    /// Why it failed.
    error: Option<String>,
    /// The same, under the name by which programs report it.
    error_message: Option<String>,
    /// The decisive line of why it failed.
    error_line: Option<String>,
    /// How many events it has.
    events: u64,
    /// The process that drives it, or drove it last.
    owner: Option<String>,
    /// Why it makes no progress, if it has not ended and makes none.
    stall: Option<Stall>,
}

/// A job of another run.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Parent {
    /// The id of the run.
    run: String,
    /// The name of the job.
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
            started_at: text(of.started_at),
            begun_at: of.begun_at.map(text),
            completed_at: of.completed_at.map(text),
            duration_seconds: seconds(of.begun_at, until),
            error_line: of.error.as_deref().map(workflow_core::decisive_line),
            error_message: of.error.clone(),
            error: of.error,
            events: of.events,
            owner: of.owner.map(|owner| owner.to_string()),
            stall: of.stall.as_ref().map(Stall::from),
        }
    }
}

/// A run with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunDocument {
    #[serde(flatten)]
    pub(crate) run: Run,
    /// Its input.
    #[schema(value_type = Option<Object>, nullable)]
    input: Json,
    /// What came of it.
    #[schema(value_type = Option<Object>, nullable)]
    result: Json,
    /// The same, under the name by which programs report it.
    #[schema(value_type = Option<Object>, nullable)]
    result_data: Json,
    /// Its jobs: those of the graph, whether they have begun or not, then those that were started
    /// by jobs.
    jobs: Vec<Job>,
    /// The jobs that wait, and for what. Others may be at work meanwhile.
    waiting: Vec<Wait>,
    /// Whether it was asked to stop, and has not ended.
    is_cancelling: bool,
    /// The id of the run that it repeats.
    repeats: Option<String>,
    /// Which version of its workflow it runs; null for code, and for a file that is no version of
    /// the workflow.
    workflow_version: Option<i64>,
    /// All of its jobs as `nodes`, and the order between them as `edges`.
    #[schema(value_type = Object)]
    graph: Json,
    /// Whether the caller may change it.
    editable: bool,
}

/// A job of a run, in short.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Job {
    /// Its name.
    pub(crate) name: String,
    /// Where it stands; `skipped`, when it will not run.
    #[schema(value_type = String, examples("running"))]
    pub(crate) status: &'static str,
    /// How often it was tried.
    attempts: u32,
    /// When its first attempt began.
    #[schema(format = DateTime)]
    started_at: Option<String>,
    /// When its latest attempt began.
    #[schema(format = DateTime)]
    attempt_started_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    completed_at: Option<String>,
    /// From the beginning of its first attempt to its end.
    duration_seconds: Option<f64>,
    /// Why it failed, or will not run.
    error: Option<String>,
    /// The decisive line of why it failed.
    error_line: Option<String>,
    /// When its next attempt begins, while it waits for it.
    #[schema(format = DateTime)]
    retry_at: Option<String>,
    /// The job that started it, when the graph does not have it.
    started_by: Option<String>,
    /// Whether its outcome is that of the run which this one repeats.
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
            repeats: of.repeats.map(|run| run.to_string()),
            workflow_version: of.workflow_version,
            graph: (*stored.workflow.graph).clone(),
            editable,
        }
    }
}

/// A run that was asked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "run_id": "01980000-0000-7000-8000-000000000000",
    "workflow_id": 123,
    "message": "Workflow execution started"
}))]
pub(crate) struct Started {
    /// The id of the run.
    pub(crate) run_id: String,
    /// The number of the workflow.
    pub(crate) workflow_id: i64,
    /// What came of the request, for people.
    pub(crate) message: String,
    /// Whether the run began before, under the same idempotency key. Only where a run was asked
    /// for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) existing: Option<bool>,
}
