//! Metadata of a workflow: a JSON object with some well-known keys.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};

use crate::flow_control::{FlowControl, FlowControlError};
use crate::json;

/// The metadata of a workflow: a JSON object.
///
/// The keys `description`, `owner`, `schedule`, `tags`, `project`, `domain` and `version` have
/// fixed types, and so have those of [flow control](crate::flow_control::KEYS); all other keys are
/// free.
///
/// A string that contains a JSON object is read as that object; it is always written as an object.
///
/// ```
/// use workflow_core::definition::Metadata;
///
/// let metadata: Metadata = r#"{ "owner": "web", "tags": ["demo"], "team": { "size": 3 } }"#.parse()?;
/// assert_eq!(metadata.owner(), Some("web"));
/// assert_eq!(metadata.tags().collect::<Vec<_>>(), ["demo"]);
/// assert_eq!(metadata.at("team.size"), Some(&3.into()));
/// # Ok::<(), workflow_core::definition::MetadataError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Metadata {
    object: Map<String, Json>,
    /// Read from the object. `None` if there is none.
    #[serde(skip)]
    flow_control: Option<Arc<FlowControl>>,
}

/// The reason why a string or JSON value is not valid metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The text is not valid JSON.
    #[error("metadata is not valid JSON: {0}")]
    Syntax(String),
    /// The JSON is not an object.
    #[error("metadata is {0}; it must be a JSON object such as {{ \"owner\": \"web\" }}")]
    NotAnObject(&'static str),
    /// A well-known key has a value of another type.
    #[error("metadata `{key}` is {found}; it must be {wanted}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// The type of its value.
        found: &'static str,
        /// The type that its value must have.
        wanted: &'static str,
    },
    /// The flow control is invalid.
    #[error("metadata {0}")]
    FlowControl(FlowControlError),
}

/// The well-known keys whose values are strings.
const TEXTS: [&str; 6] = ["description", "owner", "schedule", "project", "domain", "version"];

impl Metadata {
    /// Creates metadata from a JSON object, or from a string that contains one.
    ///
    /// # Errors
    ///
    /// Fails when the value is anything else, and when a well-known key has a value of another
    /// type.
    pub fn new(json: Json) -> Result<Self, MetadataError> {
        let object = match json {
            Json::Object(object) => object,
            Json::String(text) => return text.parse(),
            other => return Err(MetadataError::NotAnObject(kind(&other))),
        };
        for key in TEXTS {
            match object.get(key) {
                None | Some(Json::String(_)) => {}
                Some(other) => {
                    let found = kind(other);
                    return Err(MetadataError::WrongType { key, found, wanted: "a string" });
                }
            }
        }
        let wanted = "a list of strings";
        match object.get("tags") {
            None => {}
            Some(Json::Array(tags)) if tags.iter().all(Json::is_string) => {}
            Some(Json::Array(_)) => {
                let found = "a list with other values";
                return Err(MetadataError::WrongType { key: "tags", found, wanted });
            }
            Some(other) => {
                return Err(MetadataError::WrongType { key: "tags", found: kind(other), wanted });
            }
        }
        let flow_control = FlowControl::read(&object).map_err(MetadataError::FlowControl)?;
        let flow_control = (!flow_control.is_empty()).then(|| Arc::new(flow_control));
        Ok(Self { object, flow_control })
    }

    /// The limits of the workflow's runs, and their order: the keys `concurrency`, `rate_limit`,
    /// `debounce`, `singleton` and `fairness`.
    /// `None` if there are none of these.
    pub fn flow_control(&self) -> Option<&FlowControl> {
        self.flow_control.as_deref()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.object.get(key)
    }

    /// The value at a path of keys and list indices, separated by dots, such as `team.members.0`. A
    /// key that contains dots is found if the whole path is that key.
    pub fn at(&self, path: &str) -> Option<&Json> {
        if let Some(value) = self.object.get(path) {
            return Some(value);
        }
        let mut steps = path.split('.');
        let first = self.object.get(steps.next()?)?;
        steps.try_fold(first, |value, step| match value {
            Json::Object(object) => object.get(step),
            Json::Array(list) => list.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The whole object.
    pub fn as_object(&self) -> &Map<String, Json> {
        &self.object
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.object.get(key)?.as_str()
    }

    /// The description.
    pub fn description(&self) -> Option<&str> {
        self.text("description")
    }

    /// The owner of the workflow; a label, not a permission.
    pub fn owner(&self) -> Option<&str> {
        self.text("owner")
    }

    /// The schedule, as a cron expression.
    pub fn schedule(&self) -> Option<&str> {
        self.text("schedule")
    }

    /// The time zone of the schedule, an IANA name; UTC if there is none.
    pub fn timezone(&self) -> Option<&str> {
        self.text("timezone")
    }

    /// The project that the workflow belongs to.
    pub fn project(&self) -> Option<&str> {
        self.text("project")
    }

    /// The business area of the workflow.
    pub fn domain(&self) -> Option<&str> {
        self.text("domain")
    }

    /// The version of the workflow.
    pub fn version(&self) -> Option<&str> {
        self.text("version")
    }

    /// The tags, in order.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.object
            .get("tags")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
    }
}

fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

impl std::str::FromStr for Metadata {
    type Err = MetadataError;

    fn from_str(text: &str) -> Result<Self, MetadataError> {
        let json = json::read(text).map_err(|error| MetadataError::Syntax(error.to_string()))?;
        match json {
            // Only one level of quoting is read: a string inside a string is not an object.
            Json::String(_) => Err(MetadataError::NotAnObject("a string")),
            json => Self::new(json),
        }
    }
}

impl TryFrom<Json> for Metadata {
    type Error = MetadataError;

    fn try_from(json: Json) -> Result<Self, MetadataError> {
        Self::new(json)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Json::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(&self.object).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_and_object_are_the_same() {
        let object = Metadata::new(json!({ "owner": "web" }));
        assert_eq!(Metadata::new(json!("{\"owner\": \"web\"}")), object);
    }

    #[test]
    fn wrong_shapes_are_named() {
        let text = |json| Metadata::new(json).expect_err("not valid metadata").to_string();
        assert!(text(json!([1])).contains("is a list"));
        assert!(text(json!("[1]")).contains("is a list"));
        assert!(text(json!("{")).contains("not valid JSON"));
        assert!(text(json!({ "tags": "a" })).contains("`tags` is a string"));
        assert!(text(json!({ "tags": [1] })).contains("a list of strings"));
        assert!(text(json!({ "owner": 1 })).contains("`owner` is a number"));
    }

    #[test]
    fn paths_go_through_objects_and_lists() {
        let metadata = Metadata::new(json!({ "a": { "b": [1, 2] }, "c.d": 3 })).expect("an object");
        assert_eq!(metadata.at("a.b.1"), Some(&json!(2)));
        assert_eq!(metadata.at("c.d"), Some(&json!(3)));
        assert_eq!(metadata.at("a.x"), None);
    }
}
