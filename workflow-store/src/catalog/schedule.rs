//! Checks of schedules in metadata: accepted schedules run.

use workflow_core::definition::Metadata;
use workflow_cron::{Cron, zone};

use super::CatalogError;

/// The key of the schedule.
const SCHEDULE: &str = "schedule";

/// The key of the time zone, beside `schedule`.
const ZONE: &str = "timezone";

/// Rejects a schedule that would never run, or not as written. An unchanged schedule is not
/// checked, so that other fields can be changed.
///
/// # Errors
///
/// Fails when a new schedule or time zone is invalid.
pub(super) fn check(new: &Metadata, old: Option<&Metadata>) -> Result<(), CatalogError> {
    let is_same =
        |old: &Metadata| new.get(SCHEDULE) == old.get(SCHEDULE) && new.get(ZONE) == old.get(ZONE);
    let Some(cron) = new.schedule().filter(|_| !old.is_some_and(is_same)) else {
        return Ok(());
    };
    Cron::parse(cron)
        .map_err(|error| CatalogError::Schedule { key: SCHEDULE, reason: error.to_string() })?;
    if let Some(name) = new.timezone() {
        let error = |reason| CatalogError::Schedule { key: ZONE, reason };
        return zone::problem(name).map(error).map_or(Ok(()), Err);
    }
    match new.get(ZONE) {
        None | Some(serde_json::Value::Null) => Ok(()),
        Some(other) => {
            let reason =
                format!("{other} is not a time zone; write a name such as `Europe/Berlin`");
            Err(CatalogError::Schedule { key: ZONE, reason })
        }
    }
}
