//! A run is asked for.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use workflow_core::{
    Begun, Metadata, NewRun, Run as _, RunError, RunHandle, RunId, RunRequest, Trigger,
    WorkflowFile, WorkflowSnapshot, registry,
};
use workflow_store::{Source, StoredWorkflow};

use super::super::problems::Problems;
use super::document;
use crate::app::App;
use crate::extract::{Asked, Body, Path};
use crate::identity::{Caller, May, Run};
use crate::model::time::span;
use crate::model::{RunDocument, Started};
use crate::problem::Problem;

/// What a run is to begin with.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"input": {"day": "2026-01-02"}, "idempotency_key": "day-2026-01-02"}))]
pub(super) struct RunDraft {
    /// Its input; none for a workflow that takes none.
    input: Option<Value>,
    /// The line of work that it is put into. This server serves `default` alone.
    #[schema(pattern = "^default$")]
    task_queue: Option<String>,
    /// One run begins for this text: who says it again is told of the run that is there.
    #[schema(max_length = 255)]
    idempotency_key: Option<String>,
    /// Waits for the end of the run, at most so long, such as `30s`.
    #[schema(pattern = "^[0-9]{1,3}(ms|s|m)$")]
    wait: Option<String>,
}

/// Whether to wait for the end.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitAsked {
    /// Waits for the end of the run, at most so long, such as `30s`.
    #[param(pattern = "^[0-9]{1,3}(ms|s|m)$")]
    wait: Option<String>,
}

/// A run that has ended while it was waited for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ended {
    /// The id of the run.
    run_id: String,
    /// What came of the request, for people.
    message: String,
    #[serde(flatten)]
    run: RunDocument,
}

/// Runs a workflow. Answers once the run is on record; with `wait`, once it has ended, if it does
/// in time.
#[utoipa::path(post, path = "/workflows/{workflow}/run", tag = "runs",
    params(("workflow" = String, Path, description = "Its id, slug or name"), WaitAsked),
    request_body = RunDraft,
    responses((status = 200, description = "It has ended", body = Ended),
        (status = 202, description = "It is on record", body = Started), Problems))]
pub(super) async fn start(
    State(app): State<Arc<App>>,
    May(caller, _): May<Run>,
    Path(which): Path<String>,
    Asked(asked): Asked<WaitAsked>,
    Body(draft): Body<RunDraft>,
) -> Result<Response, Problem> {
    let wait = wait(&app, asked.wait.as_deref().or(draft.wait.as_deref()))?;
    if let Some(queue) = draft.task_queue.as_deref().filter(|queue| *queue != "default") {
        let message = format!("nobody serves `{queue}` here; leave it away, or say `default`");
        return Err(Problem::invalid("task_queue", message));
    }
    let workflow = caller.catalog(&app).workflow(&which).await?;
    if !workflow.is_active {
        let detail = format!("`{}` is not in use; set `is_active` to true first", workflow.name);
        return Err(Problem::conflict("not_active", detail));
    }
    let begun = begin(&app, &caller, &workflow, draft).await?;
    let started = Started {
        run_id: begun.run.to_string(),
        workflow_id: workflow.id,
        message: begun.message.to_owned(),
    };
    answer(&app, &caller, begun, started, wait).await
}

/// How long to wait for the end.
fn wait(app: &App, text: Option<&str>) -> Result<Option<Duration>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let (wait, longest) = (span("wait", text)?, app.options.longest_wait);
    if wait > longest {
        let message =
            format!("`{text}` is longer than the {} s that can be waited", longest.as_secs());
        return Err(Problem::invalid("wait", message));
    }
    Ok(Some(wait))
}

/// A run that is on record.
pub(super) struct Beginning {
    pub(super) run: RunId,
    message: &'static str,
    /// The run, if this server has begun it now.
    handle: Option<RunHandle>,
}

pub(super) const STARTED: &str = "Workflow execution started";
const THERE: &str = "Workflow execution was started before, under this idempotency key";
const RECORDED: &str = "Workflow execution recorded; a program that drives it reports on it";

