//! Workflows: list, create, show, change, delete.

mod create;
mod graph;
mod query;
mod versions;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_core::{WorkflowName, WorkflowSnapshot};
use workflow_files::WorkflowFile;
use workflow_store::{MetadataChange, Source, StoredWorkflow, WorkflowChange};

use super::problems::Problems;
use crate::app::App;
use crate::auth::Caller;
use crate::http::extract::{Body, Path, Query};
use crate::http::require::{Read, Require, Write};
use crate::model::{Listed, Workflow, WorkflowDocument};
use crate::problem::Problem;

use query::WorkflowsQuery;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create::create))
        .routes(routes!(get, change, delete))
        .routes(routes!(graph::graph))
        .routes(routes!(graph::source))
        .routes(routes!(versions::versions))
        .routes(routes!(versions::version))
}

/// How many of its last runs a workflow is shown with.
const RECENT: usize = 20;

/// Lists workflows: those that the program registers, and those that were stored.
#[utoipa::path(get, path = "/workflows", tag = "workflows", params(WorkflowsQuery),
    responses((status = 200, body = Listed<Workflow>), Problems))]
async fn list(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Query(query): Query<WorkflowsQuery>,
) -> Result<Json<Listed<Workflow>>, Problem> {
    let catalog = caller.catalog(&app);
    let page = catalog.workflows(query.query()?).await?;
    Ok(Json(Listed::of(page, |workflow| Workflow::new(workflow, &app.schedules))))
}

/// A workflow with all that is known of it.
pub(super) async fn document(
    app: &Arc<App>,
    caller: &Caller,
    mut workflow: StoredWorkflow,
) -> Result<WorkflowDocument, Problem> {
    workflow.recent = caller.catalog(app).recent(&[workflow.id], RECENT).await?;
    let editable = caller.may_write() && (caller.is_staff || workflow.source != Source::Registered);
    let at = app.clone();
    app.parsing.run(move || WorkflowDocument::new(workflow, editable, &at.schedules)).await
}

/// Shows a workflow, by its id, name or slug.
#[utoipa::path(get, path = "/workflows/{workflow}", tag = "workflows",
    params(("workflow" = String, Path, description = "Its id, name or slug")),
    responses((status = 200, body = WorkflowDocument), Problems))]
async fn get(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
) -> Result<Json<WorkflowDocument>, Problem> {
    let workflow = caller.catalog(&app).workflow(&which).await?;
    Ok(Json(document(&app, &caller, workflow).await?))
}

/// What is to change of a workflow; what is not named stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"project": "new-department", "merge_metadata": {"owner": "new-team"}}))]
struct WorkflowPatch {
    /// Another name; the slug stays.
    name: Option<String>,
    /// The text that another slug is made from: in lower case with dashes, with a number where
    /// another workflow has it.
    slug: Option<String>,
    /// Another description; an empty one is none.
    description: Option<String>,
    /// Another project; an empty one is none.
    project: Option<String>,
    /// The number of its project in the application that it comes from; 0 for none.
    #[schema(minimum = 0)]
    project_id: Option<i32>,
    /// The name of its project in the application that it comes from.
    project_name: Option<String>,
    /// The application that it comes from; an empty one is none.
    app_name: Option<String>,
    /// Another business area; an empty one is none.
    domain: Option<String>,
    /// Another version. Default: one more where its file changes.
    #[schema(minimum = 1)]
    version: Option<i32>,
    /// Replaces the metadata: an object, or null for none.
    #[schema(value_type = Option<Object>)]
    #[serde(default, deserialize_with = "present")]
    metadata: Option<Value>,
    /// Changes the metadata (RFC 7396): keys are added and replaced, and those that are null
    /// removed.
    #[schema(value_type = Option<Object>)]
    merge_metadata: Option<Map<String, Value>>,
    /// Another owner; an empty name makes it nobody's. For staff.
    user: Option<String>,
    /// Whether it is in use.
    is_active: Option<bool>,
    /// Another graph, as nodes and edges.
    #[schema(value_type = Option<Object>)]
    dag_spec: Option<Map<String, Value>>,
    /// The ids of the molecules that it uses.
    molecules_used: Option<Vec<String>>,
    /// The atoms of each molecule.
    #[schema(value_type = Option<Object>)]
    atoms_in_molecules: Option<Map<String, Value>>,
    /// Another workflow file, as text: the next version. Everything that the file says follows it,
    /// the schedule as well, but for what is named beside it. The name does where the file before
    /// gave it. Runs that have begun, and their repetitions, keep the file that they began with.
    yaml: Option<String>,
    /// Its number; not to be changed.
    id: Option<i64>,
    /// When it was made; not to be changed.
    created_at: Option<String>,
    /// Counted by the server: what is sent back of it changes nothing.
    #[expect(dead_code, reason = "it is taken and changes nothing")]
    execution_count: Option<u64>,
    /// Counted by the server: what is sent back of it changes nothing.
    #[expect(dead_code, reason = "it is taken and changes nothing")]
    last_executed_at: Option<String>,
    /// Noted by the server: what is sent back of it changes nothing.
    #[expect(dead_code, reason = "it is taken and changes nothing")]
    updated_at: Option<String>,
}

