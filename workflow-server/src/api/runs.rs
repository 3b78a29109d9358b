//! Runs: list, show, change.

mod act;
mod events;
mod job;
mod logs;
mod start;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_core::{RunId, Status, StoreError, StoredRun};
use workflow_store::{Catalog, RunQuery, StatusReport};

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
        .routes(routes!(act::cancel))
        .routes(routes!(act::unblock))
        .routes(routes!(act::retry))
        .routes(routes!(act::signal))
        .routes(routes!(job::job))
        .routes(routes!(job::gantt))
}

/// Routes that may wait for a run.
pub(super) fn waiting() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(start::start))
}

/// Routes whose answers may take as long as a run does.
pub(super) fn streams() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(events::events)).routes(routes!(logs::logs))
}

/// Which runs are asked for: those to which all of this applies.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunsQuery {
    /// They are of the workflow with this id, name or slug.
    workflow: Option<String>,
    /// They are of the workflow with this number.
    workflow_id: Option<i64>,
    /// The names of their workflows contain this text, whatever the case; at most 255 characters.
    #[param(max_length = 255)]
    q: Option<String>,
    /// Where they stand: `pending`, `running`, `completed`, `failed` or `cancelled`.
    #[param(value_type = Option<String>,
        pattern = "^(pending|running|completed|success|failed|failure|cancelled|canceled)$")]
    status: Option<Status>,
    /// They were asked for then or later: a time, or `2h` for two hours ago.
    #[param(example = "2h")]
    since: Option<String>,
    /// They were asked for before then.
    #[param(example = "2026-01-02T03:04:05Z")]
    until: Option<String>,
    /// They began under this key.
    idempotency_key: Option<String>,
    /// This user asked for them.
    user: Option<String>,
    /// How many, 1 to 1,000. Default: 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

impl RunsQuery {
    fn query(self) -> Result<RunQuery, Problem> {
        let time = |field, text: Option<String>| text.map(|text| moment(field, &text)).transpose();
        Ok(RunQuery {
            workflow: self.workflow,
            workflow_id: self.workflow_id,
            name_contains: self.q.map(|text| short("q", text)).transpose()?,
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

/// A text to search for, unless it is longer than any name.
fn short(field: &str, text: String) -> Result<String, Problem> {
    if text.chars().count() <= 255 {
        return Ok(text);
    }
    Err(Problem::invalid(field, "is longer than 255 characters, which no name is"))
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
    params(("workflow" = String, Path, description = "Its id, name or slug"), RunsQuery),
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

/// How a path names a run.
const RUN_PARAMETER: &str = "The run: its number, its id or the first 8 characters of it or more, or \
    `latest` for the newest that the caller sees";

/// The run that is meant.
async fn find(catalog: &dyn Catalog, which: &str) -> Result<RunId, Problem> {
    Ok(catalog.find_run(which).await?)
}

/// The run that is meant, as the store has it.
async fn stored(catalog: &dyn Catalog, which: &str) -> Result<StoredRun, Problem> {
    let run = find(catalog, which).await?;
    Ok(catalog.run(run).await?.ok_or(StoreError::NoRun { run })?)
}

/// A run with all that is known of it.
async fn document(app: &App, caller: &Caller, run: RunId) -> Result<RunDocument, Problem> {
    let catalog = caller.catalog(app);
    let details = catalog.run_details(run).await?;
    let stored = catalog.run(run).await?.ok_or(StoreError::NoRun { run })?;
    Ok(RunDocument::new(details, &stored, caller.may_write()))
}

/// Shows a run.
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

/// What became of a run that this server does not drive; what is not named stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"status": "completed", "result_data": {"rows": 7}}))]
struct RunReport {
    /// Where it stands now.
    #[schema(value_type = Option<String>,
        pattern = "^(pending|running|completed|success|failed|failure|cancelled|canceled)$")]
    status: Option<Status>,
    /// What came of it. Without a status it is kept for the end of the run. Null says nothing.
    result_data: Option<Value>,
    /// Why it failed. Without a status it is kept for the end of the run. Null and an empty text
    /// say nothing.
    error_message: Option<String>,
}

impl From<RunReport> for StatusReport {
    fn from(of: RunReport) -> Self {
        let error = of.error_message.filter(|error| !error.is_empty());
        Self { status: of.status, result: of.result_data, error }
    }
}

/// Reports on a run that another program drives. Only legal changes are taken: from pending to
/// running, and from either to an end. A run that an engine takes up cannot end before it runs.
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
    catalog.report_run(run, report.into()).await?;
    Ok(Json(document(&app, &caller, run).await?))
}
