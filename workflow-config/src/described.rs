//! The metadata of registered workflows, from the sections `workflow` and `schedule` of their
//! configurations.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde_json::{Map, Value as Json, json};
use workflow_core::definition::{Metadata, MetadataError};
use workflow_cron::{Cron, zone};

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
    let mut errors = Vec::new();
    for (path, key) in TEXTS {
        errors.extend(changes.set(&mut object, key, path, key).err());
    }
    let mut schedule = match object.get("schedule") {
        Some(Json::Object(schedule)) => schedule.clone(),
        Some(cron) => Map::from_iter([("cron".to_owned(), cron.clone())]),
        None => Map::new(),
    };
    let cron = ("cron", "workflow.schedule".to_owned(), "schedule".to_owned());
    let rest = SCHEDULE.iter().map(|key| {
        let path = format!("schedule.{key}");
        let shown = if *key == "cron" { "schedule".to_owned() } else { path.clone() };
        (*key, path, shown)
    });
    for (key, path, shown) in std::iter::once(cron).chain(rest) {
        errors.extend(changes.set(&mut schedule, key, &path, &shown).err());
    }
    ConfigError::all_of(config.name(), errors.into_iter())?;
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

/// Checks a value of a schedule by itself.
fn check(key: &str, text: &str) -> Result<(), String> {
    match key {
        "cron" => Cron::parse(text).map(drop).map_err(|error| error.to_string()),
        "timezone" => zone::problem(text).map_or(Ok(()), Err),
        _ => {
            let schedule = json!({ "schedule": { "cron": "0 0 * * *", key: text } });
            Metadata::new(schedule).map(drop).map_err(|error| match error {
                MetadataError::Schedule(error) => {
                    let reason = error.reason();
                    reason.strip_prefix(&format!("`{key}`: ")).unwrap_or(reason).to_owned()
                }
                other => other.to_string(),
            })
        }
    }
}

/// Values that a configuration sets.
struct Changes<'c> {
    config: &'c Config,
    origins: Origins,
}

impl Changes<'_> {
    /// Sets a key of an object to the text at a path of the configuration, if there is one. `shown`
    /// is its name among the origins.
    fn set(
        &mut self,
        object: &mut Map<String, Json>,
        key: &str,
        path: &str,
        shown: &str,
    ) -> Result<(), ConfigError> {
        let Some(text) = self.config.read_part::<String>(path)? else { return Ok(()) };
        if SCHEDULE.contains(&key) {
            check(key, &text).map_err(|reason| self.config.error_at(path, &reason))?;
        }
        object.insert(key.to_owned(), text.into());
        if let Some(origin) = self.config.origin(path) {
            self.origins.insert(shown.to_owned(), origin);
        }
        Ok(())
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
