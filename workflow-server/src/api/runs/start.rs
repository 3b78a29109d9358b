//! Starts a run, and optionally waits for its end.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use workflow_core::Run as _;
use workflow_core::flow_control::FlowControl;
use workflow_core::store::Trigger;

use super::super::WORKFLOW_PARAMETER;
use super::super::problems::Problems;
use super::document;
use crate::app::App;
use crate::auth::Caller;
use crate::http::extract::{Body, Path, Query, check_key};
use crate::http::require::{Require, Run};
use crate::launch::{self, Launched, TaskQueue};
use crate::model::time::span;
use crate::model::{RunDocument, StartedRun};
use crate::problem::Problem;

/// The parameters of a new run.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"input": {"day": "2026-01-02"}, "idempotency_key": "day-2026-01-02"}))]
pub(super) struct RunDraft {
    /// Input of the run. Omit it for a workflow without input.
    input: Option<Value>,
    /// Task queue in which the run waits for a worker. Default: none; this server executes the run.
    /// With a warning in the response, no live worker serves the queue.
    #[schema(min_length = 1, max_length = 200, example = "estuary-payment")]
    task_queue: Option<String>,
    /// Priority among the runs of its task queue; higher ones start first. Default: 0.
    priority: i32,
    /// Most runs with the same key that are in progress at once: `key`, `limit`, and `on_conflict`,
    /// which is `queue`, `cancel_running`, `cancel_new` or `skip`. A key may have places such as
    /// `${{ input.customer }}`. Like the other limits, it is
    /// in addition to those of the workflow: 422 if the workflow has this one itself.
    #[schema(value_type = Option<Object>, example = json!({"key": "${{ input.customer }}", "limit": 1}))]
    concurrency: Option<Value>,
    /// Most runs with the same key that start in a period: `key`, `limit` and `per`.
    #[schema(value_type = Option<Object>, example = json!({"limit": 200, "per": "1s"}))]
    rate_limit: Option<Value>,
    /// Requests with the same key share a run, which starts when none has come for some time: `key`,
    /// `delay` and `max_delay`.
    #[schema(value_type = Option<Object>, example = json!({"delay": "5s", "max_delay": "1m"}))]
    debounce: Option<Value>,
    /// Returns the run of the workflow that is in progress or waits, if there is one.
    #[schema(value_type = Option<bool>)]
    singleton: Option<Value>,
    /// Runs with different keys take turns in their task queue: `key` and `weight`.
    #[schema(value_type = Option<Object>, example = json!({"key": "${{ input.tenant }}"}))]
    fairness: Option<Value>,
    /// Idempotency key: starting again with the same key returns the existing run. Keys are per
    /// user.
    #[schema(min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
    /// Waits for the end of the run, up to this time, such as `30s`.
    #[schema(pattern = "^[0-9]{1,3}(ms|s|m)$")]
    wait: Option<String>,
}

impl RunDraft {
    /// Takes the limits and the turn in the queue.
    ///
    /// # Errors
    ///
    /// Fails if one is invalid.
    fn take_flow_control(&mut self) -> Result<FlowControl, Problem> {
        let parts = [
            ("concurrency", self.concurrency.take()),
            ("rate_limit", self.rate_limit.take()),
            ("debounce", self.debounce.take()),
            ("singleton", self.singleton.take()),
            ("fairness", self.fairness.take()),
        ];
        let given = parts.into_iter().filter_map(|(part, value)| Some((part.to_owned(), value?)));
        Ok(FlowControl::read(&given.collect())?)
    }
}

/// Makes the limits of a request those of its user: others could hold up and cancel the user's runs.
fn limits_of(user: Option<&str>, mut control: FlowControl) -> FlowControl {
    let Some(user) = user else { return control };
    let concurrency = control.concurrency.as_mut().map(|limit| &mut limit.key);
    let rate = control.rate_limit.as_mut().map(|limit| &mut limit.key);
    for key in concurrency.into_iter().chain(rate) {
        let separator = if key.is_empty() { "" } else { " of " };
        *key = format!("{key}{separator}user {user}");
    }
    control
}

