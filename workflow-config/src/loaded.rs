//! A loaded configuration.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::follow::{Reached, follow};
use super::origin::Origin;
use super::path::Path;
use super::place::{Layer, Place};
use super::redact::Redaction;
use super::setting::{Kind, Secrets, Setting};
use super::{ConfigError, Rules, Violations, de, yaml};
use workflow_files::document::{Diagnostics, Findings};

/// A loaded configuration: its layers merged, its variables replaced. Cheap to clone.
#[derive(Clone)]
pub struct Config(Arc<Inner>);

struct Inner {
    name: String,
    files: Vec<PathBuf>,
    tree: Setting,
}

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

impl Config {
    pub(super) fn new(name: &str, files: Vec<PathBuf>, tree: Setting) -> Self {
        Self(Arc::new(Inner { name: name.to_owned(), files, tree }))
    }

    /// Makes a configuration of one layer, the program's defaults, without searching for files.
    ///
    /// # Errors
    ///
    /// Fails when the value is not a map.
    pub fn from_json(name: &str, value: Json) -> Result<Self, ConfigError> {
        let tree = Setting::from_json(value, &Place::defaults());
        match &tree.kind {
            Kind::Map(_) => Ok(Self::new(name, Vec::new(), tree)),
            _ => {
                let message = format!("expected a map, found {}", tree.describe());
                let problems = Place::defaults().error(&Path::Root, message, "");
                Err(ConfigError::Invalid { name: name.to_owned(), problems })
            }
        }
    }

    /// The name of the workflow.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The files of the configuration, the weakest first.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &FilePath> {
        self.0.files.iter().map(PathBuf::as_path)
    }

    /// Reads the configuration as a type, and checks the rules of the type.
    ///
    /// # Errors
    ///
    /// Fails when a value does not fit its field, or with all violated rules, each with the place
    /// of the value.
    pub fn read<T: DeserializeOwned + Rules>(&self) -> Result<T, ConfigError> {
        let value = self.read_without_rules::<T>()?;
        let mut violations = Violations::default();
        value.check(&mut violations);
        let mut problems = Diagnostics::default();
        let redaction = Redaction::of(&self.0.tree);
        for (path, message) in violations.into_list() {
            problems.append(self.violation(&path, &redaction.apply(&message)));
        }
        if problems.is_empty() { Ok(value) } else { Err(self.invalid(problems)) }
    }

    /// Reads the configuration as a type without checking rules.
    ///
    /// # Errors
    ///
    /// Fails when a value does not fit its field.
    pub fn read_without_rules<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let read = de::read(&self.0.tree);
        read.map_err(|failure| self.invalid(failure.diagnose(&Redaction::of(&self.0.tree))))
    }

    /// Reads one part of the configuration as a type, without checking rules. `None` if the path
    /// leads to no value.
    ///
    /// ```
    /// # let config = workflow_config::Config::from_json(
    /// #     "prices",
    /// #     serde_json::json!({ "stages": [{ "options": { "trim": true } }] }),
    /// # )?;
    /// let trim: Option<bool> = config.read_part("stages[0].options.trim")?;
    /// assert_eq!(trim, Some(true));
    /// # Ok::<_, workflow_config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails when a value does not fit its field, with the place of the value.
    pub fn read_part<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ConfigError> {
        let Reached::End(part) = follow(&self.0.tree, path) else { return Ok(None) };
        let read = de::read_part(part, path).map(Some);
        read.map_err(|failure| self.invalid(failure.diagnose(&Redaction::of(&self.0.tree))))
    }

    /// Makes an error at the place of a value, for checks that no type can express. Without such a
    /// value, the place is that of the last value on the path.
    pub fn error_at(&self, path: &str, message: &str) -> ConfigError {
        let message = Redaction::of(&self.0.tree).apply(message);
        self.invalid(self.violation(path, &message))
    }

    /// The configuration as JSON, with `***` for secrets.
    pub fn value(&self) -> Json {
        self.0.tree.to_json(Secrets::Masked)
    }

    /// The configuration as JSON with its secrets, which must not be shown.
    pub fn exposed_value(&self) -> Json {
        self.0.tree.to_json(Secrets::Exposed)
    }

    /// The configuration as YAML, with `***` for secrets and a comment with the origin of each
    /// value.
    pub fn to_yaml(&self) -> String {
        yaml::write(&self.0.tree)
    }

    /// All scalar values and empty collections, with path and origin, in the order of the files.
    pub fn entries(&self) -> Vec<ConfigEntry> {
        let mut entries = Vec::new();
        collect(&self.0.tree, &Path::Root, &mut entries);
        entries
    }

    /// Whether both are the same object.
    #[cfg(test)]
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn violation(&self, path: &str, message: &str) -> Diagnostics {
        let (setting, place) = match follow(&self.0.tree, path) {
            Reached::End(setting) => match setting.kind {
                Kind::Map(_) | Kind::List(_) => (setting, setting.place.first_line()),
                _ => (setting, setting.place.clone()),
            },
            Reached::Above(setting) => (setting, setting.place.first_line()),
        };
        let mut findings = Findings::new(&place.source);
        let mut diagnostic = findings.error(place.span, message).path(path);
        if let Some(variables) = setting.variables.as_ref().filter(|_| place.layer == Layer::File) {
            diagnostic = diagnostic.label(format!("the value of `{variables}`"));
        }
        if setting.secret {
            diagnostic.conceal();
        }
        findings.finish()
    }

    fn invalid(&self, problems: Diagnostics) -> ConfigError {
        ConfigError::Invalid { name: self.0.name.clone(), problems }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.0.name)
            .field("files", &self.0.files)
            .finish_non_exhaustive()
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
            is_secret: setting.secret,
            origin: Origin::of(setting),
            variables: setting
                .variables
                .as_deref()
                .filter(|_| setting.place.layer == Layer::File)
                .map(str::to_owned),
        }),
    }
}