/// Answers with the run that was asked for, waiting for it if so asked.
pub(super) async fn answer(
    app: &App,
    caller: &Caller,
    begun: Beginning,
    started: Started,
    wait: Option<Duration>,
) -> Result<Response, Problem> {
    let ended = match wait {
        Some(wait) => tokio::time::timeout(wait, until_end(app, &begun)).await.is_ok(),
        None => false,
    };
    if !ended {
        return Ok((StatusCode::ACCEPTED, Json(started)).into_response());
    }
    let run = document(app, caller, begun.run).await?;
    let Started { run_id, message, .. } = started;
    Ok(Json(Ended { run_id, message, run }).into_response())
}

async fn until_end(app: &App, begun: &Beginning) {
    if let Some(handle) = &begun.handle {
        // How it ended is on record.
        _ = handle.wait().await;
        return;
    }
    let (feed, mut from) = (app.feeds.of(begun.run, 0), 0);
    while let Ok(Some(frames)) = feed.next(from).await {
        from += frames.count;
    }
}

/// Begins a run of a workflow: of code, of a file, or for somebody else to drive.
async fn begin(
    app: &App,
    caller: &Caller,
    workflow: &StoredWorkflow,
    draft: RunDraft,
) -> Result<Beginning, Problem> {
    let RunDraft { input, idempotency_key: key, .. } = draft;
    let request = if workflow.source == Source::Registered {
        let entry = registry::get(&workflow.name).map_err(|error| {
            Problem::conflict("not_registered", format!("this server cannot run it: {error}"))
        })?;
        app.engine().run(entry.workflow())
    } else if let Some(file) = workflow.definition.as_ref().and_then(WorkflowFile::from_source) {
        let file = file.map_err(|wrong| Problem::from(&wrong))?;
        app.admit(&file)?;
        app.engine_for(&file).run(file)
    } else {
        return record(app, caller, workflow, input, key).await;
    };
    let request = match input {
        Some(input) => request.input(input),
        None => request,
    };
    let request = request.trigger(Trigger::Api).workflow_id(workflow.id);
    kept(with(request, caller, key)).await
}

/// Says who asks, and under which key.
pub(super) fn with(request: RunRequest, caller: &Caller, key: Option<String>) -> RunRequest {
    let request = match &caller.user {
        Some(user) => request.user(user.as_str()),
        None => request,
    };
    match key {
        Some(key) => request.idempotency_key(key),
        None => request,
    }
}

/// Starts a run, and returns once the store has it.
pub(super) async fn kept(request: RunRequest) -> Result<Beginning, Problem> {
    let handle = request.start()?;
    match handle.until_kept().await {
        Ok(()) => Ok(Beginning { run: handle.id(), message: STARTED, handle: Some(handle) }),
        Err(RunError::Exists { run, .. }) => Ok(Beginning { run, message: THERE, handle: None }),
        Err(error) => Err(error.into()),
    }
}

/// Puts a run on record that another program drives.
async fn record(
    app: &App,
    caller: &Caller,
    workflow: &StoredWorkflow,
    input: Option<Value>,
    key: Option<String>,
) -> Result<Beginning, Problem> {
    let graph = match &workflow.dag_spec {
        Value::Object(graph) if !graph.is_empty() => workflow.dag_spec.clone(),
        _ => json!({ "nodes": [], "edges": [] }),
    };
    let snapshot = WorkflowSnapshot {
        name: workflow.name.clone(),
        metadata: Metadata::default(),
        fingerprint: format!("stored-{}-{}", workflow.id, workflow.version).into(),
        source: None,
        graph: Arc::new(graph),
    };
    let id = RunId::random();
    let new = NewRun {
        id,
        workflow: snapshot,
        workflow_id: Some(workflow.id),
        user: caller.user.clone(),
        input,
        trigger: Trigger::Api,
        idempotency_key: key,
        parent: None,
        created_at: SystemTime::now(),
        owner: None,
    };
    Ok(match app.catalog.begin(new, Vec::new()).await? {
        Begun::New(_) => Beginning { run: id, message: RECORDED, handle: None },
        Begun::Existing(run) => Beginning { run: run.id, message: THERE, handle: None },
    })
}
