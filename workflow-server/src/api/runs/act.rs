//! Actions on runs: cancel, unblock, signal, retry.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use workflow_core::engine::{Cancellation, Enqueued};
use workflow_core::id::RunId;
use workflow_core::store::{MessageKind, SignalError, StoreError, StoredRun, Trigger};
use workflow_core::{Engine, RunError};
use workflow_store::{Catalog, RetryRequest, RetrySource, retry_run};

use super::super::problems::Problems;
use super::{RUN_PARAMETER, find, stored};
use crate::app::App;
use crate::http::extract::{Body, Path, check_key};
use crate::http::require::{Require, Run};
use crate::launch::{self, Launched};
use crate::model::StartedRun;
use crate::problem::Problem;

/// Cancels a run.
///
/// A run that an engine is executing ends when its jobs have stopped. Any other run ends
/// immediately, even if its workflow was changed or deleted.
#[utoipa::path(post, path = "/runs/{run}/cancel", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER)),
    responses((status = 202, description = "Run cancelled, or cancelling", body = StartedRun),
        Problems))]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Run>,
    Path(which): Path<String>,
) -> Result<Response, Problem> {
    let catalog = caller.catalog(&app);
    let (run, workflow_id) = find_with_workflow(&*catalog, &which).await?;
    let message = match app.remote() {
        Some(remote) => {
            remote.cancel(run).await?;
            "Cancellation requested"
        }
        None => match app.engine().cancel(run).await? {
            Cancellation::Ended => "Run cancelled",
            _ => "Cancellation requested",
        },
    };
    Ok(accepted(run, workflow_id, message, None))
}

/// Unblocks a run, so that an engine can resume it.
///
/// Resets the count of process crashes.
#[utoipa::path(post, path = "/runs/{run}/unblock", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER)),
    responses((status = 202, description = "Run unblocked", body = StartedRun), Problems))]
pub(super) async fn unblock(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Run>,
    Path(which): Path<String>,
) -> Result<Response, Problem> {
    let catalog = caller.catalog(&app);
    let (run, workflow_id) = find_with_workflow(&*catalog, &which).await?;
    app.check_local("resumes a blocked run when a worker has its definition")?;
    app.engine().unblock(run).await?;
    Ok(accepted(run, workflow_id, "Run unblocked", None))
}

/// Resolves a run; returns it with the ID of its workflow.
async fn find_with_workflow(catalog: &dyn Catalog, which: &str) -> Result<(RunId, i64), Problem> {
    let run = find(catalog, which).await?;
    Ok((run, catalog.run_summary(run).await?.workflow_id))
}

fn accepted(run: RunId, workflow_id: i64, message: &str, existing: Option<bool>) -> Response {
    let (run_id, message) = (run.to_string(), message.to_owned());
    let started = StartedRun { run_id, workflow_id, message, existing, warning: None };
    (StatusCode::ACCEPTED, Json(started)).into_response()
}

/// A signal to a run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "approved", "payload": {"by": "ada"}}))]
pub(super) struct SignalDraft {
    /// Name of the signal, 1 to 255 characters without control characters.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// Payload of the signal: at most 256 KiB as JSON.
    #[serde(default)]
    payload: Value,
}

/// The largest payload of a signal, in bytes as JSON: every resume of the run reads it.
const MAX_PAYLOAD: usize = 256 << 10;

/// Sends a signal to a run, for a job that waits for it now or later.
#[utoipa::path(post, path = "/runs/{run}/signal", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER)),
    request_body = SignalDraft,
    responses((status = 202, description = "Signal sent", body = StartedRun), Problems))]
pub(super) async fn signal(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Run>,
    Path(which): Path<String>,
    Body(signal): Body<SignalDraft>,
) -> Result<Response, Problem> {
    let SignalDraft { name, payload } = signal;
    SignalError::check(&name).map_err(StoreError::InvalidSignal)?;
    let size = payload.to_string().len();
    if size > MAX_PAYLOAD {
        let message = format!(
            "has {size} bytes as JSON; the limit is {MAX_PAYLOAD}; send the place of larger data"
        );
        return Err(Problem::invalid("payload", message));
    }
    let catalog = caller.catalog(&app);
    let (run, workflow_id) = find_with_workflow(&*catalog, &which).await?;
    match app.remote() {
        Some(remote) => remote.signal(run, &name, payload).await?,
        None => {
            catalog.send(run, MessageKind::Signal { name, payload }).await?;
        }
    }
    Ok(accepted(run, workflow_id, "Signal sent", None))
}

