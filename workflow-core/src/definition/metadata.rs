//! Metadata of a workflow: a JSON object with some well-known keys.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};

use workflow_cron::{Overlap, SchedulePolicy};

use super::schedule::{ScheduleError, ScheduleObject};
use super::trigger::{EventTrigger, TriggerError};
use crate::flow_control::{FlowControl, FlowControlError};
use crate::json;

/// The metadata of a workflow: a JSON object.
///
/// The keys `description`, `owner`, `schedule`, `tags`, `project`, `domain` and `version` have
/// fixed types, and so have those of [flow control](crate::flow_control::KEYS); all other keys are
/// free.
///
/// `schedule` is a cron expression, or an object with its options:
///
/// | key | meaning |
/// |---|---|
/// | `cron` | the cron expression |
/// | `timezone` | the time zone, an IANA name; default: the key `timezone` beside `schedule`, or UTC |
/// | `overlap` | what happens at a time while an earlier scheduled run is unfinished: `allow` another beside it (default), `skip` the time, `queue` a run behind it, `cancel` it |
/// | `catch_up` | how long a missed time can still start a run, such as `6h`; default: missed times are skipped |
/// | `jitter` | the longest delay after each time, such as `30s`; default: none |
///
/// With an `overlap` other than `allow`, a workflow cannot have `concurrency` or `singleton`, which
/// would contradict it.
///
/// `triggers` is a list of events that start runs, each an object with one key:
///
/// | key | meaning |
/// |---|---|
/// | `webhook` | a request with a signature: see [`WebhookTrigger`](super::WebhookTrigger) |
/// | `after` | the end of a run of another workflow: see [`AfterTrigger`](super::AfterTrigger) |
/// | `asset` | the end of a run that has made an asset: see [`AssetTrigger`](super::AssetTrigger) |
/// | `file` | a file that has arrived: see [`FileTrigger`](super::FileTrigger) |
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
    /// Read from the object. `None` if `schedule` is not an object.
    #[serde(skip)]
    schedule: Option<Arc<ScheduleObject>>,
    /// Read from the object. `None` if there are none.
    #[serde(skip)]
    triggers: Option<Arc<[EventTrigger]>>,
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
    /// The schedule is an object and invalid.
    #[error("metadata {0}")]
    Schedule(ScheduleError),
    /// A trigger is invalid.
    #[error("metadata {0}")]
    Trigger(TriggerError),
    /// Both the schedule and the flow control limit the number of runs.
    #[error(
        "metadata `{0}` and `overlap: {1}` of `schedule` both limit how many runs are in progress; \
         remove one of them"
    )]
    TwoLimits(&'static str, Overlap),
    /// The flow control is invalid.
    #[error("metadata {0}")]
    FlowControl(FlowControlError),
}

