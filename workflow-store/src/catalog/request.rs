//! Changes to workflows.

use serde_json::{Map, Value as Json};
use workflow_core::id::normalize_name;
use workflow_core::store::WorkflowSnapshot;

use super::{MetadataChange, StoredWorkflow};
use crate::workflows::NewWorkflow;

/// Changes to a workflow; `None` leaves a field unchanged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WorkflowChange {
    /// The new name. The slug does not change.
    pub name: Option<String>,
    /// The text to make a new slug from.
    pub slug: Option<String>,
    /// The number of the project in the application that it comes from; 0 for none.
    pub project_id: Option<i32>,
    /// The name of the project in that application.
    pub project_name: Option<String>,
    /// The application that it comes from; empty for none.
    pub app_name: Option<String>,
    /// The version, from 1. Default: the next one if the definition changes.
    pub version: Option<i32>,
    /// The description; empty for none.
    pub description: Option<String>,
    /// The project; empty for none.
    pub project: Option<String>,
    /// The business area; empty for none.
    pub domain: Option<String>,
    /// The change of the metadata.
    pub metadata: Option<MetadataChange>,
    /// The new owner, who is added without an account if unknown; empty for none. Needs all
    /// permissions.
    pub user: Option<String>,
    /// Whether the workflow is active.
    pub active: Option<bool>,
    /// The drawing: nodes, edges and positions.
    pub dag_spec: Option<Json>,
    /// The molecules.
    pub molecules_used: Option<Vec<String>>,
    /// The atoms.
    pub atoms_in_molecules: Option<Map<String, Json>>,
    /// The definition. A different one increases the version.
    pub definition: Option<Json>,
}

impl WorkflowChange {
    /// Replaces the file of a workflow: all fields that come from a file are taken from the new
    /// one, including the schedule in its metadata. The name changes only if the current one comes
    /// from the old file.
    pub fn replacing(old: &StoredWorkflow, given: Option<&str>, file: &WorkflowSnapshot) -> Self {
        let follows = given.is_some_and(|given| normalize_name(given) == normalize_name(&old.name));
        let new = NewWorkflow::of(file);
        Self {
            name: follows.then(|| new.name.clone()),
            // A file does not contain a drawing.
            molecules_used: None,
            atoms_in_molecules: None,
            ..Self::from(new)
        }
    }
}

/// Converts a new workflow to a change of an existing one, without its name and owner.
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
