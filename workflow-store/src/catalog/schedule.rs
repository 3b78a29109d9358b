//! Schedules in metadata: what is taken, runs.

use workflow_core::Metadata;
use workflow_cron::{Cron, zone};

use super::CatalogError;

/// The key of the time zone, which stands beside `schedule`.
const ZONE: &str = "timezone";

/// Refuses a schedule that would never run, or not as it is written. What was there before is left
/// to whoever wrote it, so that all else can be changed.
///
/// # Errors
///
/// Fails when the schedule or its time zone is new, and not fit.
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
            let reason = format!("`{name}` is no time zone; {cure}");
            CatalogError::Schedule { key: ZONE, reason }
        }),
        Some(other) => {
            let reason = format!("{other} is no time zone; write a name such as `Europe/Berlin`");
            Err(CatalogError::Schedule { key: ZONE, reason })
        }
    }
}
