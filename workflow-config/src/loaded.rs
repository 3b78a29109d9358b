//! A loaded configuration.

use std::fmt;
use std::ops::Deref;
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
use super::{ConfigError, Rules, Violations, de, overlay};
use de::Misread;
use workflow_files::document::{Diagnostics, Findings};

/// A loaded configuration: its layers merged, its variables replaced. Cheap to clone.
///
/// `Config<T>` has also been read as the type `T`, to which it derefs. It is a parameter of `#[job]`
/// functions, in any position: the configuration of the workflow that the job is in. It is not an
/// input: calls omit it. A mistake in the configuration is an error before a run begins, and
/// [`validate_declared`](crate::validate_declared) finds it when a host starts. The engine's state
/// may contain the [`Loader`](crate::Loader) that finds the configuration.
///
/// ```
/// use serde::Deserialize;
/// use workflow_config::{Config, Loader, Rules};
/// use workflow_core::prelude::*;
///
/// #[derive(Deserialize)]
/// struct Prices {
///     discount: u64,
/// }
///
/// impl Rules for Prices {}
///
/// #[job]
/// fn price(config: Config<Prices>, amount: u64) -> u64 {
///     amount - config.discount
/// }
///
/// #[register_workflow(name = "quote")]
/// fn quote(flow: &mut Flow, amount: Handle<u64>) -> Handle<u64> {
///     flow.job(price(amount))
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let loader = Loader::new().defaults(serde_json::json!({ "discount": 2 }));
/// let engine = Engine::builder().state(loader).build();
/// let report = engine.run("quote").input(10_u64).wait()?;
/// assert_eq!(report.output::<u64>()?, 8);
///
/// // A unit test makes the configuration.
/// let config = Config::from_json("quote", serde_json::json!({ "discount": 1 }))?;
/// assert_eq!(price::call(config.typed()?, 5), 4);
/// # Ok(())
/// # }
/// ```
pub struct Config<T = ()> {
    layers: Arc<Layers>,
    typed: Arc<T>,
}

struct Layers {
    name: String,
    files: Vec<PathBuf>,
    tree: Setting,
}

impl Config {
    pub(super) fn new(name: &str, files: Vec<PathBuf>, tree: Setting) -> Self {
        let layers = Arc::new(Layers { name: name.to_owned(), files, tree });
        Self { layers, typed: Arc::new(()) }
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
}

impl<T> Config<T> {
    /// The name of the workflow.
    pub fn name(&self) -> &str {
        &self.layers.name
    }

    /// The files of the configuration, the weakest first.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &FilePath> {
        self.layers.files.iter().map(PathBuf::as_path)
    }

    /// Reads the configuration as a type, and checks the rules of the type.
    ///
    /// # Errors
    ///
    /// Fails with all values that do not fit their fields and with all violated rules, each with the
    /// place of the value. Of a section with a value that does not fit, the rules are not checked.
    pub fn read<U: DeserializeOwned + Rules>(&self) -> Result<U, ConfigError> {
        let read = de::read::<U>(&self.layers.tree);
        let (value, mistakes) = match read {
            Ok(value) => (value, Vec::new()),
            Err(Misread { mistakes, rest: None }) => return Err(self.misfit(mistakes)),
            Err(Misread { mistakes, rest: Some(rest) }) => (rest, mistakes),
        };
        let mut violations = Violations::default();
        value.check(&mut violations);
        let incomplete: Vec<_> =
            mistakes.iter().map(|mistake| section(mistake.path().unwrap_or_default())).collect();
        let is_complete = |path: &str| {
            incomplete.is_empty() || !path.is_empty() && !incomplete.contains(&section(path))
        };
        let violations: Vec<_> =
            violations.into_list().into_iter().filter(|(path, _)| is_complete(path)).collect();
        let redaction = Redaction::of(&self.layers.tree);
        let mut problems = self.mistaken(mistakes);
        for (path, message) in violations {
            problems.append(self.violation(&path, &redaction.apply(&message)));
        }
        if problems.is_empty() { Ok(value) } else { Err(self.invalid(problems)) }
    }

    /// Reads the configuration as [`read`](Config::read) does, and keeps it beside its layers.
    ///
    /// # Errors
    ///
    /// Fails as `read` does.
    pub fn typed<U: DeserializeOwned + Rules>(&self) -> Result<Config<U>, ConfigError> {
        Ok(Config { layers: Arc::clone(&self.layers), typed: Arc::new(self.read()?) })
    }

