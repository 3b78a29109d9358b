//! `Loader`, which merges layers to one tree and caches the result.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::cache::Cache;
use super::environment::{Environment, PROFILE, SECRETS_DIR};
use super::expand::Expansion;
use super::path::Path;
use super::place::Place;
use super::search::{Files, Found, Search};
use super::setting::{Kind, MAX_VALUES, Setting};
use super::stamp::Stamp;
use super::{Config, ConfigError, Rules, declared, described, overlay};
use workflow_core::registry::Entry;
use workflow_core::{Engine, registry};
use workflow_files::document::{Diagnostics, Findings, Format, SourceText, Span};

/// Loads configurations, with settings in place of those that are otherwise taken from the process.
///
/// ```
/// use serde_json::json;
/// use workflow_config::Loader;
///
/// let loader = Loader::new()
///     .environment([("WORKFLOW_PRICES__SOURCE__RETRIES", "5")])
///     .defaults(json!({ "source": { "url": "https://example.com", "retries": 3 } }))
///     .set("source.name", "shop");
/// let config = loader.open("prices")?;
/// let expected = json!({ "url": "https://example.com", "retries": 5, "name": "shop" });
/// assert_eq!(config.value()["source"], expected);
/// # Ok::<_, workflow_config::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct Loader {
    file: Option<PathBuf>,
    dirs: Vec<PathBuf>,
    profile: Option<String>,
    environment: Option<Environment>,
    secrets: Option<PathBuf>,
    defaults: Option<Json>,
    overrides: Vec<(String, Json)>,
    cache: Cache,
    /// A configuration that is open already.
    opened: Option<Config>,
}

/// One file of a configuration, unprocessed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawFile {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// The default folder of secrets.
const SECRETS: &str = "/run/secrets";

impl Loader {
    /// Creates a loader that takes all settings from the process.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads this file instead of searching for one.
    pub fn file(self, path: impl Into<PathBuf>) -> Self {
        Self { file: Some(path.into()), ..self.forgetful() }
    }

    /// Searches for `<dir>/<name>/config.yaml` before all other folders. May be called several
    /// times; the first folder comes first.
    pub fn dir(self, path: impl Into<PathBuf>) -> Self {
        let mut loader = self.forgetful();
        loader.dirs.push(path.into());
        loader
    }

    /// Adds the file of a profile, such as `config.production.yaml`, if it exists. Default: the
    /// profile in `WORKFLOW_PROFILE`.
    pub fn profile(self, name: impl Into<String>) -> Self {
        Self { profile: Some(name.into()), ..self.forgetful() }
    }

    /// Uses these environment variables instead of those of the process.
    pub fn environment<K: Into<String>, V: Into<OsString>>(
        self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self { environment: Some(Environment::new(variables)), ..self.forgetful() }
    }

    /// Sets the folder with a file for each secret. Default: `WORKFLOW_SECRETS_DIR`, or else
    /// `/run/secrets`.
    pub fn secrets_dir(self, path: impl Into<PathBuf>) -> Self {
        Self { secrets: Some(path.into()), ..self.forgetful() }
    }

    /// Sets the weakest layer, a map. With defaults, no file is required.
    pub fn defaults(self, values: impl Into<Json>) -> Self {
        Self { defaults: Some(values.into()), ..self.forgetful() }
    }

    /// Overrides one value of all other layers. Dots separate the keys of the path. The last value
    /// of a path wins.
    pub fn set(self, path: impl Into<String>, value: impl Into<Json>) -> Self {
        let mut loader = self.forgetful();
        loader.overrides.push((path.into(), value.into()));
        loader
    }

    /// A loader that has opened this configuration.
    pub(super) fn of(config: &Config) -> Self {
        Self { opened: Some(config.clone()), ..Self::default() }
    }

    /// Drops the cache, which belongs to the previous settings.
    fn forgetful(self) -> Self {
        Self { cache: Cache::default(), ..self }
    }

    /// Loads the configuration of a workflow as a type, and checks the rules of the type.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Loader::open) and [`Config::read`].
    pub fn load<T: DeserializeOwned + Rules>(&self, name: &str) -> Result<T, ConfigError> {
        self.open(name)?.read()
    }

