//! How often workflows ran, how well, and for how long.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_store::{Durations, JobStatistics, Statistics};

use super::problems::Problems;
use crate::app::App;
use crate::http::extract::{Path, Query};
use crate::http::require::{Read, Require};
use crate::model::Listed;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(all)).routes(routes!(of_workflow))
}

/// How often a workflow ran, how well, and for how long.
#[derive(Debug, Serialize, ToSchema)]
struct WorkflowStatistics {
    /// The number of the workflow.
    workflow_id: i64,
    /// Its name.
    workflow: String,
    /// How many runs were asked for.
    begun: u64,
    /// The runs that have ended.
    runs: Figures,
    /// The jobs that have ended.
    jobs: Vec<JobFigures>,
}

/// How often a job ran, how well, and for how long.
#[derive(Debug, Serialize, ToSchema)]
struct JobFigures {
    /// Its name.
    job: String,
    #[serde(flatten)]
    figures: Figures,
}

/// How things ended, and how long they took.
#[derive(Debug, Serialize, ToSchema)]
struct Figures {
    /// How many completed.
    completed: u64,
    /// How many failed.
    failed: u64,
    /// How many were cancelled.
    cancelled: u64,
    /// Which part completed, from 0 to 1.
    success_rate: Option<f64>,
    /// The mean of all.
    mean_seconds: f64,
    /// Half of them took no longer.
    p50_seconds: f64,
    /// 95 of 100 took no longer; null of fewer than 20, whose longest it would be.
    p95_seconds: Option<f64>,
    /// None took longer.
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
            begun: of.begun,
            runs: of.runs.into(),
            jobs: of.jobs.into_iter().map(job).collect(),
        }
    }
}

/// Of which workflows.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StatisticsQuery {
    /// Only of the workflow with this id, name or slug.
    workflow: Option<String>,
}

/// Shows the figures of all workflows.
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

/// Shows the figures of a workflow.
#[utoipa::path(get, path = "/workflows/{workflow}/stats", tag = "statistics",
    params(("workflow" = String, Path, description = "Its id, name or slug")),
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
    Ok(Json(WorkflowStatistics { workflow_id, workflow, begun: 0, runs, jobs: Vec::new() }))
}
