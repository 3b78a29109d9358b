//! Extraction: what the sources yield, and how they fail.

mod support;

use dataflow::my_workflow::ingestion::extract_data;
use dataflow::my_workflow::{NAME, assets};
use support::{Place, api, open};
use workflow_config::Loader;
use workflow_data::Summary;

fn extract(loader: &Loader) -> Result<Summary, String> {
    let pipeline = extract_data(&open(loader)).map_err(|error| error.to_string())?;
    pipeline.run().map_err(|error| error.to_string())
}

#[test]
fn records_are_extracted_as_they_are_with_their_metadata() {
    let place = Place::new();
    let summary = extract(&place.loader()).expect("it runs");
    assert_eq!((summary.read, summary.written, summary.quarantined), (50, 50, 0));
    assert_eq!((summary.metadata.source.as_str(), summary.metadata.record_count), ("source_x", 50));
    assert!(summary.metadata.transformation_stages.is_empty());
    assert!(assets::extracted(&open(&place.loader())).expect("a path").is_file());
    assert!(!place.path("table.parquet").exists(), "only `load` writes the outputs");
}

#[test]
fn an_api_is_read_page_by_page() {
    let (place, api) = (Place::new(), api::Api::start(api::records(250), 0));
    let summary = extract(&place.of_api(&api)).expect("it runs");
    assert_eq!(summary.read, 250);
    // Three pages with records, and the empty one that ends them.
    assert_eq!(api.requests(), 4);
}

#[test]
fn an_api_that_recovers_is_asked_again() {
    let (place, api) = (Place::new(), api::Api::start(api::records(10), 2));
    assert_eq!(extract(&place.of_api(&api)).expect("it runs").read, 10);
    assert_eq!(api.requests(), 4);
}

#[test]
fn an_api_that_stays_broken_fails_with_its_status() {
    let (place, api) = (Place::new(), api::Api::start(api::records(10), usize::MAX));
    let error = extract(&place.of_api(&api)).expect_err("it is broken");
    assert!(error.contains("500") && error.contains(api.url()), "{error}");
    // One request, and `max_retries` more.
    assert_eq!(api.requests(), 4);
}

#[test]
fn an_api_that_is_down_is_named() {
    let (place, api) = (Place::new(), api::Api::down());
    let loader = place.of_api(&api).set("ingestion.parameters.max_retries", 0);
    let error = extract(&loader).expect_err("nobody listens");
    assert!(error.contains(api.url()), "{error}");
}

#[test]
fn a_wrong_token_is_refused_without_being_shown() {
    let (place, api) = (Place::new(), api::Api::start(api::records(10), 0));
    let loader = place.of_api(&api).set("source.api.token", "not-this-one");
    let error = extract(&loader).expect_err("it is wrong");
    assert!(error.contains("401") && !error.contains("not-this-one"), "{error}");
    assert_eq!(api.requests(), 1, "asking again would not help");
}

#[test]
fn a_file_yields_its_records() {
    let place = Place::new();
    let loader = place.of_file("id,name,amount,created_at\n1,Ada,2.5,2026-01-01T00:00:00Z\n");
    assert_eq!(extract(&loader).expect("it runs").read, 1);
    let config = open(&loader.set("source.file.path", "no/such/*.csv"));
    let error = extract_data(&config).expect_err("there is none").to_string();
    assert!(error.contains("no/such/*.csv"), "{error}");
}

#[test]
fn a_variable_of_the_environment_chooses_the_source() {
    let variable = [("WORKFLOW_MY_WORKFLOW__SOURCE__TYPE", "api")];
    let config = Loader::new().environment(variable).open(NAME).expect("it can be read");
    assert_eq!(config.value()["source"]["type"], "api");
    assert_eq!(config.value()["source"]["api"]["token"], "***");
}
