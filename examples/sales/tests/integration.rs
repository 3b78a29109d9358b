//! The whole pipeline, from the source to the table.

use std::path::Path;

use sales::ingestion::NAME;
use sales::{assets, workflow};
use workflow_config::{Config, Loader};
use workflow_data::{PipelineError, Summary};

/// The configuration of the tests, which writes into this folder.
fn config(folder: &Path) -> Config {
    let path = |name: &str| folder.join(name).display().to_string();
    let loader = Loader::new()
        .profile("test")
        .set("output.type", "file")
        .set("output.path", path("table.csv"))
        .set("processing.quarantine", path("rejected.jsonl"));
    loader.open(NAME).expect("config.yaml can be read")
}

/// Runs the pipeline of a configuration.
fn run(config: &Config) -> Result<Summary, PipelineError> {
    workflow::pipeline(config)?.run()
}

#[test]
fn records_are_cleaned_checked_and_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let summary = run(&config).expect("it runs");
    // 10 of 100 occur twice, and 2 have no amount.
    assert_eq!((summary.read, summary.quarantined, summary.written), (100, 2, 88));
    let stages = ["cleaning", "validation", "size", "enrichment"];
    assert_eq!(summary.metadata.transformation_stages, stages);
    let table = std::fs::read_to_string(assets::table(&config).expect("a path")).expect("a table");
    assert!(table.starts_with("id,name,amount,created_at,size,processed_at\n"), "{table}");
    let rejected = std::fs::read_to_string(folder.path().join("rejected.jsonl")).expect("a file");
    assert_eq!(rejected.lines().count(), 2);
}

#[test]
fn assets_make_the_same_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let path = assets::table(&config).expect("a path");
    let lines = || std::fs::read_to_string(&path).expect("a table").lines().count();
    run(&config).expect("it runs");
    let expected = lines();
    let listed = serde_json::json!([{ "type": "file", "path": path }]);
    for config in [config.with("output", listed).expect("an output"), config] {
        std::fs::remove_file(&path).expect("it was written");
        let records = assets::extract(&config).expect("they can be read");
        let table = assets::clean(&config, &records).expect("it can be written");
        assert_eq!((&table.path, lines()), (&path, expected));
    }
}

#[test]
fn a_second_run_replaces_the_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let first = run(&config).expect("it runs");
    let second = run(&config).expect("it runs again");
    assert_eq!(first.written, second.written);
}

#[test]
fn a_failed_run_leaves_the_old_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = folder.path().join("table.csv");
    std::fs::write(&table, "old\n").expect("it can be written");
    let strict = Loader::new()
        .profile("test")
        .set("output.type", "file")
        .set("output.path", table.to_str())
        .set("processing.on_failure", "fail");
    let config = strict.open(NAME).expect("config.yaml can be read");
    let error = run(&config).expect_err("two records have no amount");
    assert!(error.to_string().contains("amount"), "{error}");
    assert_eq!(std::fs::read_to_string(&table).expect("it is there"), "old\n");
}
