//! Finds the files of configurations.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::ConfigError;
use super::environment::{CONFIG_DIR, Environment};
use workflow_core::error_text::io_reason;
use workflow_core::id::{WorkflowName, nearest};
use workflow_core::registry::{self, RegistryError};

/// The default folder.
const FOLDER: &str = "workflows";
/// The name of the file without its extension.
const STEM: &str = "config";
const EXTENSIONS: [&str; 4] = ["yaml", "yml", "json", "json5"];

/// A configuration that can be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The workflow's name.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// The profiles with a file beside it.
    pub profiles: Vec<String>,
}

/// A search for configurations.
pub(super) struct Search<'a> {
    pub(super) file: Option<&'a Path>,
    pub(super) dirs: &'a [PathBuf],
    pub(super) environment: &'a Environment,
}

/// The files of one configuration, the weakest first.
pub(super) type Files = Vec<PathBuf>;

impl Search<'_> {
    /// Returns the files of a workflow, or an empty list.
    pub(super) fn find(&self, name: &str, profile: Option<&str>) -> Result<Files, ConfigError> {
        WorkflowName::new(name.to_owned()).map_err(ConfigError::Name)?;
        if let Some(profile) = profile.filter(|profile| !is_profile(profile)) {
            return Err(ConfigError::Profile(profile.to_owned()));
        }
        let base = match self.file {
            Some(file) => Some(file.to_owned()),
            None => self.base(name)?,
        };
        let Some(base) = base else { return Ok(Files::new()) };
        let of_profile = profile.map(|profile| beside(&base, profile)).transpose()?.flatten();
        Ok([base].into_iter().chain(of_profile).collect())
    }

    fn base(&self, name: &str) -> Result<Option<PathBuf>, ConfigError> {
        for folder in self.folders(name)? {
            if let Some(file) = one_in(&folder, STEM)? {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    pub(super) fn not_found(&self, name: &str) -> Result<ConfigError, ConfigError> {
        let known = self.list()?;
        let nearest = nearest(name, known.iter().map(|found| &*found.name)).map(str::to_owned);
        Ok(ConfigError::NotFound { name: name.to_owned(), nearest, searched: self.folders(name)? })
    }

    /// The folders that may contain the file, in order of precedence.
    fn folders(&self, name: &str) -> Result<Vec<PathBuf>, ConfigError> {
        if !is_component(name) {
            return Err(ConfigError::Folder(name.to_owned()));
        }
        let mut folders: Vec<_> = self.roots().into_iter().map(|root| root.join(name)).collect();
        match registry::get(name) {
            Ok(entry) => folders.extend(folders_of_source(entry.location().file, name)),
            Err(RegistryError::Unknown { .. }) => {}
            Err(error) => return Err(ConfigError::Registry(error)),
        }
        Ok(folders)
    }

    /// The folders with a folder for each workflow.
    fn roots(&self) -> Vec<PathBuf> {
        let of_environment = self.environment.non_empty(CONFIG_DIR);
        let of_environment = of_environment.into_iter().flat_map(std::env::split_paths);
        let given = self.dirs.iter().cloned().chain(of_environment);
        given.chain([PathBuf::from(FOLDER)]).collect()
    }

    /// Everything that can be found, sorted by name.
    pub(super) fn list(&self) -> Result<Vec<Found>, ConfigError> {
        let mut found = BTreeMap::new();
        for root in self.roots() {
            for folder in folders_in(&root)? {
                let name = folder.file_name().and_then(|name| name.to_str());
                if let Some(name) = name.filter(|name| WorkflowName::new(name.to_string()).is_ok())
                {
                    add(&mut found, name, &folder)?;
                }
            }
        }
        for entry in registry::list().map_err(ConfigError::Registry)? {
            for folder in folders_of_source(entry.location().file, entry.name()) {
                add(&mut found, entry.name(), &folder)?;
            }
        }
        Ok(found.into_values().collect())
    }
}

/// Adds the configuration of a folder, unless an earlier folder has the name.
fn add(found: &mut BTreeMap<String, Found>, name: &str, folder: &Path) -> Result<(), ConfigError> {
    // Two candidates are an error when the configuration is opened, but not in a list.
    let Some(file) = all_in(folder, STEM).into_iter().next() else { return Ok(()) };
    if !found.contains_key(name) {
        let profiles = profiles_in(folder)?;
        found.insert(name.to_owned(), Found { name: name.to_owned(), file, profiles });
    }
    Ok(())
}

/// Whether the name is a single component of a path.
fn is_component(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let one = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
    // Separators of other systems are rejected, too.
    one && !name.contains(['/', '\\', ':'])
}

fn is_profile(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !name.is_empty() && name.bytes().all(allowed)
}

/// The file of a profile: `config.production.yaml` beside `config.yaml`.
fn beside(base: &Path, profile: &str) -> Result<Option<PathBuf>, ConfigError> {
    let folder = base.parent().unwrap_or(Path::new(""));
    let stem = base.file_stem().unwrap_or_default().to_string_lossy();
    one_in(folder, &format!("{stem}.{profile}"))
}

fn one_in(folder: &Path, stem: &str) -> Result<Option<PathBuf>, ConfigError> {
    let mut files = all_in(folder, stem).into_iter();
    match (files.next(), files.next()) {
        (Some(first), Some(second)) => Err(ConfigError::Ambiguous { first, second }),
        (first, _) => Ok(first),
    }
}

fn all_in(folder: &Path, stem: &str) -> Vec<PathBuf> {
    let files = EXTENSIONS.map(|extension| folder.join(format!("{stem}.{extension}")));
    files.into_iter().filter(|file| file.is_file()).collect()
}

/// The folders inside of a folder, if it exists.
fn folders_in(root: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    Ok(entries_in(root)?.into_iter().filter(|path| path.is_dir()).collect())
}

fn profiles_in(folder: &Path) -> Result<Vec<String>, ConfigError> {
    let profile = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_prefix(STEM)?.strip_prefix('.')?;
        let (profile, extension) = name.split_once('.')?;
        let fits = is_profile(profile) && EXTENSIONS.contains(&extension);
        fits.then(|| profile.to_owned())
    };
    let mut profiles: Vec<_> = entries_in(folder)?.into_iter().filter_map(profile).collect();
    profiles.sort_unstable();
    profiles.dedup();
    Ok(profiles)
}

fn entries_in(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries,
    };
    let paths = entries.and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
    });
    paths.map_err(|error| ConfigError::Unreadable {
        path: folder.to_owned(),
        reason: io_reason(&error),
    })
}

