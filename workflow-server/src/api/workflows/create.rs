//! Creates a workflow from a workflow file, or from the description of an external program.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;
use workflow_core::definition::Metadata;
use workflow_core::store::WorkflowSnapshot;
use workflow_files::WorkflowFile;
use workflow_store::NewWorkflow;

use super::super::problems::Problems;
use super::{WorkflowDocument, created, document};
use crate::app::App;
use crate::http::extract::{content_type, read, stored_body};
use crate::http::require::{Require, Write};
use crate::problem::Problem;

/// A new workflow. With `yaml` or `definition`, this server can run it. Without, an external
/// program runs it and reports the progress.
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
    /// Name, 1 to 200 printable characters. Default: the name in the file.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Name for URLs. Default: derived from the name.
    slug: Option<String>,
    /// Description.
    description: Option<String>,
    /// Project (organisational group).
    project: Option<String>,
    /// ID of its project in the original application.
    #[schema(minimum = 0)]
    project_id: Option<i32>,
    /// Name of its project in the original application.
    project_name: Option<String>,
    /// Name of the original application.
    app_name: Option<String>,
    /// Domain (business area).
    domain: Option<String>,
    /// Metadata: an object, or text with a JSON object.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Json>,
    /// IDs of the molecules that it uses.
    #[serde(default)]
    molecules_used: Vec<String>,
    /// Atoms of each molecule.
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    atoms_in_molecules: Map<String, Json>,
    /// Graph, as nodes and edges; other properties are preserved.
    #[schema(value_type = Option<Object>)]
    dag_spec: Option<Map<String, Json>>,
    /// Workflow file as JSON.
    #[schema(value_type = Option<Object>)]
    definition: Option<Map<String, Json>>,
    /// Workflow file as text.
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
        "application/json" => stored_body(&bytes)?,
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" | "text/plain" => {
            let text = String::from_utf8(bytes.into())
                .map_err(|_| Problem::invalid("body", "must be valid UTF-8"))?;
            WorkflowDraft { yaml: Some(text), ..WorkflowDraft::default() }
        }
        other => {
            let detail = format!(
                "unsupported content type `{other}`; send application/json or application/yaml"
            );
            let status = axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "media_type", detail));
        }
    };
    let (at, user) = (app.clone(), caller.user.clone());
    let new = app.parsing.run(move || draft.into_new(&at, user)).await??;
    let workflow = caller.catalog(&app).create_workflow(new).await?;
    app.schedules.workflow_changed();
    let location = format!("workflows/{}", workflow.id);
    Ok(created(&location, document(&app, &caller, workflow).await?))
}

impl WorkflowDraft {
    fn into_new(self, app: &App, user: Option<String>) -> Result<NewWorkflow, Problem> {
        let text = match (&self.yaml, &self.definition) {
            (Some(_), Some(_)) => {
                let message = "cannot be combined with `yaml`";
                return Err(Problem::invalid("definition", message));
            }
            (Some(text), None) => Some(text.clone()),
            (None, Some(definition)) => Some(Json::Object(definition.clone()).to_string()),
            (None, None) => None,
        };
        let file = text.map(|text| read_file(app, &text)).transpose()?;
        let of_file = file.map(|file| NewWorkflow::of(&WorkflowSnapshot::of(&file)));
        let name = self.name.or_else(|| of_file.as_ref().map(|file| file.name.clone()));
        let name = name.ok_or_else(|| Problem::invalid("name", "required"))?;
        let of_file = of_file.unwrap_or_default();
        let metadata = match self.metadata {
            Some(metadata) => Metadata::new(metadata)
                .map_err(|error| Problem::invalid("metadata", error.to_string()))?,
            None => of_file.metadata,
        };
        Ok(NewWorkflow {
            name,
            slug: self.slug,
            description: self.description.or(of_file.description),
            project: self.project.or(of_file.project),
            project_id: self.project_id.unwrap_or_default(),
            project_name: self.project_name,
            app_name: self.app_name,
            domain: self.domain.or(of_file.domain),
            metadata,
            molecules_used: self.molecules_used,
            atoms_in_molecules: self.atoms_in_molecules,
            dag_spec: self.dag_spec.map_or(of_file.dag_spec, Json::Object),
            definition: of_file.definition,
            user,
        })
    }
}

/// Parses a workflow file that was sent to the API.
///
/// # Errors
///
/// Fails if it is invalid or expands to too many jobs, or if it has commands and this server does
/// not allow them.
pub(super) fn read_file(app: &App, text: &str) -> Result<WorkflowFile, Problem> {
    let file = WorkflowFile::parse_up_to(app.options.max_jobs, "workflow.yaml", text)
        .map_err(|wrong| Problem::from(&wrong))?;
    app.check_commands(&file)?;
    let folder = std::path::absolute(&app.options.folder).map_err(Problem::internal)?;
    Ok(file.runs_dir(folder.join(".workflow/runs")).folder(folder))
}