    /// Reads the configuration as a type without checking rules.
    ///
    /// # Errors
    ///
    /// Fails when values do not fit their fields, with each of them.
    pub fn read_without_rules<U: DeserializeOwned>(&self) -> Result<U, ConfigError> {
        de::read(&self.layers.tree).map_err(|Misread { mistakes, .. }| self.misfit(mistakes))
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
    pub fn read_part<U: DeserializeOwned>(&self, path: &str) -> Result<Option<U>, ConfigError> {
        let Reached::End(part) = follow(&self.layers.tree, path) else { return Ok(None) };
        let read = de::read_part(part, path);
        read.map(Some).map_err(|Misread { mistakes, .. }| self.misfit(mistakes))
    }

    fn misfit(&self, mistakes: Vec<de::Failure>) -> ConfigError {
        self.invalid(self.mistaken(mistakes))
    }

    fn mistaken(&self, mistakes: Vec<de::Failure>) -> Diagnostics {
        let redaction = Redaction::of(&self.layers.tree);
        let mut problems = Diagnostics::default();
        for mistake in mistakes {
            problems.append(mistake.diagnose(&redaction));
        }
        problems
    }

    /// Returns a copy in which one value is overridden, as [`Loader::set`](crate::Loader::set) does.
    /// Dots separate the keys of the path. Maps are merged.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use workflow_config::Config;
    /// let config = Config::from_json("prices", json!({ "output": { "path": "prices.csv" } }))?;
    /// let trial = config.with("output.path", "trial.csv")?;
    /// assert_eq!(trial.value()["output"]["path"], "trial.csv");
    /// assert_eq!(config.value()["output"]["path"], "prices.csv");
    /// # Ok::<_, workflow_config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails when the path leads through a list, or has an empty key.
    pub fn with(&self, path: &str, value: impl Into<Json>) -> Result<Config, ConfigError> {
        let (mut tree, mut found) = (self.layers.tree.clone(), Diagnostics::default());
        overlay::given(&mut tree, path, &value.into(), &mut found);
        if found.errors() > 0 {
            return Err(self.invalid(found));
        }
        Ok(Config::new(self.name(), self.layers.files.clone(), tree))
    }

    /// Makes an error at the place of a value, for checks that no type can express. Without such a
    /// value, the place is that of the last value on the path.
    pub fn error_at(&self, path: &str, message: &str) -> ConfigError {
        let message = Redaction::of(&self.layers.tree).apply(message);
        self.invalid(self.violation(path, &message))
    }

    /// The configuration as JSON with its secrets, which must not be shown.
    pub fn exposed_value(&self) -> Json {
        self.layers.tree.to_json(Secrets::Exposed)
    }

    /// The merged layers.
    pub(super) fn tree(&self) -> &Setting {
        &self.layers.tree
    }

    /// The configuration without the type that it was read as.
    pub(super) fn untyped(&self) -> Config {
        Config { layers: Arc::clone(&self.layers), typed: Arc::new(()) }
    }

    /// The origin of the value at a path.
    pub(super) fn origin(&self, path: &str) -> Option<Origin> {
        match follow(&self.layers.tree, path) {
            Reached::End(setting) => Some(Origin::of(setting)),
            Reached::Above(_) => None,
        }
    }

    /// Whether both are the same object.
    #[cfg(test)]
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.layers, &other.layers)
    }

    fn violation(&self, path: &str, message: &str) -> Diagnostics {
        let (setting, place) = match follow(&self.layers.tree, path) {
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
        if setting.secret.is_set() || setting.shows_secret(place.span) {
            diagnostic.conceal();
        }
        findings.finish()
    }

    fn invalid(&self, problems: Diagnostics) -> ConfigError {
        ConfigError::Invalid { name: self.layers.name.clone(), problems }
    }
}

impl<T> Clone for Config<T> {
    fn clone(&self) -> Self {
        Self { layers: Arc::clone(&self.layers), typed: Arc::clone(&self.typed) }
    }
}

impl<T> Deref for Config<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.typed
    }
}

impl<T> fmt::Debug for Config<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.layers.name)
            .field("files", &self.layers.files)
            .finish_non_exhaustive()
    }
}

/// The first key of a path.
fn section(path: &str) -> String {
    path.chars().take_while(|letter| !matches!(letter, '.' | '[')).collect()
}
