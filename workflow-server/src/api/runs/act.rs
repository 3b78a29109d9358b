//! A run is stopped, repeated, or sent something.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use workflow_core::{Cancellation, Engine, Enqueued, MessageKind, RunError, RunId, Trigger};
use workflow_store::{Catalog, RetryRequest, RetrySource, retry_run};

use super::super::problems::Problems;
use super::{RUN_PARAMETER, find, stored};
use crate::app::App;
use crate::http::extract::{Body, Path, check_key};
use crate::http::require::{Require, Run};
use crate::launch::{self, Launched};
use crate::model::Started;
use crate::problem::Problem;

/// Cancels a run. One that an engine is running ends once its jobs have stopped; any other ends at
/// once, even when its workflow has changed or is gone.
#[utoipa::path(post, path = "/runs/{run}/cancel", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER)),
    responses((status = 202, description = "It is cancelled, or will be", body = Started), Problems))]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Run>,
    Path(which): Path<String>,
) -> Result<Response, Problem> {
    let catalog = caller.catalog(&app);
    let (run, workflow_id) = find_with_workflow(&*catalog, &which).await?;
    let message = match app.engine().cancel(run).await? {
        Cancellation::Ended => "Run cancelled",
        _ => "Run asked to stop",
    };
    Ok(accepted(run, workflow_id, message, None))
}

/// Lets engines take up a blocked run again. Deaths of its process before now no longer count.
#[utoipa::path(post, path = "/runs/{run}/unblock", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER)),
    responses((status = 202, description = "It is unblocked", body = Started), Problems))]
pub(super) async fn unblock(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Run>,
    Path(which): Path<String>,
) -> Result<Response, Problem> {
    let catalog = caller.catalog(&app);
    let (run, workflow_id) = find_with_workflow(&*catalog, &which).await?;
    app.engine().unblock(run).await?;
    Ok(accepted(run, workflow_id, "Run unblocked", None))
}

/// A run, and the number of its workflow.
async fn find_with_workflow(catalog: &dyn Catalog, which: &str) -> Result<(RunId, i64), Problem> {
    let run = find(catalog, which).await?;
    Ok((run, catalog.run_summary(run).await?.workflow_id))
}

fn accepted(run: RunId, workflow_id: i64, message: &str, existing: Option<bool>) -> Response {
    let (run_id, message) = (run.to_string(), message.to_owned());
    let started = Started { run_id, workflow_id, message, existing };
    (StatusCode::ACCEPTED, Json(started)).into_response()
}

/// What is sent to a run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "approved", "payload": {"by": "ada"}}))]
pub(super) struct SignalDraft {
    /// The name that a job waits for.
    #[schema(min_length = 1)]
    name: String,
    /// What comes with it.
    #[serde(default)]
    payload: Value,
}

/// Sends a run a signal, for a job that waits for one of this name, or will.
#[utoipa::path(post, path = "/runs/{run}/signal", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER)),
    request_body = SignalDraft,
    responses((status = 202, description = "It is sent", body = Started), Problems))]
pub(super) async fn signal(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Run>,
    Path(which): Path<String>,
    Body(signal): Body<SignalDraft>,
) -> Result<Response, Problem> {
    let SignalDraft { name, payload } = signal;
    if name.is_empty() {
        return Err(Problem::invalid("name", "is empty; it is what a job waits for"));
    }
    let catalog = caller.catalog(&app);
    let (run, workflow_id) = find_with_workflow(&*catalog, &which).await?;
    catalog.send(run, MessageKind::Signal { name, payload }).await?;
    Ok(accepted(run, workflow_id, "Signal sent", None))
}

/// How a run is to be repeated.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"failed_only": true}))]
pub(super) struct RetryDraft {
    /// Only the jobs that did not complete run again, and those that wait for them.
    failed_only: bool,
    /// This job runs again with all that wait for it, and what did not complete.
    from: Option<String>,
    /// Idempotency key: retrying again with the same key returns the existing run. Every user has
    /// keys of their own.
    #[schema(min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
}

/// Where a run is to begin again; `None` for the whole of it.
fn retry_source(from: Option<&str>, failed_only: bool) -> Result<Option<RetrySource<'_>>, Problem> {
    match (from, failed_only) {
        (Some(_), true) => Err(Problem::invalid("from", "does not go with `failed_only`")),
        (Some(job), false) => Ok(Some(RetrySource::From(job))),
        (None, true) => Ok(Some(RetrySource::Failed)),
        (None, false) => Ok(None),
    }
}

/// Repeats a run that has ended, as a new run with the same input. With `failed_only` or `from`,
/// outcomes that stay are the first of the new run's record.
#[utoipa::path(post, path = "/runs/{run}/retry", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER)),
    request_body = RetryDraft,
    responses((status = 202, description = "The new run is on record", body = Started), Problems))]
pub(super) async fn retry(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Run>,
    Path(which): Path<String>,
    Body(draft): Body<RetryDraft>,
) -> Result<Response, Problem> {
    let catalog = caller.catalog(&app);
    let old = stored(&*catalog, &which).await?;
    let workflow_id = catalog.run_summary(old.id).await?.workflow_id;
    if let Some(blocked) = &old.blocked {
        let detail =
            format!("run {} is blocked: {blocked}; cancel it, then retry the whole of it", old.id);
        return Err(Problem::conflict("blocked", detail));
    }
    if !old.status.is_final() {
        let detail = format!("run {} is {}; wait for its end, or cancel it", old.id, old.status);
        return Err(Problem::conflict("not_ended", detail));
    }
    let RetryDraft { failed_only, from, idempotency_key: key } = draft;
    check_key(key.as_deref())?;
    let source = retry_source(from.as_deref(), failed_only)?;
    if old.workflow.is_external() {
        let detail = format!(
            "run {} cannot be repeated: another program runs `{}` and reports on it; execute the \
             workflow again",
            old.id, old.workflow.name
        );
        return Err(Problem::conflict("cannot_repeat", detail));
    }
    let workflow =
        match launch::file_workflow(&app, old.workflow.source.as_deref().cloned()).await? {
            Some(file) => file,
            None => launch::registered_workflow(&old.workflow.name)?,
        };
    let engine = app.engine();
    let launched = match source {
        None => {
            let request = launch::LaunchRequest {
                user: caller.user.clone(),
                trigger: Trigger::Retry,
                idempotency_key: key,
                input: old.input,
            };
            let run = engine.run(workflow).workflow_id(workflow_id).repeats(old.id);
            launch::start_persisted(run, request).await?
        }
        Some(source) => {
            let request = RetryRequest { user: caller.user.clone(), idempotency_key: key };
            match retry_run(&*catalog, &old, &*workflow, source, request).await? {
                Enqueued::New(run) => {
                    drive(engine.clone(), run);
                    Launched::new(run, None)
                }
                Enqueued::Existing(run) => Launched::existing(run),
            }
        }
    };
    Ok(accepted(launched.run, workflow_id, launched.message, Some(launched.existing)))
}

/// Drives a run on record in the background.
fn drive(engine: Engine, run: RunId) {
    tokio::spawn(async move {
        match engine.follow(run).await {
            Ok(_) | Err(RunError::Failed(_) | RunError::Cancelled(_)) => {}
            Err(error) => tracing::warn!(%run, %error, "the run is left for others to take up"),
        }
    });
}
