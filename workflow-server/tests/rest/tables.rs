//! Tables of runs: their list, the start of each, and who may see them.

use serde_json::{Value as Json, json};
use workflow_core::prelude::*;
use workflow_core::registry::inventory;
use workflow_core::table::{
    self, ColumnChart, TableColumn, TableError, TablePreview, TableReader, TableRecord, ValueCount,
};
use workflow_store::TokenScope::{Read, Write};

use crate::support::{Kind, Site, with_both};

with_both!(
    the_start_of_a_table_is_shown,
    tables_are_as_visible_as_their_run,
    results_and_outputs_are_no_records,
);

/// Text that would be code on a page without escapes.
const HOSTILE: &str = "<img src=x onerror=alert(1)>\u{1b}[31m\u{0}";

inventory::submit! {
    TableReader { name: "rest-tests", read }
}

fn read(record: &TableRecord) -> Result<TablePreview, TableError> {
    if record.source["is_missing"] == true {
        return Err(TableError::new(&record.place, "the file was removed"));
    }
    let values = vec![ValueCount { value: HOSTILE.to_owned(), count: 1 }];
    let column = TableColumn {
        name: "note".to_owned(),
        kind: "text".to_owned(),
        nulls: 1,
        chart: Some(ColumnChart::Frequent { values, distinct: 1 }),
    };
    Ok(TablePreview {
        columns: vec![column],
        column_count: 1,
        rows: vec![vec![Some(HOSTILE.to_owned())], vec![None]],
        row_count: Some(2),
        sampled: 2,
        unreadable: 0,
    })
}

fn record(name: &str, is_missing: bool) -> TableRecord {
    let source = json!({ "is_missing": is_missing });
    let mut record = TableRecord::new(name, format!("data/{name}.csv"), "rest-tests", source);
    record.written = Some(2);
    record
}

#[job]
fn load_tables(ctx: &JobContext) -> Result<Json, JobError> {
    let tables = [record("notes", false), record("notes", true)];
    table::record(ctx, &tables)?;
    // As if the output were a record: it is not read as one.
    Ok(json!({ "workflow.tables": [record("of_output", false)] }))
}

#[register_workflow(name = "tables")]
fn tables(flow: &mut Flow) -> Handle<Json> {
    flow.job(load_tables())
}

async fn the_start_of_a_table_is_shown(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let run = client.run("tables", Json::Null).await["id"].as_str().expect("an id").to_owned();
    let path = format!("runs/{run}/tables");
    let of = |name: &str| json!({ "name": name, "job": "load_tables", "place": "data/notes.csv", "written": 2 });
    let listed = client.get(&path).await.is(200);
    assert_eq!(listed["items"], json!([of("notes"), of("notes-2")]));

    let shown = client.get(&format!("{path}/notes")).await.is(200);
    assert_eq!(shown["rows"], json!([[HOSTILE], [null]]));
    assert_eq!((&shown["row_count"], &shown["column_count"]), (&json!(2), &json!(1)));
    let chart = json!({
        "kind": "frequent", "values": [{ "value": HOSTILE, "count": 1 }], "distinct": 1,
    });
    let column = json!([{ "name": "note", "type": "text", "nulls": 1, "chart": chart }]);
    assert_eq!(shown["columns"], column);

    let missing = client.get(&format!("{path}/notes-2")).await;
    let detail = missing.is_problem(409, "table_unreadable")["detail"].clone();
    assert_eq!(detail, "cannot read `data/notes.csv`: the file was removed");
    client.get(&format!("{path}/other")).await.is_problem(404, "no_table");
    for name in ["..%2F..%2Fetc%2Fpasswd", "%00", "%2Fetc%2Fpasswd"] {
        client.get(&format!("{path}/{name}")).await.is(404);
    }
    client.get("runs/99999/tables").await.is_problem(404, "no_run");
}

async fn tables_are_as_visible_as_their_run(kind: Kind) {
    let site = Site::closed(kind).await;
    let (ada, bob) = (site.user("ada", Write).await, site.user("bob", Write).await);
    let run = ada.run("tables", Json::Null).await["id"].as_str().expect("an id").to_owned();
    for path in [format!("runs/{run}/tables"), format!("runs/{run}/tables/notes")] {
        ada.get(&path).await.is(200);
        site.user("ada", Read).await.get(&path).await.is(200);
        site.user("root", Read).await.get(&path).await.is(200);
        bob.get(&path).await.is_problem(404, "no_run");
        site.nobody().get(&path).await.is_problem(401, "sign_in");
    }
}

/// A client can send results, and values become outputs; both may name any file.
async fn results_and_outputs_are_no_records(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let run = client.run("tables", Json::Null).await["id"].as_str().expect("an id").to_owned();
    let path = format!("runs/{run}/tables/of_output");
    client.get(&path).await.is_problem(404, "no_table");

    let created = client
        .post(
            "workflows",
            json!({ "name": "outside", "dag_spec": { "nodes": [{ "id": "n" }], "edges": [] } }),
        )
        .await
        .is(201);
    let path = format!("workflows/{}/execute", created["id"]);
    let started = client.post(&path, json!({})).await.is(202);
    let run = started["run_id"].as_str().expect("an id");
    let forged = json!({ "workflow.tables": [record("forged", false)] });
    let report = json!({ "status": "completed", "result_data": forged });
    client.patch(&format!("runs/{run}"), report).await.is(200);
    let listed = client.get(&format!("runs/{run}/tables")).await.is(200);
    assert_eq!(listed["items"], json!([]));
}
