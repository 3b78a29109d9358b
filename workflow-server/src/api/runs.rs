//! Runs: list, get, report.

mod act;
mod events;
mod job;
mod logs;
mod start;
mod tables;
mod why;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_core::Status;
use workflow_core::id::RunId;
use workflow_core::store::{StoreError, StoredRun};
use workflow_store::{Catalog, RunQuery, StatusReport};

use super::WORKFLOW_PARAMETER;
use super::problems::Problems;
use crate::app::App;
use crate::auth::Caller;
use crate::http::extract::{Body, Path, Query};
use crate::http::require::{Read, Require, Write};
use crate::model::time::moment;
use crate::model::{Limit, Listed, Run, RunDocument};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, report))
        .routes(routes!(of_workflow))
        .routes(routes!(why::why))
        .routes(routes!(act::cancel))
        .routes(routes!(act::unblock))
        .routes(routes!(act::retry))
        .routes(routes!(act::signal))
        .routes(routes!(job::job))
        .routes(routes!(job::gantt))
        .routes(routes!(tables::list))
        .routes(routes!(tables::get))
}

/// Returns the routes that may wait for a run.
pub(super) fn waiting() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(start::start))
}

/// Returns the routes that stream.
pub(super) fn streams() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(events::events)).routes(routes!(logs::logs))
}

/// The filters of a list of runs. A run must match all of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunsQuery {
    /// Only runs of this workflow (ID, name or slug).
    workflow: Option<String>,
    /// Only runs of the workflow with this ID.
    workflow_id: Option<i64>,
    /// Only runs whose workflow name contains this text, ignoring case; at most 255 characters.
    #[param(max_length = 255)]
    q: Option<String>,
    /// Status: `pending`, `running`, `completed`, `failed` or `cancelled`.
    #[param(value_type = Option<String>,
        pattern = "^(pending|running|completed|success|failed|failure|cancelled|canceled)$")]
    status: Option<Status>,
    /// Only runs requested at or after this time, or within this duration such as `2h`.
    #[param(example = "2h")]
    since: Option<String>,
    /// Only runs requested before this time.
    #[param(example = "2026-01-02T03:04:05Z")]
    until: Option<String>,
    /// Only the run with this idempotency key.
    idempotency_key: Option<String>,
    /// Only runs requested by this user.
    user: Option<String>,
    /// Maximum number of items, 1 to 1,000. Default: 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// Cursor: `next` of the previous page.
    cursor: Option<String>,
}

impl RunsQuery {
    fn query(self) -> Result<RunQuery, Problem> {
        if self.status == Some(Status::Skipped) {
            let message =
                "only jobs can be skipped; use pending, running, completed, failed or cancelled";
            return Err(Problem::invalid("status", message));
        }
        let time = |field, text: Option<String>| text.map(|text| moment(field, &text)).transpose();
        Ok(RunQuery {
            workflow: self.workflow,
            workflow_id: self.workflow_id,
            name_contains: self.q.map(|text| search_text("q", text)).transpose()?,
            status: self.status,
            since: time("since", self.since)?,
            until: time("until", self.until)?,
            idempotency_key: self.idempotency_key,
            user: self.user,
            after: self.cursor,
            limit: self.limit.map(|limit| limit.0),
        })
    }
}

/// Validates the length of a search text.
fn search_text(field: &str, text: String) -> Result<String, Problem> {
    if text.chars().count() <= 255 {
        return Ok(text);
    }
    Err(Problem::invalid(field, "must have at most 255 characters"))
}

/// Lists runs, newest first.
#[utoipa::path(get, path = "/runs", tag = "runs", params(RunsQuery),
    responses((status = 200, body = Listed<Run>), Problems))]
async fn list(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Query(query): Query<RunsQuery>,
) -> Result<Json<Listed<Run>>, Problem> {
    let page = caller.catalog(&app).runs(query.query()?).await?;
    Ok(Json(Listed::of(page, Run::from)))
}

/// Lists the runs of a workflow, newest first.
#[utoipa::path(get, path = "/workflows/{workflow}/runs", tag = "runs",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER), RunsQuery),
    responses((status = 200, body = Listed<Run>), Problems))]
async fn of_workflow(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
    Query(query): Query<RunsQuery>,
) -> Result<Json<Listed<Run>>, Problem> {
    let query = RunQuery { workflow: Some(which), ..query.query()? };
    let page = caller.catalog(&app).runs(query).await?;
    Ok(Json(Listed::of(page, Run::from)))
}

/// The description of the path parameter of a run.
const RUN_PARAMETER: &str = "Number or ID of the run, at least 8 characters of the ID, or `latest` \
    for the newest run visible to the caller";

/// Resolves a run.
async fn find(catalog: &dyn Catalog, which: &str) -> Result<RunId, Problem> {
    Ok(catalog.find_run(which).await?)
}

/// Loads a run from the store.
async fn stored(catalog: &dyn Catalog, which: &str) -> Result<StoredRun, Problem> {
    let run = find(catalog, which).await?;
    Ok(catalog.run(run).await?.ok_or(StoreError::NoRun { run })?)
}

/// Returns the full document of a run.
async fn document(app: &App, caller: &Caller, run: RunId) -> Result<RunDocument, Problem> {
    let catalog = caller.catalog(app);
    let details = catalog.run_details(run).await?;
    let stored = catalog.run(run).await?.ok_or(StoreError::NoRun { run })?;
    Ok(RunDocument::new(details, &stored, caller.may_write()))
}

/// Returns a run.
#[utoipa::path(get, path = "/runs/{run}", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER)),
    responses((status = 200, body = RunDocument), Problems))]
async fn get(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
) -> Result<Json<RunDocument>, Problem> {
    let run = find(&*caller.catalog(&app), &which).await?;
    Ok(Json(document(&app, &caller, run).await?))
}

/// The progress of a run that an external program runs. Omitted fields do not change.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"status": "completed", "result_data": {"rows": 7}}))]
struct RunReport {
    /// New status.
    #[schema(value_type = Option<String>,
        pattern = "^(pending|running|completed|success|failed|failure|cancelled|canceled)$")]
    status: Option<Status>,
    /// Result of the run. Without a final status, it is stored until the run ends. Null is ignored.
    result_data: Option<Value>,
    /// Error of the run. Without a final status, it is stored until the run ends. Null and empty
    /// text are ignored.
    error_message: Option<String>,
}

impl From<RunReport> for StatusReport {
    fn from(of: RunReport) -> Self {
        let error = of.error_message.filter(|error| !error.is_empty());
        Self { status: of.status, result: of.result_data, error }
    }
}

/// Reports the progress of a run that an external program runs.
///
/// Valid changes are from pending to running, and from either to a final status. A run of an engine
/// cannot end before it starts.
#[utoipa::path(patch, path = "/runs/{run}", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER)),
    request_body = RunReport,
    responses((status = 200, body = RunDocument), Problems))]
async fn report(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Write>,
    Path(which): Path<String>,
    Body(report): Body<RunReport>,
) -> Result<Json<RunDocument>, Problem> {
    let catalog = caller.catalog(&app);
    let run = find(&*catalog, &which).await?;
    app.check_local("reports their progress itself")?;
    catalog.report_run(run, report.into()).await?;
    Ok(Json(document(&app, &caller, run).await?))
}
