//! Changes to make to workflows.

use serde_json::{Map, Value as Json};
use workflow_core::{WorkflowSnapshot, normalize_name};

use super::{MetadataChange, StoredWorkflow};
use crate::workflows::NewWorkflow;

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
