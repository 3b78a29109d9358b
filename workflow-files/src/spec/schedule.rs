//! Schedules.

use serde_json::{Map, Value as Json, json};

use super::flow_control::seconds;
use super::{Text, Time};
use crate::document::{Choice as _, Findings, Node, Read, Value, choice, record, wrong_type};

choice! {
    /// What happens at a time while an earlier scheduled run is unfinished.
    pub(crate) enum OverlapSpec, "an overlap policy" {
        /// Another run starts beside it.
        Allow = "allow",
        /// The time is skipped.
        Skip = "skip",
        /// Another run starts when it has ended.
        Queue = "queue",
        /// It is cancelled, and another run starts.
        Cancel = "cancel",
    }
}

/// A cron expression, its time zone, and its policy.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) cron: Text,
    pub(crate) timezone: Option<Text>,
    overlap: Option<OverlapSpec>,
    catch_up: Option<Time>,
    jitter: Option<Time>,
}

impl Schedule {
    /// The schedule for metadata; `None` for one without a policy, which is a text there.
    pub(super) fn to_object(&self) -> Option<Json> {
        let mut object = Map::new();
        if let Some(overlap) = self.overlap {
            object.insert("overlap".to_owned(), overlap.as_str().into());
        }
        for (key, time) in [("catch_up", self.catch_up), ("jitter", self.jitter)] {
            object.extend(time.map(|time| (key.to_owned(), seconds(time))));
        }
        if object.is_empty() {
            return None;
        }
        object.insert("cron".to_owned(), (&*self.cron.value).into());
        let zone = self.timezone.as_ref();
        object.extend(zone.map(|zone| ("timezone".to_owned(), (&*zone.value).into())));
        Some(Json::Object(object))
    }
}

impl Read for Schedule {
    const WANTED: &'static str = "a cron expression, or a map of `cron` and options";

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        match node.value {
            Value::Text(_) => Some(Self {
                cron: Read::read(node, findings)?,
                timezone: None,
                overlap: None,
                catch_up: None,
                jitter: None,
            }),
            Value::Map(_) => {
                let ScheduleSpec { cron, timezone, overlap, catch_up, jitter } =
                    Read::read(node, findings)?;
                Some(Self { cron, timezone, overlap, catch_up, jitter })
            }
            _ => {
                wrong_type(node, Self::WANTED, findings);
                None
            }
        }
    }

    fn schema(definitions: &mut Map<String, Json>) -> Json {
        json!({ "anyOf": [{ "type": "string" }, ScheduleSpec::schema(definitions)] })
    }
}

record! {
    /// When a workflow runs.
    struct ScheduleSpec, "a schedule" {
        /// A cron expression of five fields: minute, hour, day of month, month, day of week.
        cron: Text,
        /// The time zone, by its name in the IANA database: `Europe/Berlin`. Default: UTC.
        timezone: Option<Text>,
        /// What happens at a time while an earlier scheduled run is unfinished. Default: `allow`.
        overlap: Option<OverlapSpec>,
        /// How long a missed time can still start a run. Default: missed times are skipped.
        catch_up: Option<Time>,
        /// The longest delay after each time. Default: none.
        jitter: Option<Time>,
    }
}
