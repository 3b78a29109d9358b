//! The overview and the usage of molecules and atoms.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_core::Status;
use workflow_store::{
    AtomUsage, Catalog, MoleculeUsage, RunQuery, StatusCounts, WorkflowQuery, WorkflowSort,
};

use super::problems::Problems;
use crate::app::App;
use crate::http::extract::Query;
use crate::http::require::{Read, Require};
use crate::model::Run;
use crate::model::time::{moment, text};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(overview)).routes(routes!(usage))
}

/// The period of the overview.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OverviewQuery {
    /// Start of the period: a time, or a duration before now such as `7d`. Default: `24h`.
    #[param(example = "24h")]
    since: Option<String>,
    /// Only runs of the workflow with this ID.
    workflow_id: Option<i64>,
}

/// An overview of runs.
#[derive(Debug, Serialize, ToSchema)]
struct Overview {
    /// Running runs, newest first; at most 20.
    running: Vec<Run>,
    /// Failed runs of the period, newest first; at most 20.
    failures: Vec<Run>,
    /// Workflows with the most runs; at most 10.
    most_executed: Vec<WorkflowRuns>,
    /// Finished runs of the period in 48 intervals.
    timeline: Vec<TimelineInterval>,
    /// Number of runs by status.
    counts: Counts,
}

/// A workflow with its number of runs.
#[derive(Debug, Serialize, ToSchema)]
struct WorkflowRuns {
    /// ID of the workflow.
    workflow_id: i64,
    /// Name of the workflow.
    workflow: String,
    /// Number of runs.
    execution_count: u64,
}

/// An interval of the timeline.
#[derive(Debug, Serialize, ToSchema)]
struct TimelineInterval {
    /// Start of the interval.
    #[schema(format = DateTime)]
    at: String,
    /// Number of completed runs.
    completed: u64,
    /// Number of failed runs.
    failed: u64,
    /// Number of cancelled runs.
    cancelled: u64,
    /// Median duration (p50).
    p50_seconds: Option<f64>,
    /// 95th percentile of the duration; null for fewer than 20 runs.
    p95_seconds: Option<f64>,
    /// Longest duration.
    max_seconds: Option<f64>,
}

/// The number of runs by status.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Counts {
    /// Pending runs.
    pending: u64,
    /// Running runs.
    running: u64,
    /// Completed runs.
    completed: u64,
    /// Failed runs.
    failed: u64,
    /// Cancelled runs.
    cancelled: u64,
}

/// The number of intervals of a timeline.
const INTERVALS: u32 = 48;

/// Returns an overview of recent runs.
#[utoipa::path(get, path = "/overview", tag = "statistics", params(OverviewQuery),
    responses((status = 200, body = Overview), Problems))]
async fn overview(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Query(query): Query<OverviewQuery>,
) -> Result<Json<Overview>, Problem> {
    let catalog = caller.catalog(&app);
    let since = moment("since", query.since.as_deref().unwrap_or("24h"))?;
    let span = SystemTime::now().duration_since(since).unwrap_or_default();
    let interval = (span / INTERVALS).max(Duration::from_secs(1));
    let of = query.workflow_id;
    let query = |status, since| RunQuery {
        workflow_id: of,
        status: Some(status),
        since,
        limit: Some(20),
        ..RunQuery::default()
    };
    let timeline = catalog.timeline(since, interval, of).await?;
    let timeline = timeline.spans.into_iter().map(|of| TimelineInterval {
        at: text(of.at),
        completed: of.counts.completed,
        failed: of.counts.failed,
        cancelled: of.counts.cancelled,
        p50_seconds: of.p50.map(|time| time.as_secs_f64()),
        p95_seconds: of.p95.map(|time| time.as_secs_f64()),
        max_seconds: of.max.map(|time| time.as_secs_f64()),
    });
    Ok(Json(Overview {
        running: runs(&*catalog, query(Status::Running, None)).await?,
        failures: runs(&*catalog, query(Status::Failed, Some(since))).await?,
        most_executed: most_executed(&*catalog).await?,
        timeline: timeline.collect(),
        counts: catalog.status_counts().await?.into(),
    }))
}

async fn runs(catalog: &dyn Catalog, query: RunQuery) -> Result<Vec<Run>, Problem> {
    Ok(catalog.runs(query).await?.items.into_iter().map(Run::from).collect())
}

async fn most_executed(catalog: &dyn Catalog) -> Result<Vec<WorkflowRuns>, Problem> {
    let sort = WorkflowSort::MostExecuted;
    let query = WorkflowQuery { sort, limit: Some(10), ..WorkflowQuery::default() };
    let workflows = catalog.workflows(query).await?.items.into_iter();
    let ran = workflows.filter(|workflow| workflow.execution_count > 0);
    let executed = ran.map(|workflow| WorkflowRuns {
        workflow_id: workflow.id,
        workflow: workflow.name,
        execution_count: workflow.execution_count,
    });
    Ok(executed.collect())
}

impl From<StatusCounts> for Counts {
    fn from(of: StatusCounts) -> Self {
        let StatusCounts { pending, running, completed, failed, cancelled, .. } = of;
        Self { pending, running, completed, failed, cancelled }
    }
}

/// The usage of molecules and atoms.
#[derive(Debug, Serialize, ToSchema)]
struct Usage {
    /// Molecules, most used first.
    molecules: Vec<ItemUsage>,
    /// Atoms, most used first.
    atoms: Vec<MoleculeAtomUsage>,
}

/// The usage of a molecule or atom.
#[derive(Debug, Serialize, ToSchema)]
struct ItemUsage {
    /// Name.
    name: String,
    /// Number of workflows that use it.
    workflows: u64,
    /// Number of runs of these workflows.
    executions: u64,
}

/// The usage of an atom.
#[derive(Debug, Serialize, ToSchema)]
struct MoleculeAtomUsage {
    /// Molecule of the atom.
    molecule: String,
    #[serde(flatten)]
    used: ItemUsage,
}

/// Returns the usage of molecules and atoms.
#[utoipa::path(get, path = "/usage", tag = "statistics",
    responses((status = 200, body = Usage), Problems))]
async fn usage(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
) -> Result<Json<Usage>, Problem> {
    let usage = caller.catalog(&app).usage().await?;
    let molecule = |of: MoleculeUsage| ItemUsage {
        name: of.name,
        workflows: of.workflows,
        executions: of.executions,
    };
    let atom = |of: AtomUsage| MoleculeAtomUsage {
        molecule: of.molecule,
        used: ItemUsage { name: of.name, workflows: of.workflows, executions: of.executions },
    };
    Ok(Json(Usage {
        molecules: usage.molecules.into_iter().map(molecule).collect(),
        atoms: usage.atoms.into_iter().map(atom).collect(),
    }))
}
