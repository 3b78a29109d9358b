//! What people see of a configuration: values with their origins, and `***` for secrets.

use std::cell::Cell;

use serde_json::Value as Json;
use workflow_core::Engine;

use super::origin::Origin;
use super::path::Path;
use super::place::Layer;
use super::setting::{Kind, Secrets, Setting};
use super::{Config, Loader, declared, yaml};

/// One value of a configuration with its origin.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ConfigEntry {
    /// The path, such as `source.urls[0]`.
    pub path: String,
    /// The value; `***` for a secret.
    pub value: Json,
    /// Whether the value is a secret.
    pub is_secret: bool,
    /// Where the value came from.
    pub origin: Origin,
    /// The environment variables and secrets at its place in the file, if any.
    pub variables: Option<String>,
}

impl<T> Config<T> {
    /// The configuration as JSON, with `***` for secrets.
    pub fn value(&self) -> Json {
        conceal(&self.untyped());
        self.tree().to_json(Secrets::Masked)
    }

    /// The configuration as YAML, with `***` for secrets and a comment with the origin of each
    /// value.
    pub fn to_yaml(&self) -> String {
        conceal(&self.untyped());
        yaml::write(self.tree())
    }

    /// All scalar values and empty collections, with path and origin, in the order of the files.
    pub fn entries(&self) -> Vec<ConfigEntry> {
        conceal(&self.untyped());
        let mut entries = Vec::new();
        collect(self.tree(), &Path::Root, &mut entries);
        entries
    }
}

/// Marks what the types of a configuration read as secrets. Whether the configuration is valid does
/// not matter.
pub(super) fn conceal(config: &Config) {
    // A check of the host may show the configuration that it checks.
    let Some(_guard) = Concealing::start() else { return };
    let _ = declared::check(config);
    let engine = Engine::builder().state(Loader::of(config)).build();
    let _ = declared::check_jobs(&engine, config.name());
}

thread_local! {
    static IS_CONCEALING: Cell<bool> = const { Cell::new(false) };
}

struct Concealing;

impl Concealing {
    fn start() -> Option<Self> {
        (!IS_CONCEALING.replace(true)).then_some(Self)
    }
}

impl Drop for Concealing {
    fn drop(&mut self) {
        IS_CONCEALING.set(false);
    }
}

fn collect(setting: &Setting, path: &Path<'_>, entries: &mut Vec<ConfigEntry>) {
    match &setting.kind {
        Kind::List(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &Path::Index(path, index), entries);
            }
        }
        Kind::Map(inner) if !inner.is_empty() => {
            for (key, value) in inner {
                collect(value, &Path::Key(path, &key.text), entries);
            }
        }
        _ => entries.push(ConfigEntry {
            path: path.to_string(),
            value: setting.to_json(Secrets::Masked),
            is_secret: setting.secret.is_set(),
            origin: Origin::of(setting),
            variables: setting
                .variables
                .as_deref()
                .filter(|_| setting.place.layer == Layer::File)
                .map(str::to_owned),
        }),
    }
}
