//! Transformation: what the stages do with records, and how they fail.

use sales::transform;
use serde_json::{Value, json};
use workflow_config::Config;
use workflow_data::{Pipeline, PipelineError};

/// Runs one stage over the records of a CSV file, and returns the table that it makes.
fn through(stage: Value, records: &str) -> Result<String, PipelineError> {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
    std::fs::write(&from, records).expect("it can be written");
    let config = json!({
        "source": { "type": "file", "file": { "path": from } },
        "transformation": { "stages": [stage] },
        "output": { "type": "file", "path": to },
    });
    let config = Config::from_json("sales", config)?;
    Pipeline::builder(&config).stages(transform::stages()).build()?.run()?;
    Ok(std::fs::read_to_string(to).expect("it is written"))
}

#[test]
fn amounts_have_a_size() {
    let stage = json!({ "name": "size", "options": { "large_from": 10 } });
    let table = through(stage, "amount\n9.5\n10\n\"\"\n").expect("it runs");
    assert_eq!(table, "amount,size\n9.5,small\n10.0,large\n,\n");
}

/// Types are found from values: these are integers, and there none.
#[test]
fn amounts_may_be_whole_or_missing() {
    let stage = json!({ "name": "size", "options": { "large_from": 10 } });
    let table = through(stage.clone(), "amount\n5\n10\n").expect("it runs");
    assert_eq!(table, "amount,size\n5,small\n10,large\n");
    assert_eq!(through(stage, "amount\n").expect("it runs"), "amount,size\n");
}

#[test]
fn records_are_trimmed_and_occur_once() {
    let options = json!({ "trim": true, "remove_duplicates": true });
    let stage = json!({ "name": "cleaning", "options": options });
    assert_eq!(through(stage, "name\nAda\n Ada\nEmmy\n").expect("it runs"), "name\nAda\nEmmy\n");
}

#[test]
fn a_table_without_amounts_is_refused() {
    let error = through(json!({ "name": "size" }), "price\n1\n").expect_err("no amount");
    assert_eq!(error.to_string(), "stage `size`: the column `amount` must be a number");
}

#[test]
fn an_unknown_option_is_named() {
    let stage = json!({ "name": "size", "options": { "biggest": 1 } });
    let error = through(stage, "amount\n1\n").expect_err("no such option").to_string();
    assert!(error.contains("biggest"), "{error}");
}
