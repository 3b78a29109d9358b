//! Statistics of workflows: counts, success rates and durations.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_store::{Durations, JobStatistics, Statistics};

use super::WORKFLOW_PARAMETER;
use super::problems::Problems;
use crate::app::App;
use crate::http::extract::{Path, Query};
use crate::http::require::{Read, Require};
use crate::model::Listed;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(all)).routes(routes!(of_workflow))
}

/// The statistics of a workflow.
#[derive(Debug, Serialize, ToSchema)]
struct WorkflowStatistics {
    /// ID of the workflow.
    workflow_id: i64,
    /// Name of the workflow.
    workflow: String,
    /// Number of requested runs.
    requested: u64,
    /// Finished runs.
    runs: Figures,
    /// Finished jobs.
    jobs: Vec<JobFigures>,
}

/// The statistics of a job.
#[derive(Debug, Serialize, ToSchema)]
struct JobFigures {
    /// Name of the job.
    job: String,
    #[serde(flatten)]
    figures: Figures,
}

/// Counts and durations of finished runs or jobs.
#[derive(Debug, Serialize, ToSchema)]
struct Figures {
    /// Number completed.
    completed: u64,
    /// Number failed.
    failed: u64,
    /// Number cancelled.
    cancelled: u64,
    /// Share that completed, from 0 to 1.
    success_rate: Option<f64>,
    /// Mean duration.
    mean_seconds: f64,
    /// Median duration (p50).
    p50_seconds: f64,
    /// 95th percentile of the duration; null for fewer than 20.
    p95_seconds: Option<f64>,
    /// Longest duration.
    max_seconds: f64,
}

impl From<Durations> for Figures {
    fn from(of: Durations) -> Self {
        Self {
            completed: of.completed,
            failed: of.failed,
            cancelled: of.cancelled,
            success_rate: of.success_rate,
            mean_seconds: of.mean.as_secs_f64(),
            p50_seconds: of.p50.as_secs_f64(),
            p95_seconds: of.p95.map(|time| time.as_secs_f64()),
            max_seconds: of.max.as_secs_f64(),
        }
    }
}

impl From<Statistics> for WorkflowStatistics {
    fn from(of: Statistics) -> Self {
        let job = |of: JobStatistics| JobFigures { job: of.job, figures: of.durations.into() };
        Self {
            workflow_id: of.workflow_id,
            workflow: of.workflow,
            requested: of.requested,
            runs: of.runs.into(),
            jobs: of.jobs.into_iter().map(job).collect(),
        }
    }
}

/// The filter of the statistics.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StatisticsQuery {
    /// Only this workflow (ID, name or slug).
    workflow: Option<String>,
}

/// Returns the statistics of all workflows.
#[utoipa::path(get, path = "/stats", tag = "statistics", params(StatisticsQuery),
    responses((status = 200, body = Listed<WorkflowStatistics>), Problems))]
async fn all(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Query(query): Query<StatisticsQuery>,
) -> Result<Json<Listed<WorkflowStatistics>>, Problem> {
    let all = caller.catalog(&app).statistics(query.workflow.as_deref()).await?;
    Ok(Json(Listed::all(all.into_iter().map(WorkflowStatistics::from).collect())))
}

/// Returns the statistics of a workflow.
#[utoipa::path(get, path = "/workflows/{workflow}/stats", tag = "statistics",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER)),
    responses((status = 200, body = WorkflowStatistics), Problems))]
async fn of_workflow(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
) -> Result<Json<WorkflowStatistics>, Problem> {
    let catalog = caller.catalog(&app);
    let mut all = catalog.statistics(Some(&which)).await?;
    if let Some(of) = all.pop() {
        return Ok(Json(of.into()));
    }
    let workflow = catalog.workflow(&which).await?;
    let (workflow_id, workflow) = (workflow.id, workflow.name);
    let runs = Durations::default().into();
    Ok(Json(WorkflowStatistics { workflow_id, workflow, requested: 0, runs, jobs: Vec::new() }))
}
