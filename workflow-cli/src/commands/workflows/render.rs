//! Stored workflows as tables and as JSON.

use comfy_table::Table;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use workflow_core::definition::Metadata;
use workflow_core::event::format_time;
use workflow_store::StoredWorkflow;

use crate::args::ListFormat;
use crate::failure::Failure;
use crate::output::{self, HEADING, count, or_dash, styled};
use crate::render::time;

/// A workflow as a JSON object, with the keys that torc also has first.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    id: i64,
    name: &'a str,
    project: Option<&'a str>,
    metadata: &'a Metadata,
    description: Option<&'a str>,
    user: Option<&'a str>,
    timestamp: String,
    #[serde(flatten)]
    more: Map<String, Json>,
}

impl<'a> From<&'a StoredWorkflow> for Document<'a> {
    fn from(workflow: &'a StoredWorkflow) -> Self {
        let mut more = match json!(workflow) {
            Json::Object(object) => object,
            _ => Map::new(),
        };
        for key in ["id", "name", "project", "metadata", "description", "user"] {
            more.remove(key);
        }
        Self {
            id: workflow.id,
            name: &workflow.name,
            project: workflow.project.as_deref(),
            metadata: &workflow.metadata,
            description: workflow.description.as_deref(),
            user: workflow.user.as_deref(),
            timestamp: format_time(workflow.created_at),
            more,
        }
    }
}

/// Writes one workflow.
///
/// # Errors
///
/// Fails when writing fails.
pub(super) fn write(workflow: &StoredWorkflow, format: ListFormat) -> Result<(), Failure> {
    if format == ListFormat::Json {
        return output::print_json(&Document::from(workflow));
    }
    output::print(|out| {
        writeln!(out, "{}", styled(HEADING, &workflow.name))?;
        output::write_table(out, details(workflow))
    })
}

/// All details, one row each.
fn details(workflow: &StoredWorkflow) -> Table {
    let metadata = match workflow.metadata.as_object() {
        object if object.is_empty() => None,
        object => serde_json::to_string_pretty(object).ok(),
    };
    let text = |text: &Option<String>| text.clone();
    let tags = (!workflow.tags.is_empty()).then(|| workflow.tags.join(", "));
    let jobs = workflow.dag_spec["nodes"].as_array().map(|jobs| count(jobs.len(), "job"));
    let ran = workflow.last_executed_at.map(|at| format!("last at {}", time(Some(at))));
    let runs = count(workflow.execution_count, "run");
    let rows = [
        ("id", Some(workflow.id.to_string())),
        ("slug", Some(workflow.slug.clone())),
        ("description", text(&workflow.description)),
        ("project", text(&workflow.project)),
        ("domain", text(&workflow.domain)),
        ("application", text(&workflow.app_name)),
        ("tags", tags),
        ("user", text(&workflow.user)),
        ("graph", jobs),
        ("runs", Some([Some(runs), ran].into_iter().flatten().collect::<Vec<_>>().join(", "))),
        ("state", Some(if workflow.is_active { "active" } else { "inactive" }.to_owned())),
        ("created", Some(time(Some(workflow.created_at)))),
        ("updated", Some(time(Some(workflow.updated_at)))),
        ("metadata", metadata),
    ];
    let mut table = output::table();
    for (what, text) in rows {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            table.add_row([format!("  {what}"), text]);
        }
    }
    table
}

/// One row per workflow.
pub(super) fn table(workflows: &[StoredWorkflow]) -> Table {
    let mut table = output::table();
    table.set_header(["ID", "NAME", "PROJECT", "USER", "RUNS", "LAST RUN", "METADATA"]);
    for workflow in workflows {
        let name = match workflow.is_active {
            true => workflow.name.clone(),
            false => format!("{} (inactive)", workflow.name),
        };
        let metadata = workflow.metadata.as_object();
        let metadata =
            if metadata.is_empty() { String::new() } else { json!(metadata).to_string() };
        let or_dash = |text: &Option<String>| text.as_deref().map_or("-", or_dash).to_owned();
        table.add_row([
            workflow.id.to_string(),
            name,
            or_dash(&workflow.project),
            or_dash(&workflow.user),
            workflow.execution_count.to_string(),
            time(workflow.last_executed_at),
            output::or_dash(&metadata).to_owned(),
        ]);
    }
    table
}
