//! Changes of metadata.

use serde_json::{Map, Value as Json};
use workflow_core::definition::Metadata;

use super::{CatalogError, StoredWorkflow, WorkflowChange};

/// A change of metadata.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataChange {
    /// Replaces the metadata by this object.
    Replace(Json),
    /// Applies an RFC 7396 merge patch: `null` removes a key, or everything if it replaces the
    /// whole object.
    Merge(Json),
}

impl MetadataChange {
    fn apply(&self, to: &Metadata) -> Result<Metadata, CatalogError> {
        let json = match self {
            Self::Replace(Json::Null) | Self::Merge(Json::Null) => Json::Object(Map::new()),
            Self::Replace(json) => json.clone(),
            Self::Merge(patch) => {
                // Checked first: a patch that is not an object would replace everything.
                let patch = Metadata::new(without_nulls(patch)).map(|_| patch)?;
                let mut json = Json::Object(to.as_object().clone());
                merge_patch(&mut json, patch);
                json
            }
        };
        Ok(Metadata::new(json)?)
    }
}

fn without_nulls(json: &Json) -> Json {
    match json {
        Json::Object(object) => {
            let kept = object.iter().filter(|(_, value)| !value.is_null());
            Json::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        other => other.clone(),
    }
}

/// Applies an RFC 7396 merge patch to JSON.
///
/// ```
/// use serde_json::json;
/// use workflow_store::merge_patch;
///
/// let mut json = json!({ "stage": "test", "owner": "web" });
/// merge_patch(&mut json, &json!({ "stage": "production", "owner": null }));
/// assert_eq!(json, json!({ "stage": "production" }));
/// ```
pub fn merge_patch(target: &mut Json, patch: &Json) {
    let Json::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = Json::Object(Map::new());
    }
    let Json::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge_patch(target.entry(key.as_str()).or_insert(Json::Null), value);
        }
    }
}

/// The metadata after a change, which also determines the project and similar fields.
pub(crate) fn after(
    old: &StoredWorkflow,
    change: &WorkflowChange,
) -> Result<Metadata, CatalogError> {
    let metadata = match &change.metadata {
        Some(change) => change.apply(&old.metadata)?,
        None => old.metadata.clone(),
    };
    let mut object = metadata.as_object().clone();
    let given = [
        ("description", &change.description),
        ("project", &change.project),
        ("domain", &change.domain),
    ];
    for (key, given) in given {
        if let (Some(given), Some(said)) = (given, object.get_mut(key)) {
            *said = given.as_str().into();
        }
    }
    Ok(Metadata::new(Json::Object(object))?)
}
