//! From layers to one tree, and the memory of what was loaded.

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
use super::{Config, ConfigError, Rules, declared, overlay};
use workflow_files::document::{Diagnostics, Findings, Format, SourceText, Span};

/// Loads configurations with everything said that is otherwise taken from the process.
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
}

/// One file of a configuration, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawFile {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// Where secrets are, unless it is said.
const SECRETS: &str = "/run/secrets";

impl Loader {
    /// A loader that takes everything from the process until it is told otherwise.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads this file, and looks for none.
    pub fn file(self, path: impl Into<PathBuf>) -> Self {
        Self { file: Some(path.into()), ..self.forgetful() }
    }

    /// Looks for `<dir>/<name>/config.yaml` before it looks elsewhere. May be given several
    /// times; the first comes first.
    pub fn dir(self, path: impl Into<PathBuf>) -> Self {
        let mut loader = self.forgetful();
        loader.dirs.push(path.into());
        loader
    }

    /// Adds the file of a profile, such as `config.production.yaml`, where there is one. Without
    /// this call the profile is that of `WORKFLOW_PROFILE`.
    pub fn profile(self, name: impl Into<String>) -> Self {
        Self { profile: Some(name.into()), ..self.forgetful() }
    }

    /// Takes these for the environment variables, instead of those of the process.
    pub fn environment<K: Into<String>, V: Into<OsString>>(
        self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self { environment: Some(Environment::new(variables)), ..self.forgetful() }
    }

    /// Reads secrets from the files of this folder. Without this call it is that of
    /// `WORKFLOW_SECRETS_DIR`, or `/run/secrets`.
    pub fn secrets_dir(self, path: impl Into<PathBuf>) -> Self {
        Self { secrets: Some(path.into()), ..self.forgetful() }
    }

    /// The weakest layer, a map. With defaults, there need not be a file.
    pub fn defaults(self, values: impl Into<Json>) -> Self {
        Self { defaults: Some(values.into()), ..self.forgetful() }
    }

    /// Sets one value, above all other layers; the path's keys are separated by dots. Of two
    /// values for one path, the later holds.
    pub fn set(self, path: impl Into<String>, value: impl Into<Json>) -> Self {
        let mut loader = self.forgetful();
        loader.overrides.push((path.into(), value.into()));
        loader
    }

    /// What a changed loader remembers is not what the other had loaded.
    fn forgetful(self) -> Self {
        Self { cache: Cache::default(), ..self }
    }

    /// The configuration as a type, whose rules hold.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Loader::open) and [`Config::read`].
    pub fn load<T: DeserializeOwned + Rules>(&self, name: &str) -> Result<T, ConfigError> {
        self.open(name)?.read()
    }

    /// The configuration of a workflow: its layers merged, its variables replaced.
    ///
    /// It is kept until a file or a variable that it was made of changes.
    ///
    /// # Errors
    ///
    /// Fails when there is none, or more than one; and with everything that is wrong in its files
    /// and variables, each with its place.
    pub fn open(&self, name: &str) -> Result<Config, ConfigError> {
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

    /// The files of a configuration as they are written, the weakest first.
    ///
    /// # Errors
    ///
    /// Fails when there is none, or more than one, and when a file cannot be read.
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

    /// Every configuration that can be found, sorted by name.
    ///
    /// # Errors
    ///
    /// Fails when a folder cannot be looked into, or when the registry is not sound.
    pub fn list(&self) -> Result<Vec<Found>, ConfigError> {
        self.search(&self.variables()).list()
    }

    /// Checks a configuration, and that it can be read as the types that were declared for it
    /// with [`declare`](super::declare).
    ///
    /// # Errors
    ///
    /// Fails as [`open`](Loader::open) and [`Config::read`] do, with all problems at once.
    pub fn validate(&self, name: &str) -> Result<Config, ConfigError> {
        let config = self.open(name)?;
        declared::check(&config)?;
        Ok(config)
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

    /// Merges the layers. What is wrong with one of them is said together with what is wrong with
    /// the others; only a file that cannot be read ends it at once.
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
        let message = format!("the file holds more than {MAX_VALUES} values");
        findings.error(Span::default(), message).help("keep data in files of their own");
    }
    found.append(findings.finish());
    node.filter(|_| !is_too_large).map(|node| Setting::from_node(node, &source))
}

fn add_layer(tree: &mut Setting, layer: Setting, found: &mut Diagnostics) {
    match &layer.kind {
        Kind::Map(_) => tree.merge(layer),
        // An empty file says nothing.
        Kind::Null => {}
        _ => {
            let message = format!("expected a map, found {}", layer.describe());
            let help = "give each value a name: `name: value`";
            found.append(layer.place.first_line().error(&Path::Root, message, help));
        }
    }
}
