//! A workflow that is to be added.

use serde::Serialize;
use serde_json::{Map, Value as Json};
use workflow_core::{Metadata, WorkflowSnapshot};

/// A workflow that is to be added.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewWorkflow {
    /// Its name.
    pub name: String,
    /// The text that its name in addresses is made from. Default: the name.
    pub slug: Option<String>,
    /// What it is for. Default: what the metadata says.
    pub description: Option<String>,
    /// The group that it belongs to. Default: what the metadata says.
    pub project: Option<String>,
    /// The number of the project in the application that it comes from; 0 for none.
    pub project_id: i32,
    /// The name of the project there. Default: `project`.
    pub project_name: Option<String>,
    /// That application.
    pub app_name: Option<String>,
    /// The business area. Default: what the metadata says.
    pub domain: Option<String>,
    /// What is said about it.
    pub metadata: Metadata,
    /// The molecules on its canvas.
    pub molecules_used: Vec<String>,
    /// The atoms of each molecule.
    pub atoms_in_molecules: Map<String, Json>,
    /// Nodes, edges, positions and what else a drawing needs.
    pub dag_spec: Json,
    /// The workflow itself, as data.
    pub definition: Option<Json>,
    /// Who makes it.
    pub user: Option<String>,
}

impl NewWorkflow {
    /// A workflow with a name and nothing else.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), dag_spec: Json::Object(Map::new()), ..Self::default() }
    }

    /// A workflow as a program or a file defines it. What has a field of its own is not repeated in
    /// the metadata of a file.
    pub fn of(snapshot: &WorkflowSnapshot) -> Self {
        let said = &snapshot.metadata;
        Self {
            description: said.description().map(str::to_owned),
            project: said.project().map(str::to_owned),
            domain: said.domain().map(str::to_owned),
            metadata: match snapshot.source {
                Some(_) => without_fields(said),
                None => said.clone(),
            },
            dag_spec: (*snapshot.graph).clone(),
            definition: snapshot.source.as_deref().cloned(),
            ..Self::new(&snapshot.name)
        }
    }
}

/// The metadata without what has a field of its own.
fn without_fields(metadata: &Metadata) -> Metadata {
    let mut object = metadata.as_object().clone();
    for field in ["description", "project", "domain"] {
        object.remove(field);
    }
    // What is left of metadata that are fit is fit.
    Metadata::new(Json::Object(object)).unwrap_or_default()
}

/// Where a workflow comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Source {
    /// It is code, or a file, of a program that ran it.
    #[serde(rename = "registered")]
    Registered,
    /// It was stored as data.
    #[serde(rename = "stored")]
    Stored,
}

impl Source {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Stored => "stored",
        }
    }
}
