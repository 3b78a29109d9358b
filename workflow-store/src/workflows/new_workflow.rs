//! New workflows.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use workflow_core::definition::Metadata;
use workflow_core::store::WorkflowSnapshot;

/// A workflow to add.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NewWorkflow {
    /// The name.
    pub name: String,
    /// The text to make its slug from. Default: the name.
    pub slug: Option<String>,
    /// The description. Default: that of the metadata.
    pub description: Option<String>,
    /// The project. Default: that of the metadata.
    pub project: Option<String>,
    /// The number of the project in the application that it comes from; 0 for none.
    pub project_id: i32,
    /// The name of the project in that application. Default: `project`.
    pub project_name: Option<String>,
    /// The application that it comes from.
    pub app_name: Option<String>,
    /// The business area. Default: that of the metadata.
    pub domain: Option<String>,
    /// The metadata.
    pub metadata: Metadata,
    /// The molecules on its canvas.
    pub molecules_used: Vec<String>,
    /// The atoms of each molecule.
    pub atoms_in_molecules: Map<String, Json>,
    /// The drawing: nodes, edges, positions and so on.
    pub dag_spec: Json,
    /// The definition, as data.
    pub definition: Option<Json>,
    /// The owner.
    pub user: Option<String>,
}

impl NewWorkflow {
    /// Creates a workflow with only a name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), dag_spec: Json::Object(Map::new()), ..Self::default() }
    }

    /// The workflow that a program or a file defines. Metadata of a file does not repeat separate
    /// fields.
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

/// The metadata without entries that are separate fields.
fn without_fields(metadata: &Metadata) -> Metadata {
    let mut object = metadata.as_object().clone();
    for field in ["description", "project", "domain"] {
        object.remove(field);
    }
    // A part of valid metadata is valid.
    Metadata::new(Json::Object(object)).unwrap_or_default()
}

/// The source of a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WorkflowSource {
    /// Code of a program that registered or ran it.
    #[serde(rename = "registered")]
    Registered,
    /// Data in the store.
    #[serde(rename = "stored")]
    Stored,
}

impl WorkflowSource {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Stored => "stored",
        }
    }
}