/// The options of a retry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"failed_only": true}))]
pub(super) struct RetryDraft {
    /// Runs only the jobs that did not complete, and the jobs that depend on them.
    failed_only: bool,
    /// Runs this job, the jobs that depend on it, and the jobs that did not complete.
    from: Option<String>,
    /// Idempotency key: retrying again with the same key returns the existing run. Keys are per
    /// user.
    #[schema(min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
}

/// Returns which jobs a retry runs; `None` for all of them.
fn retry_source(from: Option<&str>, failed_only: bool) -> Result<Option<RetrySource<'_>>, Problem> {
    match (from, failed_only) {
        (Some(_), true) => Err(Problem::invalid("from", "cannot be combined with `failed_only`")),
        (Some(job), false) => Ok(Some(RetrySource::From(job))),
        (None, true) => Ok(Some(RetrySource::Failed)),
        (None, false) => Ok(None),
    }
}

/// Checks that a run has ended, so that it can be retried.
fn check_finished(run: &StoredRun) -> Result<(), Problem> {
    if let Some(blocked) = &run.blocked {
        let detail =
            format!("run {} is blocked: {blocked}; cancel it, then retry all of it", run.id);
        return Err(Problem::conflict("blocked", detail));
    }
    if !run.status.is_final() {
        let detail = format!("run {} is {}; wait until it ends, or cancel it", run.id, run.status);
        return Err(Problem::conflict("not_ended", detail));
    }
    Ok(())
}

/// Checks that an engine ran a run, not an external program.
fn check_internal(run: &StoredRun) -> Result<(), Problem> {
    if run.workflow.is_external() {
        let detail = format!(
            "cannot retry run {}: an external program runs `{}`; start a new run of the workflow",
            run.id, run.workflow.name
        );
        return Err(Problem::conflict("cannot_repeat", detail));
    }
    Ok(())
}

/// Retries a finished run as a new run with the same input.
///
/// With `failed_only` or `from`, the new run reuses the results of the other jobs.
#[utoipa::path(post, path = "/runs/{run}/retry", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER)),
    request_body = RetryDraft,
    responses((status = 202, description = "New run persisted", body = StartedRun), Problems))]
pub(super) async fn retry(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Run>,
    Path(which): Path<String>,
    Body(draft): Body<RetryDraft>,
) -> Result<Response, Problem> {
    let catalog = caller.catalog(&app);
    let old = stored(&*catalog, &which).await?;
    let workflow_id = catalog.run_summary(old.id).await?.workflow_id;
    app.check_local("does not retry runs that have ended; start a new run")?;
    check_finished(&old)?;
    let RetryDraft { failed_only, from, idempotency_key: key } = draft;
    check_key(key.as_deref())?;
    let source = retry_source(from.as_deref(), failed_only)?;
    check_internal(&old)?;
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
                input: old.input.clone(),
                ..launch::LaunchRequest::default()
            };
            let run = engine.run(workflow).workflow_id(workflow_id).retry_of(&old);
            launch::start_persisted(&app, run, request).await?
        }
        Some(source) => {
            let request = RetryRequest { user: caller.user.clone(), idempotency_key: key };
            match retry_run(&*catalog, &old, &*workflow, source, request).await? {
                Enqueued::New(run) => {
                    execute(engine.clone(), run);
                    Launched::new(run, None)
                }
                Enqueued::Existing(run, by) => Launched::existing(run, by),
                Enqueued::Cancelled(run) => Launched::cancelled(run),
            }
        }
    };
    Ok(accepted(launched.run, workflow_id, launched.message, Some(launched.existing)))
}

/// Executes a persisted run in the background.
fn execute(engine: Engine, run: RunId) {
    tokio::spawn(async move {
        match engine.follow(run).await {
            Ok(_) | Err(RunError::Failed(_) | RunError::Cancelled(_)) => {}
            Err(error) => {
                tracing::warn!(%run, %error, "cannot execute the run here")
            }
        }
    });
}