impl WorkflowPatch {
    /// What may be sent back of a workflow, and must be as it is.
    fn fixed(&self) -> Vec<(&'static str, Value)> {
        let fields = [
            ("id", self.id.map(Value::from)),
            ("created_at", self.created_at.clone().map(Value::from)),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Sees to it that what is sent back of a workflow is what it has.
fn check_fixed(fixed: &[(&str, Value)], workflow: &Workflow) -> Result<(), Problem> {
    let shown = serde_json::to_value(workflow).map_err(Problem::internal)?;
    match fixed.iter().find(|(field, value)| shown[*field] != *value) {
        Some((field, _)) => {
            let message =
                format!("cannot be changed; leave it away, or as it is: {}", shown[*field]);
            Err(Problem::invalid(*field, message))
        }
        None => Ok(()),
    }
}

/// Reads null as something that was said.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// Changes a workflow. What the server alone decides may be sent back as it is.
#[utoipa::path(patch, path = "/workflows/{workflow}", tag = "workflows",
    params(("workflow" = String, Path, description = "Its id, name or slug")),
    request_body = WorkflowPatch,
    responses((status = 200, body = WorkflowDocument), Problems))]
async fn change(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Write>,
    Path(which): Path<String>,
    Body(patch): Body<WorkflowPatch>,
) -> Result<Json<WorkflowDocument>, Problem> {
    let (at, catalog) = (app.clone(), caller.catalog(&app));
    let fixed = patch.fixed();
    let old = match patch.yaml.is_some() || !fixed.is_empty() {
        true => Some(catalog.workflow(&which).await?),
        false => None,
    };
    if let Some(old) = &old {
        check_fixed(&fixed, &Workflow::new(old.clone(), &app.schedules))?;
    }
    // By its id from here on: a name may come to mean another.
    let which = old.as_ref().map_or(which, |old| old.id.to_string());
    let change = app.parsing.run(move || change_of(&at, patch, old)).await??;
    let workflow = catalog.update_workflow(&which, change).await?;
    Ok(Json(document(&app, &caller, workflow).await?))
}

/// What a patch changes of a workflow, which is needed when there is another file.
fn change_of(
    app: &App,
    patch: WorkflowPatch,
    old: Option<StoredWorkflow>,
) -> Result<WorkflowChange, Problem> {
    let metadata = match (patch.metadata, patch.merge_metadata) {
        (Some(_), Some(_)) => {
            let message = "goes with `metadata` no more than adding goes with replacing";
            return Err(Problem::invalid("merge_metadata", message));
        }
        (Some(metadata), None) => Some(MetadataChange::Replace(metadata)),
        (None, Some(patch)) => Some(MetadataChange::Merge(Value::Object(patch))),
        (None, None) => None,
    };
    let file = match (patch.yaml, old) {
        (Some(text), Some(old)) => {
            let file = create::read_file(app, &text)?;
            let given = old.definition.as_ref().and_then(WorkflowFile::name_of);
            let given = given.as_ref().map(WorkflowName::as_str);
            WorkflowChange::replacing(&old, given, &WorkflowSnapshot::of(&file))
        }
        _ => WorkflowChange::default(),
    };
    Ok(WorkflowChange {
        name: patch.name.or(file.name),
        slug: patch.slug,
        project_id: patch.project_id,
        project_name: patch.project_name,
        app_name: patch.app_name,
        version: patch.version,
        description: patch.description.or(file.description),
        project: patch.project.or(file.project),
        domain: patch.domain.or(file.domain),
        metadata: metadata.or(file.metadata),
        user: patch.user,
        active: patch.is_active,
        dag_spec: patch.dag_spec.map(Value::Object).or(file.dag_spec),
        molecules_used: patch.molecules_used,
        atoms_in_molecules: patch.atoms_in_molecules,
        definition: file.definition,
    })
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
struct Deleted {
    /// How many runs were deleted with the workflow.
    deleted_runs: u64,
}

/// Deletes a workflow with all of its runs.
#[utoipa::path(delete, path = "/workflows/{workflow}", tag = "workflows",
    params(("workflow" = String, Path, description = "Its id, name or slug")),
    responses((status = 200, body = Deleted), Problems))]
async fn delete(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Write>,
    Path(which): Path<String>,
) -> Result<Json<Deleted>, Problem> {
    let deleted_runs = caller.catalog(&app).delete_workflow(&which).await?;
    Ok(Json(Deleted { deleted_runs }))
}

/// Answers with something that was created, and where it is.
fn created(location: &str, document: WorkflowDocument) -> Response {
    let mut response = (StatusCode::CREATED, Json(document)).into_response();
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
