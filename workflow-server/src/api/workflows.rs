//! Workflows: list, create, get, update, delete.

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
use workflow_core::id::WorkflowName;
use workflow_core::registry;
use workflow_core::store::WorkflowSnapshot;
use workflow_files::WorkflowFile;
use workflow_store::{MetadataChange, StoredWorkflow, WorkflowChange, WorkflowSource};

use super::WORKFLOW_PARAMETER;
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

/// The number of recent runs in the document of a workflow.
const RECENT: usize = 20;

/// Lists registered and stored workflows.
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

/// Returns the full document of a workflow.
pub(super) async fn document(
    app: &Arc<App>,
    caller: &Caller,
    mut workflow: StoredWorkflow,
) -> Result<WorkflowDocument, Problem> {
    workflow.recent = caller.catalog(app).recent(&[workflow.id], RECENT).await?;
    let editable =
        caller.may_write() && (caller.is_staff || workflow.source != WorkflowSource::Registered);
    let at = app.clone();
    app.parsing.run(move || WorkflowDocument::new(workflow, editable, &at.schedules)).await
}

/// Returns a workflow.
#[utoipa::path(get, path = "/workflows/{workflow}", tag = "workflows",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER)),
    responses((status = 200, body = WorkflowDocument), Problems))]
async fn get(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
) -> Result<Json<WorkflowDocument>, Problem> {
    let workflow = caller.catalog(&app).workflow(&which).await?;
    Ok(Json(document(&app, &caller, workflow).await?))
}

/// Changes of a workflow. Omitted fields do not change.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"project": "new-department", "merge_metadata": {"owner": "new-team"}}))]
struct WorkflowPatch {
    /// New name. The slug does not change.
    name: Option<String>,
    /// New slug. It is converted to lower case with dashes; a number is appended if it is taken.
    slug: Option<String>,
    /// New description; empty to remove it.
    description: Option<String>,
    /// New project; empty to remove it.
    project: Option<String>,
    /// ID of its project in the original application; 0 for none.
    #[schema(minimum = 0)]
    project_id: Option<i32>,
    /// Name of its project in the original application.
    project_name: Option<String>,
    /// Name of the original application; empty to remove it.
    app_name: Option<String>,
    /// New domain (business area); empty to remove it.
    domain: Option<String>,
    /// New version number. Default: incremented if the file changes.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    version: Option<i32>,
    /// Replaces the metadata: an object, or null to remove it.
    #[schema(value_type = Option<Object>)]
    #[serde(default, deserialize_with = "present")]
    metadata: Option<Value>,
    /// Merges into the metadata (RFC 7396): adds and replaces keys, removes keys that are null.
    #[schema(value_type = Option<Object>)]
    merge_metadata: Option<Map<String, Value>>,
    /// New owner; empty to remove the owner. Requires staff.
    user: Option<String>,
    /// Whether the workflow is active. Inactive workflows cannot be run.
    is_active: Option<bool>,
    /// New graph, as nodes and edges.
    #[schema(value_type = Option<Object>)]
    dag_spec: Option<Map<String, Value>>,
    /// IDs of the molecules that it uses.
    molecules_used: Option<Vec<String>>,
    /// Atoms of each molecule.
    #[schema(value_type = Option<Object>)]
    atoms_in_molecules: Option<Map<String, Value>>,
    /// New workflow file, as text, which becomes the next version. It sets all fields that it
    /// contains, including the schedule, unless they are also given here. It sets the name if the
    /// previous file did. Existing runs and their retries keep their file.
    yaml: Option<String>,
    /// ID; cannot be changed.
    id: Option<i64>,
    /// Creation time; cannot be changed.
    created_at: Option<String>,
    /// Ignored: the server counts it.
    #[expect(dead_code, reason = "accepted and ignored")]
    execution_count: Option<u64>,
    /// Ignored: the server counts it.
    #[expect(dead_code, reason = "accepted and ignored")]
    last_executed_at: Option<String>,
    /// Ignored: the server sets it.
    #[expect(dead_code, reason = "accepted and ignored")]
    updated_at: Option<String>,
}

impl WorkflowPatch {
    /// Returns the given fields that must not change.
    fn fixed(&self) -> Vec<(&'static str, Value)> {
        let fields = [
            ("id", self.id.map(Value::from)),
            ("created_at", self.created_at.clone().map(Value::from)),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Checks that the fields which must not change are unchanged.
fn check_fixed(fixed: &[(&str, Value)], workflow: &Workflow) -> Result<(), Problem> {
    let current = serde_json::to_value(workflow).map_err(Problem::internal)?;
    match fixed.iter().find(|(field, value)| current[*field] != *value) {
        Some((field, _)) => {
            let message = format!("cannot be changed; omit it, or send {}", current[*field]);
            Err(Problem::invalid(*field, message))
        }
        None => Ok(()),
    }
}

/// Deserializes null as `Some`, so that it differs from an omitted field.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// Updates a workflow.
///
/// Fields that only the server sets may be sent back unchanged.
#[utoipa::path(patch, path = "/workflows/{workflow}", tag = "workflows",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER)),
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
    // By ID from here on: another workflow may get the name.
    let which = old.as_ref().map_or(which, |old| old.id.to_string());
    let has_fixed = !fixed.is_empty();
    let change = app.parsing.run(move || change_of(&at, patch, old)).await??;
    if change == WorkflowChange::default() && !has_fixed {
        return Err(Problem::invalid("body", "has no change; send the fields to change"));
    }
    let workflow = catalog.update_workflow(&which, change).await?;
    app.schedules.workflow_changed();
    Ok(Json(document(&app, &caller, workflow).await?))
}

/// Converts a patch. `old` is required if the patch has a file.
fn change_of(
    app: &App,
    patch: WorkflowPatch,
    old: Option<StoredWorkflow>,
) -> Result<WorkflowChange, Problem> {
    if patch.project_id.is_some_and(|id| id < 0) {
        return Err(Problem::invalid("project_id", "must be at least 0"));
    }
    let metadata = match (patch.metadata, patch.merge_metadata) {
        (Some(_), Some(_)) => {
            let message = "cannot be combined with `metadata`";
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

/// The result of a deletion.
#[derive(Debug, Serialize, ToSchema)]
struct Deleted {
    /// Number of runs deleted with the workflow.
    deleted_runs: u64,
}

/// Deletes a workflow and all of its runs. One that this program registers can only be deactivated.
#[utoipa::path(delete, path = "/workflows/{workflow}", tag = "workflows",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER)),
    responses((status = 200, body = Deleted), Problems))]
async fn delete(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Write>,
    Path(which): Path<String>,
) -> Result<Json<Deleted>, Problem> {
    let catalog = caller.catalog(&app);
    let workflow = catalog.workflow(&which).await?;
    if workflow.source == WorkflowSource::Registered && registry::get(&workflow.name).is_ok() {
        let detail = "this program registers the workflow; deactivate it, or delete its old runs \
                      with `POST /retention`";
        return Err(Problem::conflict("registered", detail));
    }
    let deleted_runs = catalog.delete_workflow(&which).await?;
    Ok(Json(Deleted { deleted_runs }))
}

/// Responds with a created workflow and its location.
fn created(location: &str, document: WorkflowDocument) -> Response {
    let mut response = (StatusCode::CREATED, Json(document)).into_response();
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
