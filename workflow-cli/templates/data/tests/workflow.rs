//! The workflow: how it is registered, and what its jobs compute.

use {{ crate_name }}::ingestion::NAME;
use {{ crate_name }}::workflow::{self, dashboard, load};
use workflow_config::Loader;
use workflow_core::{Engine, asset, registry};
use workflow_data::{PipelineError, Summary};
use workflow_evidence::Update;

#[test]
fn it_is_registered_with_its_schedule() {
    let entry = registry::get(NAME).expect("it is linked");
    let metadata = entry.metadata();
    assert_eq!(metadata.schedule(), Some("0 3 * * *"));
    assert!(metadata.description().is_some());
}

#[test]
fn its_assets_are_the_records_and_the_table() {
    let assets = asset::graph().expect("they fit together");
    let names: Vec<_> = assets.assets().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["{{ crate_name }}_records", "{{ crate_name }}"]);
}

#[test]
fn it_loads_the_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table.parquet");
    let table = path.clone();
    // In place of the job, with the configuration of the tests.
    let load = load::replaced_by(move || {
        let loader = Loader::new()
            .profile("test")
            .set("processing.on_failure", "skip")
            .set("output.path", table.to_str());
        workflow::pipeline(&loader.open(NAME)?)?.run()
    });
    let dashboard = dashboard::replaced_by(|| Update::Refreshed);
    let engine = Engine::builder().replace(load).replace(dashboard).build();
    let report = engine.run(NAME).wait().expect("it completes");
    let summary = report.output::<Summary>().expect("a summary");
    assert_eq!((summary.read, summary.written), (100, summary.metadata.record_count));
    assert!(path.is_file());
}

#[test]
fn a_cancelled_load_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table.parquet");
    let loader = Loader::new().profile("test").set("output.path", path.to_str());
    let config = loader.open(NAME).expect("config.yaml can be read");
    let pipeline = workflow::pipeline(&config).expect("it is valid");
    let error = pipeline.run_until(|| true).expect_err("it is cancelled");
    assert!(matches!(error, PipelineError::Cancelled { .. }), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_wrong_configuration_is_found_before_a_run() {
    let loader = Loader::new().profile("test");
    loader.validate(NAME).expect("config.yaml is valid");
    let wrong = loader.set("source.type", "paper");
    let error = wrong.validate(NAME).map(drop).expect_err("there is no such source").to_string();
    assert!(error.contains("source.type"), "{error}");
}
