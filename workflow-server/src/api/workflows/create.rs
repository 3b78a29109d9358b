//! A workflow is created: from what a program says of it, or from a workflow file.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;
use workflow_core::{Metadata, Workflow as _};
use workflow_files::WorkflowFile;
use workflow_store::NewWorkflow;

use super::super::problems::Problems;
use super::{WorkflowDocument, created, document};
use crate::app::App;
use crate::http::extract::{body, content_type, read};
use crate::http::require::{Require, Write};
use crate::problem::Problem;

/// A workflow that is to be created. With `yaml` or `definition` this server can run it; without,
/// it is kept for a program that reports on its runs.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "project_id": 123,
    "project_name": "Sales Dashboard",
    "name": "Q4 Sales Analysis",
    "slug": "q4-sales-analysis",
    "app_name": "Trinity Analytics",
    "molecules_used": ["data-loader"],
    "atoms_in_molecules": { "data-loader": ["csv-reader", "excel-reader"] },
    "dag_spec": { "nodes": [{ "id": "load" }], "edges": [] }
}))]
pub(super) struct WorkflowDraft {
    /// Its name, 1 to 200 printable characters. Default: the file's.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Its name as it stands in addresses. Default: made from the name.
    slug: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// The organisational group that it belongs to.
    project: Option<String>,
    /// The number of its project in the application that it comes from.
    #[schema(minimum = 0)]
    project_id: Option<i32>,
    /// The name of its project in the application that it comes from.
    project_name: Option<String>,
    /// The application that it comes from.
    app_name: Option<String>,
    /// The business area that it belongs to.
    domain: Option<String>,
    /// What is said about it: an object, or a text that holds one.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Json>,
    /// The ids of the molecules that it uses.
    #[serde(default)]
    molecules_used: Vec<String>,
    /// The atoms of each molecule.
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    atoms_in_molecules: Map<String, Json>,
    /// Its graph, as nodes and edges, with positions and whatever else.
    #[schema(value_type = Option<Object>)]
    dag_spec: Option<Map<String, Json>>,
    /// A workflow file, as JSON.
    #[schema(value_type = Option<Object>)]
    definition: Option<Map<String, Json>>,
    /// A workflow file, as text.
    yaml: Option<String>,
}

/// Creates a workflow.
#[utoipa::path(post, path = "/workflows", tag = "workflows",
    request_body(content(
        (WorkflowDraft = "application/json"),
        (String = "application/yaml", example = "name: hello\njobs:\n  - name: greet\n    job: greet\n"),
    )),
    responses((status = 201, body = WorkflowDocument, headers(("location" = String))), Problems))]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Write>,
    request: Request,
) -> Result<Response, Problem> {
    let kind = content_type(request.headers()).unwrap_or_else(|| "application/json".to_owned());
    let bytes = read(request, &app).await?;
    let draft = match kind.as_str() {
        "application/json" => body(&bytes)?,
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" | "text/plain" => {
            let text = String::from_utf8(bytes.into())
                .map_err(|_| Problem::invalid("body", "is no UTF-8"))?;
            WorkflowDraft { yaml: Some(text), ..WorkflowDraft::default() }
        }
        other => {
            let detail = format!("`{other}` is neither application/json nor application/yaml");
            let status = axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "media_type", detail));
        }
    };
    let (at, user) = (app.clone(), caller.user.clone());
    let new = app.parsing.run(move || draft.into_new(&at, user)).await??;
    let workflow = caller.catalog(&app).create_workflow(new).await?;
    let location = format!("workflows/{}", workflow.id);
    Ok(created(&location, document(&app, &caller, workflow).await?))
}

impl WorkflowDraft {
    fn into_new(self, app: &App, user: Option<String>) -> Result<NewWorkflow, Problem> {
        let text = match (&self.yaml, &self.definition) {
            (Some(_), Some(_)) => {
                let message = "is the same as `yaml` in another form; give one of them";
                return Err(Problem::invalid("definition", message));
            }
            (Some(text), None) => Some(text.clone()),
            (None, Some(definition)) => Some(Json::Object(definition.clone()).to_string()),
            (None, None) => None,
        };
        let file = text.map(|text| read_file(app, &text)).transpose()?;
        let said = file.as_ref().map(|file| file.metadata());
        let name = self.name.or_else(|| file.as_ref().map(|file| file.name().to_string()));
        let name = name.ok_or_else(|| Problem::invalid("name", "is missing"))?;
        let metadata = match (self.metadata, said) {
            (Some(metadata), _) => Metadata::new(metadata)
                .map_err(|error| Problem::invalid("metadata", error.to_string()))?,
            (None, Some(said)) => without_fields(said)?,
            (None, None) => Metadata::default(),
        };
        let graph = file.as_ref().map(|file| file.graph().to_json());
        let said = |field: fn(&Metadata) -> Option<&str>| said.and_then(field).map(str::to_owned);
        Ok(NewWorkflow {
            slug: self.slug,
            description: self.description.or_else(|| said(Metadata::description)),
            project: self.project.or_else(|| said(Metadata::project)),
            project_id: self.project_id.unwrap_or_default(),
            project_name: self.project_name,
            app_name: self.app_name,
            domain: self.domain.or_else(|| said(Metadata::domain)),
            metadata,
            molecules_used: self.molecules_used,
            atoms_in_molecules: self.atoms_in_molecules,
            dag_spec: self.dag_spec.map(Json::Object).or(graph).unwrap_or_default(),
            definition: file.as_ref().and_then(definition),
            user,
            ..NewWorkflow::new(name)
        })
    }
}

/// Reads a workflow file that came over the API.
pub(super) fn read_file(app: &App, text: &str) -> Result<WorkflowFile, Problem> {
    let file = WorkflowFile::parse("workflow.yaml", text).map_err(|wrong| Problem::from(&wrong))?;
    app.check_commands(&file)?;
    let folder = std::path::absolute(&app.options.folder).map_err(Problem::internal)?;
    Ok(file.runs_dir(folder.join(".workflow/runs")).folder(folder))
}

/// What the store keeps of a file.
pub(super) fn definition(file: &WorkflowFile) -> Option<Json> {
    file.source().map(|source| (*source).clone())
}

/// The metadata without what has a field of its own.
fn without_fields(metadata: &Metadata) -> Result<Metadata, Problem> {
    let mut object = metadata.as_object().clone();
    for field in ["description", "project", "domain"] {
        object.remove(field);
    }
    Metadata::new(Json::Object(object))
        .map_err(|error| Problem::invalid("metadata", error.to_string()))
}
