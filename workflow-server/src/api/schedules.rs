//! Schedules: list, get, pause, resume, run now, backfill.

mod backfill;

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_core::store::{ScheduleChange, ScheduleState, Trigger};
use workflow_store::{StoredWorkflow, WorkflowSource};

use super::WORKFLOW_PARAMETER;
use super::problems::Problems;
use crate::app::App;
use crate::auth::Caller;
use crate::http::extract::{Path, Query};
use crate::http::require::{Read, Require, Run, Write};
use crate::launch;
use crate::model::{Limit, Listed, ScheduleDocument, StartedRun};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(run_now))
        .routes(routes!(backfill::backfill))
}

/// The number of next times without a query.
const NEXT: u16 = 5;

/// The number of schedules of a page without a query.
const PAGE: usize = 50;

/// The number of next times.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct NextQuery {
    /// Number of next times, 0 to 100. Default: 5.
    #[param(minimum = 0, maximum = 100)]
    times: Option<u16>,
}

/// The page of the list of schedules.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SchedulesQuery {
    /// Maximum number of items, 1 to 1,000. Default: 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// Cursor: `next` of the previous page.
    cursor: Option<String>,
    /// Number of next times of each schedule, 0 to 100. Default: 5.
    #[param(minimum = 0, maximum = 100)]
    times: Option<u16>,
}

/// Checks the number of next times.
fn next_times(times: Option<u16>) -> Result<usize, Problem> {
    match times.unwrap_or(NEXT) {
        times @ 0..=100 => Ok(times.into()),
        times => Err(Problem::invalid("times", format!("must be 0 to 100, not {times}"))),
    }
}

/// Lists the schedules of active workflows, with their state and their next times.
#[utoipa::path(get, path = "/schedules", tag = "schedules", params(SchedulesQuery),
    responses((status = 200, body = Listed<ScheduleDocument>), Problems))]
async fn list(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Query(query): Query<SchedulesQuery>,
) -> Result<Json<Listed<ScheduleDocument>>, Problem> {
    let times = next_times(query.times)?;
    let limit = query.limit.map_or(PAGE, |limit| limit.0);
    let cursor = query.cursor.as_deref().map_or(Ok(0), str::parse::<i64>);
    let after = cursor.map_err(|_| Problem::cursor())?;
    let mut workflows = caller.catalog(&app).scheduled(after, limit + 1).await?;
    let has_more = workflows.len() > limit;
    workflows.truncate(limit);
    let next = workflows.last().filter(|_| has_more).map(|last| last.id.to_string());
    let mut items = Vec::new();
    for workflow in &workflows {
        let state = state(&app, workflow).await?;
        items.extend(ScheduleDocument::new(workflow, state, &app.schedules, times));
    }
    Ok(Json(Listed { items, next }))
}

/// Returns the schedule of a workflow, with its state and its next times.
#[utoipa::path(get, path = "/workflows/{workflow}/schedule", tag = "schedules",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER), NextQuery),
    responses((status = 200, body = ScheduleDocument), Problems))]
async fn get(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
    Query(query): Query<NextQuery>,
) -> Result<Json<ScheduleDocument>, Problem> {
    let times = next_times(query.times)?;
    let workflow = scheduled(&app, &caller, &which).await?;
    document(&app, &workflow, times).await.map(Json)
}

/// Pauses the schedule of a workflow: its times are skipped.
///
/// Runs in progress continue. It stays paused for all programs on the store, until it is resumed.
#[utoipa::path(post, path = "/workflows/{workflow}/schedule/pause", tag = "schedules",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER)),
    responses((status = 200, body = ScheduleDocument), Problems))]
async fn pause(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Write>,
    Path(which): Path<String>,
) -> Result<Json<ScheduleDocument>, Problem> {
    change(&app, &caller, &which, ScheduleChange::Pause).await
}

