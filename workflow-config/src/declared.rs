//! Declared types of configurations, for checks without running the workflow.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde::de::DeserializeOwned;

use super::{Config, ConfigError, Rules};
use workflow_files::document::Diagnostics;

type Check = fn(&Config) -> Result<(), ConfigError>;

static DECLARED: RwLock<BTreeMap<String, BTreeMap<TypeId, Check>>> = RwLock::new(BTreeMap::new());

pub(super) fn declare<T: DeserializeOwned + Rules + 'static>(name: &str) {
    let check: Check = |config| config.read::<T>().map(drop);
    let mut declared = DECLARED.write().unwrap_or_else(PoisonError::into_inner);
    declared.entry(name.to_owned()).or_default().insert(TypeId::of::<T>(), check);
}

/// Reads the configuration as each of its declared types.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let checks: Vec<Check> = {
        let declared = DECLARED.read().unwrap_or_else(PoisonError::into_inner);
        declared
            .get(config.name())
            .into_iter()
            .flat_map(|checks| checks.values().copied())
            .collect()
    };
    let mut problems = Diagnostics::default();
    for check in checks {
        match check(config) {
            Ok(()) => {}
            Err(ConfigError::Invalid { problems: found, .. }) => problems.append(found),
            Err(other) => return Err(other),
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(ConfigError::Invalid { name: config.name().to_owned(), problems })
}