    /// Opens the configuration of a workflow: merges its layers and replaces variables.
    ///
    /// The result is cached until one of its files or variables changes.
    ///
    /// # Errors
    ///
    /// Fails when no configuration is found, or more than one; and with all mistakes in its files
    /// and variables, each with its place.
    pub fn open(&self, name: &str) -> Result<Config, ConfigError> {
        if let Some(opened) = self.opened.as_ref().filter(|opened| opened.name() == name) {
            return Ok(opened.clone());
        }
        let environment = self.variables();
        let files = self.files(name, &environment)?;
        if files.is_empty() && self.defaults.is_none() {
            return Err(self.search(&environment).not_found(name)?);
        }
        if let Some(config) = self.cache.get(name, &files, &environment) {
            return Ok(config);
        }
        let stamps: Vec<_> = files.iter().map(|file| Stamp::of(file)).collect();
        let mut expansion = Expansion::new(&environment, self.secrets_in(&environment));
        let tree = self.build(name, &files, &environment, &mut expansion).map_err(|problems| {
            ConfigError::Invalid { name: name.to_owned(), problems: *problems }
        })?;
        let config = Config::new(name, files.clone(), tree);
        let stamps = stamps.into_iter().chain(expansion.stamps).collect();
        self.cache.put(&config, &files, stamps, expansion.used, &environment);
        Ok(config)
    }

    /// Returns the unprocessed files of a configuration, the weakest first.
    ///
    /// # Errors
    ///
    /// Fails when no configuration is found, or more than one, and when a file cannot be read.
    pub fn raw(&self, name: &str) -> Result<Vec<RawFile>, ConfigError> {
        let environment = self.variables();
        let files = self.files(name, &environment)?;
        if files.is_empty() {
            return Err(self.search(&environment).not_found(name)?);
        }
        let read = |path: PathBuf| match SourceText::load(&path) {
            Ok(source) => Ok(RawFile { path, text: source.text().to_owned() }),
            Err(problems) => Err(ConfigError::Invalid { name: name.to_owned(), problems }),
        };
        files.into_iter().map(read).collect()
    }

    /// Lists all configurations, sorted by name.
    ///
    /// # Errors
    ///
    /// Fails when a folder cannot be read, or the registry is invalid.
    pub fn list(&self) -> Result<Vec<Found>, ConfigError> {
        self.search(&self.variables()).list()
    }

    /// Checks a configuration and reads it as each of its types: the [declared](super::declare())
    /// ones, and those that the jobs of its workflow take as [`Config<T>`](Config).
    ///
    /// # Errors
    ///
    /// Fails as [`open`](Loader::open) and [`Config::read`] do, with all problems at once.
    pub fn validate(&self, name: &str) -> Result<Config, ConfigError> {
        let config = self.open(name)?;
        let described = match registry::get(name) {
            Ok(entry) => described::describe(&config, entry.metadata()).map(drop),
            Err(_) => Ok(()),
        };
        let jobs = declared::check_jobs(&self.engine(), name);
        let checked = [declared::check(&config), described, jobs];
        ConfigError::all_of(name, checked.into_iter().filter_map(Result::err))?;
        Ok(config)
    }

