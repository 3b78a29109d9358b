//! Configuration as a host and its author of files meet it: layers, variables, secrets, and the
//! text of every diagnostic.

mod files;
mod jobs;
mod layers;
mod mistakes;
mod origins;
mod rules;
mod secrets;
mod types;
mod variables;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use workflow_config::{Config, ConfigError, Loader, Rules, Violations};

/// A folder of configurations that belongs to one test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config").join(test);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => fs::create_dir_all(&path).expect("a folder"),
        }
        Self(path)
    }

    /// A folder with the `config.yaml` of `etl`.
    fn with(test: &str, text: &str) -> Self {
        Self::new(test).file("etl/config.yaml", text)
    }

    /// The folder with one more file.
    fn file(self, path: &str, text: &str) -> Self {
        self.write(path, text);
        self
    }

    /// Writes a file that was last changed long ago, which is how most files are.
    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        self.age(&path, Duration::from_secs(3600));
    }

    fn age(&self, path: &Path, age: Duration) {
        let file = File::options().write(true).open(path).expect("the file");
        file.set_modified(SystemTime::now() - age).expect("its time can be set");
    }

    /// A loader that sees this folder and no environment.
    fn loader(&self) -> Loader {
        let none: [(&str, &str); 0] = [];
        Loader::new().dir(&self.0).secrets_dir(self.0.join("secrets")).environment(none)
    }

    fn open(&self) -> Config {
        self.loader().open("etl").unwrap_or_else(|error| panic!("{error}"))
    }

    /// The error's text, without the place of the folder.
    fn text(&self, error: &ConfigError) -> String {
        error.to_string().replace(&format!("{}/", self.0.display()), "")
    }

    fn wrong(&self) -> String {
        self.text(&self.loader().open("etl").expect_err("no configuration"))
    }

    fn misfit<T: DeserializeOwned>(&self) -> String {
        let wrong = self.open().read_without_rules::<T>().err().expect("no such type");
        self.text(&wrong)
    }
}

fn value(folder: &Folder, loader: &Loader) -> Json {
    loader.open("etl").unwrap_or_else(|error| panic!("{}", folder.text(&error))).value()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Etl {
    source: Source,
    #[serde(default)]
    stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    url: String,
    #[serde(default)]
    max_retries: u32,
}

#[derive(Debug, Deserialize)]
struct Stage {
    name: String,
    kind: Kind,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Clean,
    Enrich { columns: Vec<String> },
}

impl Rules for Etl {
    fn check(&self, violations: &mut Violations) {
        violations.field("source", &self.source);
        for (index, stage) in self.stages.iter().enumerate() {
            if stage.name.is_empty() {
                violations.add(format!("stages[{index}].name"), "must not be empty");
            }
        }
    }
}

impl Rules for Source {
    fn check(&self, violations: &mut Violations) {
        if !self.url.starts_with("https://") {
            violations.add("url", "must begin with `https://`");
        }
        if self.max_retries > 10 {
            violations.add("max_retries", format!("must be at most 10, is {}", self.max_retries));
        }
    }
}

const ETL: &str = "\
source:
  url: https://example.com
  max_retries: 3
stages:
  - name: first
    kind: clean
  - name: second
    kind:
      enrich:
        columns: [a, b]
";
