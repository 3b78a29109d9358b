//! Transformation: what the stages do with records, and how they fail.

mod support;

use dataflow::my_workflow::ingestion::extract_data;
use dataflow::my_workflow::transform::{load_data, transform_data};
use support::{Place, open};
use workflow_config::Loader;
use workflow_data::Summary;

/// Takes the records of a CSV file through extraction, transformation and loading.
fn transform(place: &Place, loader: &Loader) -> Result<(Summary, String), String> {
    let config = open(loader);
    let summary = (|| {
        extract_data(&config)?.run()?;
        let summary = transform_data(&config)?.run()?;
        load_data(&config)?.run().map(|_| summary)
    })();
    let summary = summary.map_err(|error| error.to_string())?;
    Ok((summary, place.read("table.csv")))
}

const RECORDS: &str = "\
id,name,amount,created_at
1, Ada ,120.5,2026-01-01T08:00:00Z
1, Ada ,120.5,2026-01-01T08:00:00Z
2,Carl,,2026-01-02T08:00:00Z
3,Emmy,-1,2026-01-02T08:00:00Z
4,Grace,500,2026-01-02T08:00:00Z
";

#[test]
fn records_are_cleaned_and_enriched() {
    let place = Place::new();
    let (summary, table) = transform(&place, &place.of_file(RECORDS)).expect("it runs");
    let stages = ["cleaning", "validation", "enrichment", "size"];
    assert_eq!(summary.metadata.transformation_stages, stages);
    assert_eq!((summary.read, summary.quarantined, summary.written), (5, 2, 2));
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[0], "id,name,amount,created_at,origin,processed_at,size");
    assert!(lines[1].starts_with("1,Ada,120.5,"), "{table}");
    assert!(lines[1].contains(",Source X,") && lines[1].ends_with(",small"), "{table}");
    assert!(lines[2].ends_with(",large"), "{table}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_record_without_a_value_is_set_aside_with_its_reason() {
    let place = Place::new();
    transform(&place, &place.of_file(RECORDS)).expect("it runs");
    let rejected = place.read("rejected.jsonl");
    assert_eq!(rejected.lines().count(), 2, "{rejected}");
    assert!(rejected.contains("\"column\":\"amount\""), "{rejected}");
}

#[test]
fn a_missing_column_is_named() {
    let place = Place::new();
    let loader = place.of_file("id,name,created_at\n1,Ada,2026-01-01T08:00:00Z\n");
    let loader = loader.set("source.file.columns", serde_json::json!({ "id": "integer" }));
    let error = transform(&place, &loader).expect_err("there is no amount");
    assert!(error.contains("amount"), "{error}");
    assert!(!place.path("table.csv").exists());
}

#[test]
fn a_value_of_another_type_is_set_aside() {
    let place = Place::new();
    let records = "id,name,amount,created_at\n1,Ada,many,2026-01-01T08:00:00Z\n\
                   2,Carl,7,2026-01-01T08:00:00Z\n";
    let (summary, _) = transform(&place, &place.of_file(records)).expect("it runs");
    assert_eq!(summary.written, 1);
    assert!(place.read("rejected.jsonl").contains("\"value\":\"many\""));
}

#[test]
fn the_first_invalid_record_stops_a_strict_pipeline() {
    let place = Place::new();
    let loader = place.of_file(RECORDS).set("processing.on_failure", "fail");
    let error = transform(&place, &loader).expect_err("one amount is missing");
    assert!(error.contains("`amount`") && error.contains("record"), "{error}");
    assert!(!place.path("table.csv").exists());
}

#[test]
fn a_table_without_records_is_empty_and_no_error() {
    let place = Place::new();
    let records = "id,name,amount,created_at\n";
    let (summary, table) = transform(&place, &place.of_file(records)).expect("it runs");
    assert_eq!((summary.read, summary.written), (0, 0));
    assert_eq!(table, "id,name,amount,created_at,origin,processed_at,size\n");
}

#[test]
fn a_wrong_option_of_a_stage_is_named_with_its_place() {
    let place = Place::new();
    let stages = serde_json::json!([{ "name": "size", "options": { "biggest": 1 } }]);
    let loader = place.of_file(RECORDS).set("transformation.stages", stages);
    let error = transform(&place, &loader).expect_err("there is no such option");
    assert!(error.contains("biggest"), "{error}");
}
