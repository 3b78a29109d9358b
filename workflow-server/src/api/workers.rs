//! Workers and task queues.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_core::store::{Backlog, QueueTier, Queues, StoredWorker};

use super::problems::Problems;
use crate::app::App;
use crate::http::require::{Admin, Require};
use crate::model::Listed;
use crate::model::time::text;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(workers)).routes(routes!(queues))
}

/// A worker.
#[derive(Debug, Serialize, ToSchema)]
struct Worker {
    /// ID of the worker.
    id: String,
    /// Name, by default the process ID and the name of the machine.
    #[schema(examples("4711@build-3"))]
    name: String,
    /// State: `alive`, or `dead` after 8 s without a heartbeat.
    #[schema(value_type = String, examples("alive"))]
    state: &'static str,
    /// Named task queues, those of the highest priority first.
    queues: Vec<String>,
    /// Whether it serves all other task queues, too.
    serves_others: bool,
    /// Number of runs in progress, not counting waiting ones.
    workflows: usize,
    /// Maximum number of runs in progress; null without a limit.
    max_concurrent_workflows: Option<usize>,
    /// Number of running jobs.
    activities: usize,
    /// Maximum number of running jobs; null without a limit.
    max_concurrent_activities: Option<usize>,
    /// Number of runs in memory whose jobs all wait: for a signal, for a time, or for their next
    /// attempt.
    waiting: usize,
    /// Maximum number of waiting runs in memory; null without a limit.
    max_cached_workflows: Option<usize>,
    /// Time of the first heartbeat.
    #[schema(format = DateTime)]
    since: String,
    /// Time of the latest heartbeat.
    #[schema(format = DateTime)]
    last_heartbeat: String,
}

/// A task queue in which runs or jobs wait.
#[derive(Debug, Serialize, ToSchema)]
struct Queue {
    /// Name of the task queue.
    #[schema(examples("default-booking"))]
    queue: String,
    /// Number of waiting runs.
    runs: u64,
    /// Number of waiting jobs that name this queue, of runs in progress.
    jobs: u64,
    /// Time since which the oldest of them waits: a run was requested, or a job was ready.
    #[schema(format = DateTime)]
    oldest: String,
    /// Number of live workers that serve it; 0 if nobody will start what waits there.
    workers: usize,
}

/// Lists the workers: live ones, and those that died within the last hour. Oldest first.
#[utoipa::path(get, path = "/workers", tag = "workers",
    responses((status = 200, body = Listed<Worker>), Problems))]
async fn workers(
    State(app): State<Arc<App>>,
    Require(_caller, _): Require<Admin>,
) -> Result<Json<Listed<Worker>>, Problem> {
    let workers = app.catalog.workers().await?.unwrap_or_default();
    Ok(Json(Listed::all(workers.into_iter().map(Worker::from).collect())))
}

/// Lists the task queues in which runs or jobs wait, by name.
#[utoipa::path(get, path = "/queues", tag = "workers",
    responses((status = 200, body = Listed<Queue>), Problems))]
async fn queues(
    State(app): State<Arc<App>>,
    Require(_caller, _): Require<Admin>,
) -> Result<Json<Listed<Queue>>, Problem> {
    let workers = app.catalog.workers().await?.unwrap_or_default();
    let backlogs = app.catalog.backlogs().await?.into_iter();
    Ok(Json(Listed::all(backlogs.map(|backlog| Queue::new(backlog, &workers)).collect())))
}

impl From<StoredWorker> for Worker {
    fn from(of: StoredWorker) -> Self {
        let report = of.report;
        Self {
            id: report.id.to_string(),
            name: report.name,
            state: if of.is_alive { "alive" } else { "dead" },
            queues: named(&report.queues),
            serves_others: report.queues.is_all(),
            workflows: report.workflows,
            max_concurrent_workflows: report.max_concurrent_workflows,
            activities: report.activities,
            max_concurrent_activities: report.max_concurrent_activities,
            waiting: report.waiting,
            max_cached_workflows: report.max_cached_workflows,
            since: text(of.since),
            last_heartbeat: text(of.last_heartbeat),
        }
    }
}

fn named(queues: &Queues) -> Vec<String> {
    let named = queues.tiers().into_iter().flat_map(|tier| match tier {
        QueueTier::Named(names) => names,
        QueueTier::AllBut(_) => Vec::new(),
    });
    named.map(str::to_owned).collect()
}

impl Queue {
    fn new(of: Backlog, workers: &[StoredWorker]) -> Self {
        let serving = workers.iter().filter(|worker| worker.serves(&of.queue)).count();
        let Backlog { queue, waiting: runs, jobs, oldest } = of;
        Self { queue, runs, jobs, oldest: text(oldest), workers: serving }
    }
}