/// The time to wait for the end.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// Waits for the end of the run, up to this time, such as `30s`.
    #[param(pattern = "^[0-9]{1,3}(ms|s|m)$")]
    wait: Option<String>,
}

/// A run that ended within the waiting time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FinishedRun {
    /// ID of the run.
    run_id: String,
    /// Result of the request, in English.
    message: String,
    /// Whether the run existed before, with the same idempotency key.
    existing: bool,
    #[serde(flatten)]
    run: RunDocument,
}

/// Starts a run of a workflow.
///
/// Responds when the run is persisted; with `wait`, when it has ended or the time has passed.
#[utoipa::path(post, path = "/workflows/{workflow}/run", tag = "runs",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER), WaitQuery),
    request_body = RunDraft,
    responses((status = 200, description = "Run ended", body = FinishedRun),
        (status = 202, description = "Run persisted", body = StartedRun), Problems))]
pub(super) async fn start(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Run>,
    Path(which): Path<String>,
    Query(query): Query<WaitQuery>,
    Body(mut draft): Body<RunDraft>,
) -> Result<Response, Problem> {
    let wait = wait(&app, query.wait.as_deref().or(draft.wait.as_deref()))?;
    check_key(draft.idempotency_key.as_deref())?;
    let flow_control = limits_of(caller.user.as_deref(), draft.take_flow_control()?);
    let workflow = caller.catalog(&app).workflow(&which).await?;
    let request = launch::LaunchRequest {
        user: caller.user.clone(),
        trigger: Trigger::Api,
        idempotency_key: draft.idempotency_key,
        input: draft.input,
        task_queue: draft.task_queue.map(TaskQueue::Named),
        priority: draft.priority,
        flow_control,
        scheduled_for: None,
    };
    let launched = launch::launch(&app, &workflow, request).await?;
    if launched.existing && caller.catalog(&app).run(launched.run).await?.is_none() {
        let detail = "a run of another user holds the limit of the workflow; start the run again \
                      when that one has ended";
        return Err(Problem::conflict("limit_held", detail));
    }
    let started = StartedRun::new(&workflow, &launched);
    answer(&app, &caller, launched, started, wait).await
}

/// Parses the waiting time.
///
/// # Errors
///
/// Fails if it is invalid or exceeds the limit of the server.
fn wait(app: &App, text: Option<&str>) -> Result<Option<Duration>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let (wait, longest) = (span("wait", text)?, app.options.longest_wait);
    if wait > longest {
        let message = format!("must be at most {} s, not `{text}`", longest.as_secs());
        return Err(Problem::invalid("wait", message));
    }
    Ok(Some(wait))
}

/// Responds with the started run, or with the finished run after waiting.
async fn answer(
    app: &App,
    caller: &Caller,
    launched: Launched,
    started: StartedRun,
    wait: Option<Duration>,
) -> Result<Response, Problem> {
    let ended = match wait {
        Some(wait) => tokio::time::timeout(wait, until_end(app, &launched)).await.is_ok(),
        None => false,
    };
    if !ended {
        return Ok((StatusCode::ACCEPTED, Json(started)).into_response());
    }
    let run = document(app, caller, launched.run).await?;
    let StartedRun { run_id, message, .. } = started;
    Ok(Json(FinishedRun { run_id, message, existing: launched.existing, run }).into_response())
}

async fn until_end(app: &App, launched: &Launched) {
    if let Some(handle) = &launched.handle {
        // The outcome is read from the store.
        _ = handle.outcome().await;
        return;
    }
    let (feed, mut from) = (app.feeds.of(launched.run, 0), 0);
    while let Ok(Some(frames)) = feed.next(from).await {
        from += frames.count;
    }
}
