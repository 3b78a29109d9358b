//! The metadata of registered workflows, from the sections `workflow` and `schedule` of their
//! configurations.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde_json::{Map, Value as Json};
use workflow_core::definition::{Metadata, MetadataError};
use workflow_cron::Cron;

use super::origin::Origin;
use super::{Config, ConfigError};

/// Texts of a configuration, and the keys of metadata that they set.
const TEXTS: [(&str, &str); 2] =
    [("workflow.name", "title"), ("workflow.description", "description")];

/// The keys of the section `schedule`, which are those of `schedule` in metadata.
const SCHEDULE: [&str; 5] = ["cron", "timezone", "overlap", "catch_up", "jitter"];

/// Metadata that a configuration changes.
pub(super) struct Described {
    pub(super) metadata: Metadata,
    /// The origins of the changed values, by key.
    pub(super) origins: Origins,
}

type Origins = BTreeMap<String, Origin>;

/// Lays a configuration over metadata. `None` if it changes nothing.
pub(super) fn describe(
    config: &Config,
    metadata: &Metadata,
) -> Result<Option<Described>, ConfigError> {
    let mut changes = Changes { config, origins: Origins::new() };
    let mut object = metadata.as_object().clone();
    for (path, key) in TEXTS {
        changes.set(&mut object, key, path, key)?;
    }
    let mut schedule = match object.get("schedule") {
        Some(Json::Object(schedule)) => schedule.clone(),
        Some(cron) => Map::from_iter([("cron".to_owned(), cron.clone())]),
        None => Map::new(),
    };
    changes.set(&mut schedule, "cron", "workflow.schedule", "schedule")?;
    for key in SCHEDULE {
        let path = format!("schedule.{key}");
        let shown = if key == "cron" { "schedule" } else { &path };
        if changes.set(&mut schedule, key, &path, shown)? {
            check(&schedule).map_err(|error| config.error_at(&path, &error.to_string()))?;
        }
    }
    if changes.origins.is_empty() {
        return Ok(None);
    }
    if !schedule.is_empty() {
        let only_cron = schedule.len() == 1 && schedule.contains_key("cron");
        let cron = schedule.get("cron").filter(|_| only_cron).cloned();
        object.insert("schedule".to_owned(), cron.unwrap_or(Json::Object(schedule)));
    }
    let metadata = Metadata::new(Json::Object(object));
    let metadata = metadata.map_err(|error| config.error_at("schedule", &error.to_string()))?;
    Ok(Some(Described { metadata, origins: changes.origins }))
}

/// Checks a schedule by itself, to find the value that is wrong.
fn check(schedule: &Map<String, Json>) -> Result<Metadata, MetadataError> {
    Metadata::new(Json::Object(Map::from_iter([("schedule".to_owned(), schedule.clone().into())])))
}

/// Values that a configuration sets.
struct Changes<'c> {
    config: &'c Config,
    origins: Origins,
}

impl Changes<'_> {
    /// Sets a key of an object to the text at a path of the configuration, if there is one. `shown`
    /// is its name among the origins. Returns whether there is one.
    fn set(
        &mut self,
        object: &mut Map<String, Json>,
        key: &str,
        path: &str,
        shown: &str,
    ) -> Result<bool, ConfigError> {
        let Some(text) = self.config.read_part::<String>(path)? else { return Ok(false) };
        if key == "cron" {
            Cron::parse(&text).map_err(|error| self.config.error_at(path, &error.to_string()))?;
        }
        object.insert(key.to_owned(), text.into());
        if let Some(origin) = self.config.origin(path) {
            self.origins.insert(shown.to_owned(), origin);
        }
        Ok(true)
    }
}

/// The origins of metadata that configurations set, by workflow.
static ORIGINS: RwLock<BTreeMap<String, Origins>> = RwLock::new(BTreeMap::new());

pub(super) fn keep_origins(workflow: &str, origins: Origins) {
    let mut kept = ORIGINS.write().unwrap_or_else(PoisonError::into_inner);
    kept.insert(workflow.to_owned(), origins);
}

pub(super) fn origins(workflow: &str) -> Origins {
    let kept = ORIGINS.read().unwrap_or_else(PoisonError::into_inner);
    kept.get(workflow).cloned().unwrap_or_default()
}
