//! What the tests share: the API of Source X, and the workflow in a folder of its own.

#![expect(dead_code, reason = "no test uses all of it")]

pub(crate) mod api;

use std::path::PathBuf;

use dataflow::my_workflow::NAME;
use workflow_config::{Config, Loader};
use workflow_core::{Engine, Report, RunError};
use workflow_data::Summary;

/// A folder with the tables of a test.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("it can be written");
        path
    }

    /// The configuration of the tests, with its outputs here: Parquet, and CSV to look into.
    pub(crate) fn loader(&self) -> Loader {
        let outputs = serde_json::json!([
            { "type": "parquet", "path": self.path("table.parquet") },
            { "type": "file", "path": self.path("table.csv") },
        ]);
        let quarantine = self.path("rejected.jsonl").display().to_string();
        let loader = Loader::new().profile("test").environment([("DATA_DIR", self.0.path())]);
        loader.set("output", outputs).set("processing.quarantine", quarantine)
    }

    /// The same with the records of a CSV file.
    pub(crate) fn of_file(&self, records: &str) -> Loader {
        let path = self.write("in.csv", records).display().to_string();
        self.loader().set("source.type", "file").set("source.file.path", path)
    }

    /// The same with the records of an API.
    pub(crate) fn of_api(&self, api: &api::Api) -> Loader {
        self.loader().set("source.type", "api").set("source.api.url", api.url())
    }
}

pub(crate) fn open(loader: &Loader) -> Config {
    loader.open(NAME).expect("config.yaml can be read")
}

/// Runs the workflow with a configuration.
pub(crate) fn run(loader: Loader) -> Result<Report, RunError> {
    Engine::builder().state(loader).build().run(NAME).wait()
}

/// Why a run fails.
pub(crate) fn failure(loader: Loader) -> String {
    run(loader).expect_err("a run that fails").to_string()
}

/// What a job of a run did.
pub(crate) fn summary(report: &Report, job: &str) -> Summary {
    report.output_of::<Summary>(job).expect("the job completed").clone()
}