/// Resumes the schedule of a workflow.
///
/// The times that passed meanwhile are skipped; a backfill starts them.
#[utoipa::path(post, path = "/workflows/{workflow}/schedule/resume", tag = "schedules",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER)),
    responses((status = 200, body = ScheduleDocument), Problems))]
async fn resume(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Write>,
    Path(which): Path<String>,
) -> Result<Json<ScheduleDocument>, Problem> {
    change(&app, &caller, &which, ScheduleChange::Resume(SystemTime::now())).await
}

/// Starts a run of a scheduled workflow for now.
///
/// The run has the present time as its time of the schedule. A paused schedule stays paused.
#[utoipa::path(post, path = "/workflows/{workflow}/schedule/run", tag = "schedules",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER)),
    responses((status = 202, description = "Run persisted", body = StartedRun), Problems))]
async fn run_now(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Run>,
    Path(which): Path<String>,
) -> Result<(StatusCode, Json<StartedRun>), Problem> {
    app.check_local(RUNS_NO_SCHEDULES)?;
    let workflow = scheduled(&app, &caller, &which).await?;
    let request = launch::LaunchRequest {
        user: caller.user.clone(),
        trigger: Trigger::Api,
        scheduled_for: Some(SystemTime::now()),
        ..launch::LaunchRequest::default()
    };
    let launched = launch::launch(&app, &workflow, request).await?;
    Ok((StatusCode::ACCEPTED, Json(StartedRun::new(&workflow, &launched))))
}

/// What a server whose runs another system executes does not have.
const RUNS_NO_SCHEDULES: &str = "this server runs no schedules; use those of that system";

async fn change(
    app: &App,
    caller: &Caller,
    which: &str,
    change: ScheduleChange,
) -> Result<Json<ScheduleDocument>, Problem> {
    let workflow = changeable(app, caller, which).await?;
    let (Some(store), Some(id)) = (app.catalog.schedule_store(), workflow.schedule_id()) else {
        return Err(Problem::conflict(
            "no_state",
            "the store of this server cannot pause schedules",
        ));
    };
    if !store.change_schedule(&id, change).await? {
        let detail = format!("workflow `{which}` was deleted meanwhile");
        return Err(Problem::not_found("no_workflow", detail));
    }
    document(app, &workflow, NEXT.into()).await.map(Json)
}

/// Finds a scheduled workflow that the caller sees.
async fn scheduled(app: &App, caller: &Caller, which: &str) -> Result<StoredWorkflow, Problem> {
    let workflow = caller.catalog(app).workflow(which).await?;
    if workflow.metadata.schedule().is_none() {
        let name = &workflow.name;
        let detail = format!("workflow `{name}` has no schedule; set `schedule` in its metadata");
        return Err(Problem::not_found("no_schedule", detail));
    }
    Ok(workflow)
}

/// Finds a scheduled workflow whose schedule the caller may change: their own, or any for staff.
async fn changeable(app: &App, caller: &Caller, which: &str) -> Result<StoredWorkflow, Problem> {
    app.check_local(RUNS_NO_SCHEDULES)?;
    let workflow = scheduled(app, caller, which).await?;
    if workflow.source == WorkflowSource::Registered && !caller.is_staff {
        let name = &workflow.name;
        let detail = format!("only staff may change the schedule of `{name}`; ask an admin");
        return Err(Problem::forbidden("not_yours", detail));
    }
    Ok(workflow)
}

async fn document(
    app: &App,
    workflow: &StoredWorkflow,
    times: usize,
) -> Result<ScheduleDocument, Problem> {
    let state = state(app, workflow).await?;
    ScheduleDocument::new(workflow, state, &app.schedules, times)
        .ok_or_else(|| Problem::internal("a scheduled workflow has no schedule"))
}

async fn state(app: &App, workflow: &StoredWorkflow) -> Result<ScheduleState, Problem> {
    match (app.catalog.schedule_store(), workflow.schedule_id()) {
        (Some(store), Some(id)) => Ok(store.schedule_state(&id).await?),
        _ => Ok(ScheduleState::default()),
    }
}
