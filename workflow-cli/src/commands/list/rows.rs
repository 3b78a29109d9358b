//! Registered workflows and jobs as table rows and as JSON objects.

use std::collections::BTreeMap;

use comfy_table::Table;
use serde::Serialize;
use serde_json::Value as Json;
use workflow_core::definition::Metadata;
use workflow_core::registry::{self, Entry, JobEntry};
use workflow_core::store::queue_of;
use workflow_core::value::Type;

use super::policies::{self, JobPolicy, Policy};
use crate::output::{self, or_dash};

/// A registered workflow.
#[derive(Serialize)]
#[serde(tag = "kind", rename = "workflow")]
pub(super) struct WorkflowRow {
    name: String,
    description: Option<String>,
    domain: Option<String>,
    project: Option<String>,
    owner: Option<String>,
    tags: Vec<String>,
    schedule: Option<String>,
    version: Option<String>,
    input: Option<String>,
    output: Option<String>,
    input_schema: Option<Json>,
    task_queue: String,
    /// The retries and timeouts of its jobs; an error if its graph cannot be drawn without an input.
    #[serde(serialize_with = "policies::serialize")]
    policies: Result<Vec<JobPolicy>, String>,
    location: String,
    metadata: Metadata,
    /// Where the metadata is set that the configuration has changed, by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata_origins: BTreeMap<String, String>,
}

impl From<&Entry> for WorkflowRow {
    fn from(entry: &Entry) -> Self {
        let (workflow, metadata) = (entry.workflow(), entry.metadata());
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let named = |kind: Option<Type>| kind.map(|kind| kind.to_string());
        Self {
            name: entry.name().to_owned(),
            description: owned(entry.description()),
            domain: owned(entry.domain()),
            project: owned(entry.project()),
            owner: owned(metadata.owner()),
            tags: metadata.tags().map(str::to_owned).collect(),
            schedule: owned(entry.schedule()),
            version: owned(entry.version()),
            input: named(workflow.input()),
            output: named(workflow.output()),
            input_schema: entry.input_schema(),
            task_queue: queue_of(registry::engine().queue_prefix(), entry.domain()),
            policies: policies::of(&*workflow),
            location: place(&entry.location()),
            metadata: metadata.clone(),
            metadata_origins: workflow_config::metadata_origins(entry.name())
                .into_iter()
                .map(|(key, origin)| (key, origin.to_string()))
                .collect(),
        }
    }
}

/// A registered job.
#[derive(Serialize)]
#[serde(tag = "kind", rename = "job")]
pub(super) struct JobRow {
    name: String,
    description: Option<&'static str>,
    domain: Option<&'static str>,
    /// Whether all domains share it.
    shared: bool,
    /// `None` if the job takes any number of values.
    inputs: Option<Vec<JobInput>>,
    output: String,
    #[serde(flatten)]
    policy: Policy,
    module: &'static str,
    location: String,
}

#[derive(Serialize)]
struct JobInput {
    name: &'static str,
    r#type: String,
}

impl From<&'static JobEntry> for JobRow {
    fn from(entry: &'static JobEntry) -> Self {
        let input =
            |(name, kind): (&'static str, Type)| JobInput { name, r#type: kind.to_string() };
        Self {
            name: entry.name.to_owned(),
            description: entry.description,
            domain: entry.domain,
            shared: entry.domain.is_none(),
            inputs: entry.inputs.map(|inputs| inputs().into_iter().map(input).collect()),
            output: (entry.output)().to_string(),
            policy: Policy::of_job((entry.options)()),
            module: entry.module,
            location: place(&entry.location),
        }
    }
}

impl JobRow {
    fn inputs(&self) -> String {
        let Some(inputs) = &self.inputs else { return "any number".to_owned() };
        let inputs = inputs.iter().map(|input| format!("{}: {}", input.name, input.r#type));
        inputs.collect::<Vec<_>>().join(", ")
    }
}

/// A source location in the form that editors understand.
fn place(location: &workflow_core::registry::Location) -> String {
    format!("{}:{}", location.file, location.line)
}

/// A table with an optional title.
pub(super) struct Section {
    pub(super) title: Option<String>,
    pub(super) table: Table,
}

/// One row per workflow.
pub(super) fn workflows(rows: &[WorkflowRow]) -> Section {
    let mut table = titled(&["workflow", "domain", "project", "tags", "description"]);
    for row in rows {
        let tags = row.tags.join(", ");
        let [domain, project, description] = [&row.domain, &row.project, &row.description]
            .map(|text| text.as_deref().unwrap_or("-"));
        table.add_row([&row.name, domain, project, or_dash(&tags), description]);
    }
    Section { title: None, table }
}

/// One row per job.
pub(super) fn jobs(rows: &[JobRow]) -> Section {
    let mut table = titled(&["job", "domain", "inputs", "output"]);
    for row in rows {
        let domain = row.domain.unwrap_or(SHARED);
        table.add_row([&row.name, domain, or_dash(&row.inputs()), &row.output]);
    }
    Section { title: None, table }
}

fn titled(titles: &[&str]) -> Table {
    let mut table = output::table();
    table.set_header(titles.iter().map(|title| title.to_uppercase()));
    table
}

impl WorkflowRow {
    /// All details, one row each.
    pub(super) fn details(&self) -> Section {
        let schema = self.input_schema.as_ref().map(|schema| format!("{schema:#}"));
        let tags = (!self.tags.is_empty()).then(|| self.tags.join(", "));
        let policies = policies::text(&self.name, &self.policies);
        let origins = self.metadata_origins.iter();
        let origins: Vec<_> = origins.map(|(key, origin)| format!("{key}: {origin}")).collect();
        let origins = (!origins.is_empty()).then(|| origins.join("\n"));
        details(
            &self.name,
            [
                ("title", self.metadata.get("title").and_then(Json::as_str)),
                ("description", self.description.as_deref()),
                ("domain", self.domain.as_deref()),
                ("project", self.project.as_deref()),
                ("owner", self.owner.as_deref()),
                ("tags", tags.as_deref()),
                ("schedule", self.schedule.as_deref()),
                ("version", self.version.as_deref()),
                ("input", self.input.as_deref()),
                ("input schema", schema.as_deref()),
                ("output", self.output.as_deref()),
                ("task queue", Some(&self.task_queue)),
                ("policies", policies.as_deref()),
                ("location", Some(&self.location)),
                ("configured by", origins.as_deref()),
            ],
        )
    }
}

impl JobRow {
    /// All details, one row each.
    pub(super) fn details(&self) -> Section {
        details(
            &self.name,
            [
                ("description", self.description),
                ("domain", Some(self.domain.unwrap_or(SHARED))),
                ("inputs", Some(or_dash(&self.inputs()))),
                ("output", Some(&self.output)),
                ("retry", self.policy.retry.as_deref()),
                ("timeouts", self.policy.timeouts.as_deref()),
                ("task queue", self.policy.task_queue.as_deref()),
                ("module", Some(self.module)),
                ("location", Some(&self.location)),
            ],
        )
    }
}

/// The domain of jobs without one.
const SHARED: &str = "shared";

/// A name as the title, and its details as rows.
fn details<'a>(name: &str, rows: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Section {
    let mut table = output::table();
    for (what, text) in rows {
        if let Some(text) = text {
            table.add_row([format!("  {what}"), text.to_owned()]);
        }
    }
    Section { title: Some(name.to_owned()), table }
}