/// The folders that a source file speaks for: its own, and that of its package if the package has
/// the name of the workflow.
fn folders_of_source(file: &str, workflow: &str) -> Vec<PathBuf> {
    let Some(own) = folder_of_source(file) else { return Vec::new() };
    let package = package_above(&own).filter(|package| {
        let name = std::path::absolute(package).ok();
        let name = name.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
        name.is_some_and(|name| name.replace('-', "_") == workflow.replace('-', "_"))
    });
    let package = package.map(Path::to_owned);
    [own].into_iter().chain(package).collect()
}

/// The folder that contains `src`.
fn package_above(folder: &Path) -> Option<&Path> {
    let src = folder.ancestors().find(|folder| folder.file_name().is_some_and(|it| it == "src"))?;
    src.parent()
}

/// The folder of a source file, if it exists. The compiler names files relative to the folder in
/// which it was started, which is the working directory or one above it.
fn folder_of_source(file: &str) -> Option<PathBuf> {
    let above = std::env::current_dir().ok()?;
    let above = above.ancestors().map(|folder| folder.join(file));
    let found = [PathBuf::from(file)].into_iter().chain(above).find(|path| path.is_file())?;
    // A file in the working directory has an empty parent, which joins correctly.
    found.parent().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_path_separators_are_rejected() {
        for name in ["../x", "..", ".", "a/b", "a/", "/etc", "a\\b", "c:x", ""] {
            assert!(!is_component(name), "{name}");
        }
        for name in ["daily etl", "etl.v2", "..etl", "é"] {
            assert!(is_component(name), "{name}");
        }
    }

    #[test]
    fn a_package_that_is_named_as_the_workflow_is_searched_too() {
        let own = folder_of_source(file!()).expect("the tests run below the workspace");
        assert_eq!(folders_of_source(file!(), "prices"), std::slice::from_ref(&own));
        let package = package_above(&own).expect("it is in `src`").to_owned();
        assert!(package.join("Cargo.toml").is_file());
        assert_eq!(folders_of_source(file!(), "workflow_config"), [own, package]);
    }

    #[test]
    fn a_source_is_found_from_below_where_it_was_compiled() {
        let folder = folder_of_source(file!()).expect("the tests run below the workspace");
        assert!(folder.join("search.rs").is_file());
    }
}
