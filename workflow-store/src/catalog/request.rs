//! What is asked of a catalog: workflows to add, changes to make.

use serde_json::{Map, Value as Json};
use workflow_core::{Metadata, WorkflowSnapshot, normalize_name};

use super::{MetadataChange, StoredWorkflow};

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

/// What is to become of a workflow; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WorkflowChange {
    /// Another name; the slug stays.
    pub name: Option<String>,
    /// The text that another slug is made from, as when a workflow is added.
    pub slug: Option<String>,
    /// The number of another project in the application that it comes from; 0 for none.
    pub project_id: Option<i32>,
    /// Another name of the project there.
    pub project_name: Option<String>,
    /// Another application that it comes from; an empty one is none.
    pub app_name: Option<String>,
    /// Another version, from 1. Default: one more where the definition changes.
    pub version: Option<i32>,
    /// Another description; an empty one is none.
    pub description: Option<String>,
    /// Another project; an empty one is none.
    pub project: Option<String>,
    /// Another business area; an empty one is none.
    pub domain: Option<String>,
    /// Other metadata.
    pub metadata: Option<MetadataChange>,
    /// Another owner, who is added without an account when unknown; an empty name makes it
    /// nobody's. Only whoever may do everything gives workflows away.
    pub user: Option<String>,
    /// Whether it is in use.
    pub active: Option<bool>,
    /// Another drawing.
    pub dag_spec: Option<Json>,
    /// Other molecules.
    pub molecules_used: Option<Vec<String>>,
    /// Other atoms.
    pub atoms_in_molecules: Option<Map<String, Json>>,
    /// Another definition; the version counts up when it is another.
    pub definition: Option<Json>,
}

impl WorkflowChange {
    /// Replaces the file of a workflow: everything that a file says follows the new one, the
    /// schedule in its metadata as well. The name does where the old file gave it, which is told by
    /// the name that the old file gives.
    pub fn replacing(old: &StoredWorkflow, given: Option<&str>, file: &WorkflowSnapshot) -> Self {
        let follows = given.is_some_and(|given| normalize_name(given) == normalize_name(&old.name));
        let new = NewWorkflow::of(file);
        Self {
            name: follows.then(|| new.name.clone()),
            // A file says nothing of what is drawn.
            molecules_used: None,
            atoms_in_molecules: None,
            ..Self::from(new)
        }
    }
}

/// Everything that is said of a new workflow, as a change of one that is there; but for its name
/// and its owner.
impl From<NewWorkflow> for WorkflowChange {
    fn from(new: NewWorkflow) -> Self {
        Self {
            description: Some(new.description.unwrap_or_default()),
            project: Some(new.project.unwrap_or_default()),
            domain: Some(new.domain.unwrap_or_default()),
            metadata: Some(MetadataChange::Replace(Json::Object(new.metadata.as_object().clone()))),
            dag_spec: Some(new.dag_spec),
            molecules_used: Some(new.molecules_used),
            atoms_in_molecules: Some(new.atoms_in_molecules),
            definition: new.definition,
            ..Self::default()
        }
    }
}
