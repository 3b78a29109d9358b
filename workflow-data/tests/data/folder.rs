//! A folder with files, and pipelines in it.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;
use workflow_config::{Config, Loader};
use workflow_data::{Pipeline, PipelineError, RecordClock, Stages, Summary};

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with one file.
    pub(crate) fn with(name: &str, text: impl AsRef<[u8]>) -> Self {
        let folder = Self::new();
        folder.write(name, text);
        folder
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names of all files, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// Opens a configuration in YAML, in which `${DIR}` is this folder.
    pub(crate) fn config(&self, yaml: &str) -> Config {
        self.write("config.yaml", yaml);
        let loader = Loader::new().file(self.path("config.yaml"));
        loader.environment([("DIR", self.0.path())]).open("orders").unwrap()
    }

    pub(crate) fn build(&self, yaml: &str) -> Result<Pipeline, PipelineError> {
        self.build_with(yaml, Stages::new())
    }

    pub(crate) fn build_with(&self, yaml: &str, stages: Stages) -> Result<Pipeline, PipelineError> {
        Pipeline::builder(&self.config(yaml)).clock(clock()).stages(stages).build()
    }

    pub(crate) fn run(&self, yaml: &str) -> Result<Summary, PipelineError> {
        self.build(yaml)?.run()
    }

    /// Why a configuration is refused. The folder is shown as `DIR`.
    pub(crate) fn refusal(&self, yaml: &str) -> String {
        self.shown(self.build(yaml).expect_err("an invalid configuration"))
    }

    /// Why a run fails.
    pub(crate) fn failure(&self, yaml: &str) -> String {
        self.shown(self.run(yaml).expect_err("a run that fails"))
    }

    pub(crate) fn shown(&self, error: impl ToString) -> String {
        error.to_string().replace(&self.0.path().display().to_string(), "DIR")
    }
}

/// 2026-01-02 03:04:05 UTC.
pub(crate) fn clock() -> RecordClock {
    RecordClock::fixed(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045))
}

/// Reads a CSV file through a stage or several, and returns the table as CSV.
pub(crate) fn through(stages: Value, csv: &str) -> Result<String, String> {
    let folder = Folder::with("in.csv", csv);
    let config = json!({
        "source": { "type": "file", "file": { "path": folder.path("in.csv") } },
        "processing": { "batch_size": 2 },
        "transformation": { "stages": stages },
        "output": { "type": "file", "path": folder.path("out.csv") },
    });
    let config = Config::from_json("orders", config).map_err(|error| error.to_string())?;
    let pipeline = Pipeline::builder(&config).clock(clock()).build();
    let run = pipeline.and_then(Pipeline::run);
    run.map(|_| folder.read("out.csv")).map_err(|error| folder.shown(error))
}
