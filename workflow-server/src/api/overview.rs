//! What goes on: running now, failed lately, used most.

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

/// Since when.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OverviewQuery {
    /// Since when: a time, or `7d` for a week ago. Default: a day ago.
    #[param(example = "24h")]
    since: Option<String>,
    /// Only of the workflow with this number.
    workflow_id: Option<i64>,
}

/// What goes on.
#[derive(Debug, Serialize, ToSchema)]
struct Overview {
    /// Runs under way, newest first; at most 20.
    running: Vec<Run>,
    /// Runs that failed since then, newest first; at most 20.
    failures: Vec<Run>,
    /// The workflows that ran most often; at most 10.
    most_executed: Vec<Executed>,
    /// Runs that ended since then, in 48 parts of the time.
    timeline: Vec<Moment>,
    /// How many runs there are.
    counts: Counts,
}

/// How often a workflow ran.
#[derive(Debug, Serialize, ToSchema)]
struct Executed {
    /// Its number.
    workflow_id: i64,
    /// Its name.
    workflow: String,
    /// How often it ran.
    execution_count: u64,
}

/// A part of the time.
#[derive(Debug, Serialize, ToSchema)]
struct Moment {
    /// When it begins.
    #[schema(format = DateTime)]
    at: String,
    /// How many runs completed.
    completed: u64,
    /// How many failed.
    failed: u64,
    /// How many were cancelled.
    cancelled: u64,
    /// Half of them took no longer.
    p50_seconds: Option<f64>,
    /// 95 of 100 took no longer; null of fewer than 20, whose longest it would be.
    p95_seconds: Option<f64>,
    /// None took longer.
    max_seconds: Option<f64>,
}

/// How many runs there are, by where they stand.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Counts {
    /// Not begun.
    pending: u64,
    /// Under way.
    running: u64,
    /// Ended well.
    completed: u64,
    /// Ended badly.
    failed: u64,
    /// Stopped by request.
    cancelled: u64,
}

/// How many parts a timeline has.
const PARTS: u32 = 48;

/// Shows what goes on.
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
    let part = (span / PARTS).max(Duration::from_secs(1));
    let of = query.workflow_id;
    let query = |status, since| RunQuery {
        workflow_id: of,
        status: Some(status),
        since,
        limit: Some(20),
        ..RunQuery::default()
    };
    let timeline = catalog.timeline(since, part, of).await?;
    let timeline = timeline.spans.into_iter().map(|of| Moment {
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

async fn most_executed(catalog: &dyn Catalog) -> Result<Vec<Executed>, Problem> {
    let sort = WorkflowSort::MostExecuted;
    let query = WorkflowQuery { sort, limit: Some(10), ..WorkflowQuery::default() };
    let workflows = catalog.workflows(query).await?.items.into_iter();
    let ran = workflows.filter(|workflow| workflow.execution_count > 0);
    let executed = ran.map(|workflow| Executed {
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

/// How much molecules and atoms are used.
#[derive(Debug, Serialize, ToSchema)]
struct Usage {
    /// Molecules, those in most workflows first.
    molecules: Vec<Used>,
    /// Atoms of molecules, those in most workflows first.
    atoms: Vec<UsedAtom>,
}

/// How much something is used.
#[derive(Debug, Serialize, ToSchema)]
struct Used {
    /// Its name.
    name: String,
    /// In how many workflows it is.
    workflows: u64,
    /// How often these ran.
    executions: u64,
}

/// How much an atom of a molecule is used.
#[derive(Debug, Serialize, ToSchema)]
struct UsedAtom {
    /// The molecule.
    molecule: String,
    #[serde(flatten)]
    used: Used,
}

/// Shows how much molecules and atoms are used.
#[utoipa::path(get, path = "/usage", tag = "statistics",
    responses((status = 200, body = Usage), Problems))]
async fn usage(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
) -> Result<Json<Usage>, Problem> {
    let usage = caller.catalog(&app).usage().await?;
    let molecule = |of: MoleculeUsage| Used {
        name: of.name,
        workflows: of.workflows,
        executions: of.executions,
    };
    let atom = |of: AtomUsage| UsedAtom {
        molecule: of.molecule,
        used: Used { name: of.name, workflows: of.workflows, executions: of.executions },
    };
    Ok(Json(Usage {
        molecules: usage.molecules.into_iter().map(molecule).collect(),
        atoms: usage.atoms.into_iter().map(atom).collect(),
    }))
}
