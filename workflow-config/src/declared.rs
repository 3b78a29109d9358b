//! The types of configurations, for checks without running the workflow: declared ones, and those
//! that jobs take.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use serde::de::DeserializeOwned;

use super::{Config, ConfigError, Rules};
use workflow_core::{Engine, RunError, registry};

type Check = fn(&Config) -> Result<(), ConfigError>;

/// A declaration that is linked into the program, made by [`declare!`](crate::declare!).
pub struct Declaration {
    name: &'static str,
    /// The type that is read, if that is the check.
    type_id: Option<fn() -> TypeId>,
    check: Check,
}

inventory::collect!(Declaration);

impl Declaration {
    /// Declares that the configuration of this name is read as `T`.
    pub const fn new<T: DeserializeOwned + Rules + 'static>(name: &'static str) -> Self {
        Self { name, type_id: Some(TypeId::of::<T>), check: read::<T> }
    }

    /// Declares a function that checks the configuration of this name.
    pub const fn check(name: &'static str, check: Check) -> Self {
        Self { name, type_id: None, check }
    }
}

fn read<T: DeserializeOwned + Rules>(config: &Config) -> Result<(), ConfigError> {
    config.read::<T>().map(drop)
}

static DECLARED: RwLock<BTreeMap<String, BTreeMap<TypeId, Check>>> = RwLock::new(BTreeMap::new());

pub(super) fn declare<T: DeserializeOwned + Rules + 'static>(name: &str) {
    let mut declared = DECLARED.write().unwrap_or_else(PoisonError::into_inner);
    declared.entry(name.to_owned()).or_default().insert(TypeId::of::<T>(), read::<T>);
}

/// The names with declared types, sorted.
pub(super) fn names() -> BTreeSet<String> {
    let linked = inventory::iter::<Declaration>().map(|linked| linked.name.to_owned());
    let declared = DECLARED.read().unwrap_or_else(PoisonError::into_inner);
    declared.keys().cloned().chain(linked).collect()
}

/// The checks of all types that are declared for a name.
fn checks(name: &str) -> impl Iterator<Item = Check> {
    let linked = || inventory::iter::<Declaration>().filter(|linked| linked.name == name);
    let functions: Vec<Check> =
        linked().filter(|linked| linked.type_id.is_none()).map(|linked| linked.check).collect();
    let types = linked().filter_map(|linked| Some((linked.type_id?(), linked.check)));
    let mut checks: BTreeMap<_, _> = types.collect();
    let declared = DECLARED.read().unwrap_or_else(PoisonError::into_inner);
    checks.extend(declared.get(name).into_iter().flatten().map(|(id, check)| (*id, *check)));
    checks.into_values().chain(functions)
}

/// Reads the configuration as each of its declared types.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let failures = checks(config.name()).filter_map(|check| check(config).err());
    ConfigError::all_of(config.name(), failures)
}

/// Reads the configuration of a registered workflow as each type that its jobs take.
pub(super) fn check_jobs(engine: &Engine, workflow: &str) -> Result<(), ConfigError> {
    let Ok(entry) = registry::get(workflow) else { return Ok(()) };
    let problems = engine.check_parameters(&*entry.workflow()).into_iter();
    let failures = problems.filter_map(|problem| match problem {
        RunError::Parameter { error, .. } => error.downcast().ok().map(|error| *error),
        _ => None,
    });
    ConfigError::all_of(workflow, failures)
}
