//! A run.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;
use workflow_core::{Blocked, Status, StoredRun};
use workflow_store::{JobSummary, RunDetails, RunSummary};

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
    /// How many events it has.
    events: u64,
    /// The process that drives it, or drove it last.
    owner: Option<String>,
    /// Why it makes no progress, if it has not ended and makes none. Lists show `blocked` only.
    stall: Option<Stall>,
}

/// Why a run makes no progress.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Stall {
    /// `waiting`, when the run goes on by itself once something happens, or `blocked`.
    #[schema(value_type = String, examples("blocked"))]
    state: &'static str,
    /// Why, in one word: `signal` or `time`; `definition_changed`, `workflow_missing`,
    /// `record_damaged` or `poisoned`.
    #[schema(value_type = String, examples("definition_changed"))]
    reason: &'static str,
    /// Why, for people.
    #[schema(examples("definition changed: job `audit` is new"))]
    detail: String,
    /// What ends it.
    cure: String,
    /// Of a poisoned run: the deaths of its process in a row, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deaths: Vec<Death>,
}

/// A process that died while a job was in flight.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Death {
    /// The attempt that was in flight, from 1.
    attempt: u32,
    /// When an engine found the process dead.
    #[schema(format = DateTime)]
    found_at: String,
}

impl From<&workflow_core::Stall> for Stall {
    fn from(of: &workflow_core::Stall) -> Self {
        let detail = match of {
            workflow_core::Stall::Waiting(waiting) => waiting.to_string(),
            workflow_core::Stall::Blocked(blocked) => blocked.to_string(),
            other => other.to_string(),
        };
        let deaths = match of {
            workflow_core::Stall::Blocked(Blocked::Poisoned { deaths, .. }) => deaths.as_slice(),
            _ => &[],
        };
        let death =
            |of: &workflow_core::Death| Death { attempt: of.attempt, found_at: text(of.found_at) };
        Self {
            state: of.as_str(),
            reason: of.reason(),
            detail,
            cure: of.cure(),
            deaths: deaths.iter().map(death).collect(),
        }
    }
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
            error: of.error,
            events: of.events,
            owner: of.owner.map(|owner| owner.to_string()),
            stall: of.blocked.map(|blocked| (&workflow_core::Stall::Blocked(blocked)).into()),
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
    /// Its jobs that have begun or will not run, in the order in which they did.
    jobs: Vec<Job>,
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
    /// When its last attempt began.
    #[schema(format = DateTime)]
    started_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    completed_at: Option<String>,
    /// How long its last attempt took.
    duration_seconds: Option<f64>,
    /// Why it failed, or will not run.
    error: Option<String>,
}

impl From<JobSummary> for Job {
    fn from(of: JobSummary) -> Self {
        Self {
            name: of.name,
            status: of.status.as_str(),
            attempts: of.attempts,
            duration_seconds: seconds(of.started_at, of.completed_at),
            started_at: of.started_at.map(text),
            completed_at: of.completed_at.map(text),
            error: of.error,
        }
    }
}

impl RunDocument {
    pub(crate) fn new(of: RunDetails, stored: &StoredRun, editable: bool) -> Self {
        let stall = of.stall.as_ref().map(Stall::from);
        Self {
            run: Run { stall, ..of.run.into() },
            input: of.input.unwrap_or_default(),
            result: of.result,
            jobs: of.jobs.into_iter().map(Job::from).collect(),
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
