//! What the pages of a server ask for.

use serde_json::json;
use workflow_core::Status;
use workflow_store::{RunQuery, StatusReport};

use super::support::*;

pub(crate) async fn runs_of_other_applications_are_reported(place: Place) {
    place.store.begin(new_run("theirs"), Vec::new()).await.expect("begun");
    place.raw.execute(
        "INSERT INTO workflows_workflowrun (workflow_id, status) \
         SELECT id, 'running' FROM workflows_workflow",
    );
    let runs = place.store.runs(RunQuery { status: Some(Status::Running), ..Default::default() });
    let run = runs.await.expect("listed").items[0].id;
    let why = Some("no rows".to_owned());
    let failed = StatusReport { error: why.clone(), ..StatusReport::new(Status::Failed) };
    let failed = place.store.report_run(run, failed).await;
    let failed = failed.expect("recorded");
    // It ran already: what is on record begins with that.
    assert_eq!((failed.status, failed.error, failed.events), (Status::Failed, why, 2));
    assert_eq!(failed.begun_at, Some(failed.started_at));
    let figures = place.store.statistics(Some("theirs")).await.expect("known");
    assert_eq!((figures[0].runs.failed, figures[0].runs.completed), (1, 0));
}

/// What no 64 bits hold is text where others wrote it, so that the row can be read.
pub(crate) async fn numbers_of_other_applications_are_read(place: Place) {
    let run = new_run("theirs");
    place.store.begin(run.clone(), whole_run(5, true)).await.expect("begun");
    let theirs = r#"{"n": 18446744073709551616, "huge": [1e400], "float": 1e20, "fits": 18446744073709551615}"#;
    place.raw.execute(&format!(
        "UPDATE workflows_workflow SET metadata = '{theirs}';
         UPDATE workflows_workflowrun SET input = '{theirs}', result_data = '{theirs}';"
    ));
    let metadata = place.store.workflow("theirs").await.expect("there").metadata;
    let metadata = serde_json::to_value(&metadata).expect("JSON");
    let details = place.store.run_details(run.id).await.expect("there");
    for read in [metadata, details.input.expect("one"), details.result] {
        assert_eq!(read["n"], "18446744073709551616");
        assert_eq!((&read["float"], &read["fits"]), (&json!(1e20), &json!(u64::MAX)));
        let huge = read["huge"][0].as_str().expect("a text").to_owned();
        assert!(huge == "1e400" || huge == format!("1{}", "0".repeat(400)), "{huge}");
    }
}