/// The well-known keys whose values are strings.
const TEXTS: [&str; 5] = ["description", "owner", "project", "domain", "version"];

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
            other => return Err(MetadataError::NotAnObject(json::kind(&other))),
        };
        for key in TEXTS {
            match object.get(key) {
                None | Some(Json::String(_)) => {}
                Some(other) => {
                    let found = json::kind(other);
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
                return Err(MetadataError::WrongType {
                    key: "tags",
                    found: json::kind(other),
                    wanted,
                });
            }
        }
        let schedule = schedule(&object)?.map(Arc::new);
        let triggers = triggers(&object)?;
        let flow_control = FlowControl::read(&object).map_err(MetadataError::FlowControl)?;
        let flow_control = (!flow_control.is_empty()).then(|| Arc::new(flow_control));
        if let Some(schedule) = &schedule
            && schedule.policy.overlap != Overlap::Allow
            && flow_control.as_ref().is_some_and(|control| control.concurrency.is_some())
        {
            let key = if object.contains_key("concurrency") { "concurrency" } else { "singleton" };
            return Err(MetadataError::TwoLimits(key, schedule.policy.overlap));
        }
        Ok(Self { object, flow_control, schedule, triggers })
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
        match &self.schedule {
            Some(schedule) => Some(&schedule.cron),
            None => self.text("schedule"),
        }
    }

    /// The time zone of the schedule, an IANA name; UTC if there is none.
    pub fn timezone(&self) -> Option<&str> {
        let own = self.schedule.as_ref().and_then(|schedule| schedule.timezone.as_deref());
        own.or_else(|| self.text("timezone"))
    }

    /// The policy of the schedule: overlapping runs, missed times, jitter.
    pub fn schedule_policy(&self) -> SchedulePolicy {
        self.schedule.as_ref().map(|schedule| schedule.policy).unwrap_or_default()
    }

    /// The events that start runs, beside the schedule.
    pub fn triggers(&self) -> &[EventTrigger] {
        self.triggers.as_deref().unwrap_or_default()
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

fn schedule(metadata: &Map<String, Json>) -> Result<Option<ScheduleObject>, MetadataError> {
    match metadata.get("schedule") {
        None | Some(Json::String(_)) => Ok(None),
        Some(Json::Object(object)) => {
            ScheduleObject::read(object).map(Some).map_err(MetadataError::Schedule)
        }
        Some(other) => Err(MetadataError::WrongType {
            key: "schedule",
            found: json::kind(other),
            wanted: "a cron expression, or an object such as { \"cron\": \"0 3 * * *\" }",
        }),
    }
}

fn triggers(metadata: &Map<String, Json>) -> Result<Option<Arc<[EventTrigger]>>, MetadataError> {
    match metadata.get("triggers") {
        None => Ok(None),
        Some(Json::Array(list)) if list.is_empty() => Ok(None),
        Some(Json::Array(list)) => {
            let triggers = EventTrigger::read(list).map_err(MetadataError::Trigger)?;
            Ok(Some(triggers.into()))
        }
        Some(other) => Err(MetadataError::WrongType {
            key: "triggers",
            found: json::kind(other),
            wanted: "a list such as [{ \"after\": { \"workflow\": \"ingest\" } }]",
        }),
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
    use std::time::Duration;

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
    fn a_schedule_is_a_text_or_an_object() {
        let plain = Metadata::new(json!({ "schedule": "0 3 * * *", "timezone": "Europe/Berlin" }));
        let plain = plain.expect("valid");
        assert_eq!(plain.schedule_policy(), SchedulePolicy::default());
        let schedule = json!({
            "cron": "0 3 * * *", "overlap": "skip", "catch_up": "1h 30m", "jitter": 30,
        });
        let object = Metadata::new(json!({ "schedule": schedule, "timezone": "Europe/Berlin" }));
        let object = object.expect("valid");
        assert_eq!(object.schedule(), plain.schedule());
        assert_eq!(object.timezone(), plain.timezone());
        let policy = SchedulePolicy {
            overlap: Overlap::Skip,
            catch_up: Duration::from_secs(5400),
            jitter: Duration::from_secs(30),
        };
        assert_eq!(object.schedule_policy(), policy);
    }

    #[test]
    fn invalid_schedules_name_the_field_and_the_cure() {
        let text = |schedule| {
            let metadata = json!({ "schedule": schedule, "singleton": true });
            Metadata::new(metadata).expect_err("not valid metadata").to_string()
        };
        let errors = [
            (
                json!(5),
                "metadata `schedule` is a number; it must be a cron expression, or an object",
            ),
            (json!({}), "the field `cron` is missing"),
            (json!({ "cron": "0 3 * * *", "overlaps": "skip" }), "overlaps"),
            (json!({ "cron": "0 3 * * *", "overlap": "never" }), "write `allow`, `skip`, `queue`"),
            (json!({ "cron": "0 3 * * *", "catch_up": "soon" }), "`catch_up`"),
            (json!({ "cron": "0 3 * * *", "jitter": "25h" }), "`jitter` is longer than a day"),
            (json!({ "cron": "0 3 * * *", "jitter": -1 }), "not a duration"),
            (json!({ "cron": "0 3 * * *", "overlap": "queue" }), "remove one of them"),
        ];
        for (schedule, wanted) in errors {
            let found = text(schedule);
            assert!(found.contains(wanted), "{found}");
        }
    }

    #[test]
    fn paths_go_through_objects_and_lists() {
        let metadata = Metadata::new(json!({ "a": { "b": [1, 2] }, "c.d": 3 })).expect("an object");
        assert_eq!(metadata.at("a.b.1"), Some(&json!(2)));
        assert_eq!(metadata.at("c.d"), Some(&json!(3)));
        assert_eq!(metadata.at("a.x"), None);
    }
}
