//! Extraction: what the source yields, and how it fails.

use sales::ingestion::{self, NAME};
use workflow_config::{Config, Loader};
use workflow_data::{FailurePolicy, Rejects};

fn config() -> Loader {
    Loader::new().profile("test")
}

fn open(loader: &Loader) -> Config {
    loader.open(NAME).expect("config.yaml can be read")
}

#[test]
fn the_source_yields_records_with_their_origin() {
    let mut source = ingestion::source(&open(&config())).expect("it opens");
    let mut rejects = Rejects::new(FailurePolicy::Fail);
    let batch = source.next(&mut rejects).expect("it can be read").expect("there is a batch");
    assert_eq!(batch.metadata().source, NAME);
    assert_eq!(batch.metadata().record_count, 100);
    assert!(batch.records().column_by_name("amount").is_some());
}

#[test]
fn a_missing_file_is_named() {
    let config = open(&config().set("source.type", "file").set("source.file.path", "no/such.csv"));
    let error = ingestion::source(&config).map(drop).expect_err("there is none").to_string();
    assert!(error.contains("no/such.csv"), "{error}");
}

#[test]
fn a_wrong_option_is_named() {
    let config = open(&config().set("source.mock.records", "many"));
    let error = ingestion::source(&config).map(drop).expect_err("it is a text").to_string();
    assert!(error.contains("source.mock.records"), "{error}");
}
