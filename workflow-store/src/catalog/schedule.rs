//! Checks of schedules in metadata: accepted schedules run.

use workflow_core::definition::Metadata;
use workflow_cron::{Cron, zone};

use super::CatalogError;

/// The key of the time zone, beside `schedule`.
const ZONE: &str = "timezone";

/// Rejects a schedule that would never run, or not as written. An unchanged schedule is not
/// checked, so that other fields can be changed.
///
/// # Errors
///
/// Fails when a new schedule or time zone is invalid.
pub(super) fn check(new: &Metadata, old: Option<&Metadata>) -> Result<(), CatalogError> {
    let zone_of = |metadata: &Metadata| metadata.as_object().get(ZONE).cloned();
    let was = |metadata: &Metadata| (metadata.schedule().map(str::to_owned), zone_of(metadata));
    let Some(cron) = new.schedule().filter(|_| old.is_none_or(|old| was(old) != was(new))) else {
        return Ok(());
    };
    Cron::parse(cron)
        .map_err(|error| CatalogError::Schedule { key: "schedule", reason: error.to_string() })?;
    match zone_of(new) {
        None | Some(serde_json::Value::Null) => Ok(()),
        Some(serde_json::Value::String(name)) => zone::check(&name).map_err(|cure| {
            let reason = format!("`{name}` is not a time zone; {cure}");
            CatalogError::Schedule { key: ZONE, reason }
        }),
        Some(other) => {
            let reason =
                format!("{other} is not a time zone; write a name such as `Europe/Berlin`");
            Err(CatalogError::Schedule { key: ZONE, reason })
        }
    }
}
