//! The graph and the source of a workflow.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use utoipa::IntoParams;
use workflow_core::graph::Graph;
use workflow_core::workflow::PlanError;
use workflow_files::WorkflowFile;
use workflow_store::{StoredWorkflow, WorkflowSource};

use super::super::WORKFLOW_PARAMETER;
use super::super::problems::Problems;
use crate::app::App;
use crate::http::extract::{Path, Query};
use crate::http::require::{Read, Require};
use crate::launch::registered_workflow;
use crate::problem::Problem;

/// The format of a graph.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GraphQuery {
    /// Format: `json` (default), `mermaid` or `dot`.
    #[param(value_type = Option<String>, pattern = "^(json|mermaid|dot)$")]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Json,
    Mermaid,
    Dot,
}

/// Returns the graph of a workflow: jobs and dependencies.
#[utoipa::path(get, path = "/workflows/{workflow}/graph", tag = "workflows",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER), GraphQuery),
    responses((status = 200, description = "Graph", content(
        (Object = "application/json"), (String = "text/plain"))), Problems))]
pub(super) async fn graph(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
    Query(query): Query<GraphQuery>,
) -> Result<Response, Problem> {
    let workflow = caller.catalog(&app).workflow(&which).await?;
    if query.format == Format::Json {
        let graph = match workflow.dag_spec {
            Json::Null => json!({ "nodes": [], "edges": [] }),
            graph => graph,
        };
        return Ok(axum::Json(graph).into_response());
    }
    let text = app.parsing.run(move || render(&workflow, query.format)).await??;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// Renders the graph as Mermaid or DOT.
///
/// # Errors
///
/// Fails if there is no graph without a run, or if this server cannot run the workflow.
fn render(workflow: &StoredWorkflow, format: Format) -> Result<String, Problem> {
    let write = |graph: &Graph| match format {
        Format::Dot => graph.dot(),
        _ => graph.mermaid(),
    };
    if let Some(file) = workflow.definition.as_ref().and_then(WorkflowFile::from_source) {
        let file = file.map_err(|wrong| Problem::from(&wrong))?;
        return Ok(write(file.graph()));
    }
    let only_json = |why| {
        let detail = format!("the graph is only available as `json`: {why}");
        Problem::conflict("no_graph", detail)
    };
    if workflow.source != WorkflowSource::Registered {
        return Err(only_json("an external program runs the workflow"));
    }
    match registered_workflow(&workflow.name)?.plan(None) {
        Ok(plan) => Ok(write(plan.graph())),
        Err(PlanError::NoInput) => Err(only_json("it depends on the input of the run")),
        Err(error) => {
            let detail = format!("workflow `{}` cannot run: {error}", workflow.name);
            Err(Problem::conflict("cannot_run", detail))
        }
    }
}

/// Returns the file of a workflow as it was written.
#[utoipa::path(get, path = "/workflows/{workflow}/source", tag = "workflows",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER)),
    responses((status = 200, description = "Workflow file", body = String,
        content_type = "application/yaml"), Problems))]
pub(super) async fn source(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
) -> Result<Response, Problem> {
    let workflow = caller.catalog(&app).workflow(&which).await?;
    let text = workflow.definition.as_ref().and_then(WorkflowFile::text_of).ok_or_else(|| {
        let detail =
            format!("workflow `{}` has no file: it is code, or only a graph", workflow.name);
        Problem::not_found("no_source", detail)
    })?;
    Ok(([(header::CONTENT_TYPE, "application/yaml")], text.to_owned()).into_response())
}