    /// Describes each registered workflow by its configuration: the sections `workflow` (`name`,
    /// `description` and `schedule`) and `schedule` (`cron`, `timezone`, `overlap`, `catch_up` and
    /// `jitter`) take precedence over the metadata of the attribute. `workflow.name` is the
    /// metadata `title`; the workflow is still found by its registered name.
    ///
    /// A host does so when it starts, before it lists or schedules workflows; the command line does
    /// it for its host. A workflow without a configuration, or with a mistake in it, keeps its
    /// metadata.
    ///
    /// # Errors
    ///
    /// Fails with the mistakes of all configurations, after the others have been applied.
    pub fn describe_registered(&self) -> Result<(), Vec<ConfigError>> {
        let listing = registry::list().map_err(|error| vec![ConfigError::Registry(error)])?;
        let described = listing.iter().map(|entry| self.describe(entry));
        let problems: Vec<_> = described.filter_map(Result::err).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn describe(&self, entry: &Entry) -> Result<(), ConfigError> {
        let config = match self.open(entry.name()) {
            // A name with `/` cannot have one.
            Err(ConfigError::NotFound { .. } | ConfigError::Folder(_)) => return Ok(()),
            config => config?,
        };
        if let Some(described) = described::describe(&config, entry.metadata())? {
            described::keep_origins(entry.name(), described.origins);
            registry::describe(entry.name(), described.metadata).map_err(ConfigError::Registry)?;
        }
        Ok(())
    }

    /// An engine whose jobs take their configurations from this loader.
    fn engine(&self) -> Engine {
        Engine::builder().state(self.clone()).build()
    }

    /// Checks every configuration that has a type, as a host does when it starts: it is
    /// [declared](super::declare()), or a job of a registered workflow takes it as
    /// [`Config<T>`](Config). One that is missing is a problem, too.
    ///
    /// # Errors
    ///
    /// Fails with the problems of all of them, sorted by name.
    pub fn validate_declared(&self) -> Result<(), Vec<ConfigError>> {
        let declared = declared::names();
        let registered = registry::list().map_err(|error| vec![ConfigError::Registry(error)])?;
        let registered = registered.iter().map(|entry| entry.name().to_owned());
        let names: BTreeSet<_> = registered.chain(declared.iter().cloned()).collect();
        let engine = self.engine();
        let checked = names.iter().map(|name| match declared.contains(name) {
            true => self.validate(name).map(drop),
            false => declared::check_jobs(&engine, name),
        });
        let problems: Vec<_> = checked.filter_map(Result::err).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn variables(&self) -> Environment {
        self.environment.clone().unwrap_or_else(Environment::of_process)
    }

    fn search<'a>(&'a self, environment: &'a Environment) -> Search<'a> {
        Search { file: self.file.as_deref(), dirs: &self.dirs, environment }
    }

    fn files(&self, name: &str, environment: &Environment) -> Result<Files, ConfigError> {
        let of_environment =
            environment.non_empty(PROFILE).map(|profile| profile.to_string_lossy());
        let profile = self.profile.as_deref().or(of_environment.as_deref());
        self.search(environment).find(name, profile)
    }

    fn secrets_in(&self, environment: &Environment) -> PathBuf {
        let of_environment = || environment.non_empty(SECRETS_DIR).map(PathBuf::from);
        self.secrets.clone().or_else(of_environment).unwrap_or_else(|| PathBuf::from(SECRETS))
    }

    /// Merges the layers. The mistakes of all layers are reported together; only an unreadable file
    /// fails at once.
    fn build(
        &self,
        name: &str,
        files: &Files,
        environment: &Environment,
        expansion: &mut Expansion<'_>,
    ) -> Result<Setting, Box<Diagnostics>> {
        let mut found = Diagnostics::default();
        let place = Place::defaults();
        let mut tree = Setting::empty_map(place.clone());
        if let Some(defaults) = &self.defaults {
            add_layer(&mut tree, Setting::from_json(defaults.clone(), &place), &mut found);
        }
        for file in files {
            if let Some(layer) = read_file(file, &mut found) {
                add_layer(&mut tree, layer, &mut found);
            }
        }
        if found.errors() > 0 {
            return Err(Box::new(found));
        }
        overlay::environment(&mut tree, name, environment, &mut found);
        for (path, value) in &self.overrides {
            overlay::given(&mut tree, path, value, &mut found);
        }
        expansion.expand(&mut tree, &Path::Root);
        found.append(std::mem::take(&mut expansion.found));
        if found.errors() > 0 { Err(Box::new(found)) } else { Ok(tree) }
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        f.debug_struct("Loader")
            .field("file", &self.file)
            .field("dirs", &self.dirs)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

fn read_file(path: &std::path::Path, found: &mut Diagnostics) -> Option<Setting> {
    let source = match SourceText::load(path) {
        Ok(source) => source,
        Err(problems) => {
            found.append(problems);
            return None;
        }
    };
    let mut findings = Findings::new(&source);
    let node = source.parse(Format::of(path), &mut findings);
    let is_too_large = node.as_ref().is_some_and(|node| node.count() > MAX_VALUES);
    if is_too_large {
        let message = format!("the file has more than {MAX_VALUES} values");
        findings.error(Span::default(), message).help("move data to separate files");
    }
    found.append(findings.finish());
    node.filter(|_| !is_too_large).map(|node| Setting::from_node(node, &source))
}

fn add_layer(tree: &mut Setting, layer: Setting, found: &mut Diagnostics) {
    match &layer.kind {
        Kind::Map(_) => tree.merge(layer),
        // An empty file sets nothing, but what is missing is missing there.
        Kind::Null => tree.merge(Setting::empty_map(layer.place)),
        _ => {
            let message = format!("expected a map, found {}", layer.describe());
            let help = "give each value a name: `name: value`";
            found.append(layer.place.first_line().error(&Path::Root, message, help));
        }
    }
}
