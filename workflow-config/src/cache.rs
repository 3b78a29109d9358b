//! The cache of loaded configurations, each valid until its files or variables change.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

use super::Config;
use super::environment::{self, Environment};
use super::search::Files;
use super::stamp::Stamp;

/// Loaded configurations by name. Loaders that share a cache must have the same settings.
#[derive(Clone, Default)]
pub(super) struct Cache(Arc<Mutex<HashMap<String, CachedConfig>>>);

/// A configuration with everything outside of the program that it depends on.
struct CachedConfig {
    config: Config,
    files: Files,
    stamps: Vec<Stamp>,
    /// The variables that its files name.
    used: BTreeMap<String, Option<OsString>>,
    /// The variables that set its values.
    given: BTreeMap<String, OsString>,
}

impl Cache {
    /// Returns the configuration if loading it again would give the same. `files` are the files
    /// found now.
    pub(super) fn get(
        &self,
        name: &str,
        files: &Files,
        environment: &Environment,
    ) -> Option<Config> {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache
            .get(name)
            .filter(|cached| cached.is_current(name, files, environment))
            .map(|cached| cached.config.clone())
    }

    /// Stores a configuration, unless one of its files may change unnoticed. The stamps were taken
    /// before the files were read.
    pub(super) fn put(
        &self,
        config: &Config,
        files: &Files,
        stamps: Vec<Stamp>,
        used: BTreeMap<String, Option<OsString>>,
        environment: &Environment,
    ) {
        if !stamps.iter().all(Stamp::is_settled) {
            return;
        }
        let given = given(environment, config.name());
        let cached =
            CachedConfig { config: config.clone(), files: files.clone(), stamps, used, given };
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(config.name().to_owned(), cached);
    }
}

impl CachedConfig {
    fn is_current(&self, name: &str, files: &Files, environment: &Environment) -> bool {
        self.files == *files
            && self.used.iter().all(|(name, value)| environment.get(name) == value.as_deref())
            && self.given == given(environment, name)
            && self.stamps.iter().all(Stamp::is_current)
    }
}

fn given(environment: &Environment, workflow: &str) -> BTreeMap<String, OsString> {
    environment.beginning_with(&environment::prefix(workflow))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::{Path, PathBuf};
    use std::time::{Duration, SystemTime};

    use super::super::Loader;
    use super::*;

    fn folder(test: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("workflow-{}-{test}", std::process::id()));
        fs::create_dir_all(folder.join("etl")).expect("a folder");
        folder
    }

    fn write(folder: &Path, text: &str, time: SystemTime) {
        let path = folder.join("etl/config.yaml");
        fs::write(&path, text).expect("a file");
        let file = File::options().write(true).open(path).expect("the file");
        file.set_modified(time).expect("its time can be set");
    }

    #[test]
    fn only_unchanged_files_are_cached() {
        let folder = folder("kept");
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        write(&folder, "a: 1\n", long_ago);
        let none: [(&str, &str); 0] = [];
        let loader = Loader::new().dir(&folder).environment(none);
        let open = |loader: &Loader| loader.open("etl").expect("it is there");
        let first = open(&loader);
        assert!(first.is(&open(&loader)), "kept");
        assert!(first.is(&open(&loader.clone())), "shared");
        assert!(!first.is(&open(&loader.clone().set("a", 2))), "of another loader");
        write(&folder, "a: 2\n", long_ago + Duration::from_secs(9));
        assert!(!first.is(&open(&loader)), "another time");
        fs::write(folder.join("etl/config.test.yaml"), "a: 3\n").expect("a file");
        assert!(open(&loader).is(&open(&loader)), "of no profile");
        fs::remove_dir_all(folder).expect("it is removed");
    }

    #[test]
    fn recently_changed_files_are_read_again() {
        let folder = folder("fresh");
        // However slow the test is, this is not long ago.
        write(&folder, "a: 1\n", SystemTime::now() + Duration::from_secs(3600));
        let none: [(&str, &str); 0] = [];
        let loader = Loader::new().dir(&folder).environment(none);
        let first = loader.open("etl").expect("it is there");
        assert!(!first.is(&loader.open("etl").expect("it is there")));
        fs::remove_dir_all(folder).expect("it is removed");
    }

    #[test]
    fn a_changed_variable_misses_the_cache() {
        let cache = Cache::default();
        let config = Loader::new().defaults(serde_json::json!({})).open("etl").expect("defaults");
        let used = BTreeMap::from([("A".to_owned(), Some("1".into())), ("B".to_owned(), None)]);
        let made = Environment::new([("A", "1"), ("WORKFLOW_ETL__X", "1")]);
        cache.put(&config, &Vec::new(), Vec::new(), used, &made);
        let get = |variables: &[(&str, &str)]| {
            let environment = Environment::new(variables.iter().copied());
            cache.get("etl", &Vec::new(), &environment).is_some()
        };
        let same = [("A", "1"), ("WORKFLOW_ETL__X", "1")];
        assert!(get(&same));
        assert!(get(&[same[0], same[1], ("C", "1")]), "another variable is of no concern");
        assert!(!get(&[("A", "2"), same[1]]), "one that is used");
        assert!(!get(&[same[0], same[1], ("B", "")]), "one that was not set");
        assert!(!get(&[same[0]]), "one that set a value");
        assert!(!get(&[same[0], same[1], ("WORKFLOW_ETL__Y", "1")]), "one that sets a value");
    }
}
