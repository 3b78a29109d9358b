//! Schedules.

use serde_json::{Map, Value as Json, json};

use super::Text;
use crate::document::{Findings, Node, Read, Value, record, wrong_type};

/// A cron expression and its time zone.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) cron: Text,
    pub(crate) timezone: Option<Text>,
}

impl Read for Schedule {
    const WANTED: &'static str = "a cron expression, or a map of `cron` and `timezone`";

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        match node.value {
            Value::Text(_) => Some(Self { cron: Read::read(node, findings)?, timezone: None }),
            Value::Map(_) => {
                let ScheduleSpec { cron, timezone } = Read::read(node, findings)?;
                Some(Self { cron, timezone })
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
    }
}
