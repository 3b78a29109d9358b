//! The workflow: how it is registered and configured, and how its jobs depend on each other.

mod support;

use dataflow::my_workflow::NAME;
use support::{Place, failure, open, run, summary};
use workflow_config::Loader;
use workflow_core::registry;

#[test]
fn it_is_registered_and_described_by_its_configuration() {
    Loader::new().describe_registered().expect("the configuration is valid");
    let entry = registry::get(NAME).expect("it is linked");
    let metadata = entry.metadata();
    assert_eq!(metadata.schedule(), Some("0 0 * * *"));
    assert_eq!(metadata.description(), Some("Extracts and processes data from Source X"));
    assert_eq!(metadata.as_object()["title"], "My Workflow");
    assert_eq!(metadata.owner(), Some("data-team"));
}

#[test]
fn its_jobs_run_one_after_the_other() {
    let place = Place::new();
    let report = run(place.loader()).expect("it completes");
    let (extracted, transformed) = (summary(&report, "extract"), summary(&report, "transform"));
    let loaded = summary(&report, "load");
    assert_eq!((extracted.written, transformed.read), (50, 50));
    assert_eq!((transformed.written, loaded.written), (43, 43));
    // The last one tells of the whole workflow.
    assert_eq!((loaded.read, &loaded.stages), (50, &transformed.stages));
    assert_eq!((loaded.stages[0].name.as_str(), loaded.stages[0].received), ("cleaning", 50));
    assert_eq!(loaded.skipped + loaded.quarantined, transformed.skipped + transformed.quarantined);
}

#[test]
fn a_failed_extraction_starts_nothing_else() {
    let place = Place::new();
    let loader = place.loader().set("source.type", "file").set("source.file.path", "no/such.csv");
    let error = failure(loader);
    assert!(error.contains("extract") && error.contains("no/such.csv"), "{error}");
    assert!(!place.path("table.csv").exists());
}

#[test]
fn a_wrong_configuration_is_found_before_the_run() {
    let place = Place::new();
    for (path, value, named) in [
        ("source.type", "paper", "source.type"),
        ("ingestion.parameters.batch_size", "many", "batch_size"),
        ("schedule.cron", "every night", "schedule.cron"),
    ] {
        let loader = place.loader().set(path, value);
        let invalid = loader.validate(NAME).map(drop).expect_err(path).to_string();
        assert!(invalid.contains(named), "{invalid}");
        let error = failure(loader);
        assert!(error.contains(named), "{error}");
    }
    open(&place.loader());
}
