//! The schedule in the metadata of a workflow, as an object.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value as Json};
use workflow_cron::{Overlap, SchedulePolicy};

use crate::flow_control::duration;
use crate::json;

/// Why the schedule in the metadata of a workflow is invalid: the field, what is wrong, and the
/// cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`schedule`: {0}")]
pub struct ScheduleError(String);

impl ScheduleError {
    /// The field, what is wrong, and the cure.
    pub fn reason(&self) -> &str {
        &self.0
    }
}

/// A schedule that is an object. Cron expression and time zone are checked where they are used, as
/// those of a schedule that is a string.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ScheduleObject {
    pub(super) cron: String,
    pub(super) timezone: Option<String>,
    pub(super) policy: SchedulePolicy,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    cron: String,
    #[serde(default)]
    timezone: Option<String>,
    #[serde(default, deserialize_with = "overlap")]
    overlap: Overlap,
    #[serde(default, deserialize_with = "duration")]
    catch_up: Duration,
    #[serde(default, deserialize_with = "duration")]
    jitter: Duration,
}

impl ScheduleObject {
    pub(super) fn read(object: &Map<String, Json>) -> Result<Self, ScheduleError> {
        let written: Written = json::from_value(Json::Object(object.clone()))
            .map_err(|error| ScheduleError(error.to_string()))?;
        let Written { cron, timezone, overlap, catch_up, jitter } = written;
        let policy = SchedulePolicy { overlap, catch_up, jitter };
        policy.check().map_err(|error| ScheduleError(error.to_string()))?;
        Ok(Self { cron, timezone, policy })
    }
}

fn overlap<'de, D: Deserializer<'de>>(from: D) -> Result<Overlap, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}
