//! Every question that is asked of a large table has an index.

#[path = "../../tests/cluster/mod.rs"]
mod cluster;

use std::time::SystemTime;

use workflow_core::Status;

use super::page::Cursor;
use super::runs::RunQuery;
use super::{prune, runs, stats, workflows};
use crate::crew::{Connect, Purpose};
use crate::statement::Statement;
use crate::value::Value;

const LARGE: [&str; 5] = [
    "workflows_workflow",
    "workflows_workflowrun",
    "workflows_event",
    "workflows_label",
    "workflows_duration",
];

/// Every statement that lists runs.
fn lists_of_runs() -> Vec<(String, Statement)> {
    let mut queries = Vec::new();
    let now = Some(SystemTime::now());
    for workflow in [None, Some(1)] {
        for status in [None, Some(Status::Failed)] {
            for since in [None, now] {
                for key in [None, Some("k".to_owned())] {
                    let idempotency_key = key;
                    let query = RunQuery { status, since, idempotency_key, ..Default::default() };
                    queries.push((workflow, query));
                }
            }
        }
    }
    let after = Cursor { key: "7".to_owned(), id: 7 };
    let mut statements = Vec::new();
    for (workflow, query) in queries {
        for after in [None, Some(&after)] {
            let statement = runs::select(&query, workflow, after, 50).expect("put together");
            statements.push((format!("{workflow:?} {query:?} {}", after.is_some()), statement));
        }
    }
    statements
}

/// Statements that are written down as they are, with values for them.
fn fixed() -> Vec<(String, Vec<Value<'static>>)> {
    let one = Value::Int(1);
    let catalog = [
        (stats::ONE, vec![one]),
        (stats::BUCKETS_OF_ONE, vec![one]),
        (prune::OLD, vec![one, Value::Time(7), one]),
        (prune::FIRST_BEYOND, vec![one, one]),
        (prune::BEYOND, vec![one, Value::Time(7), one, one]),
    ];
    let catalog = catalog.into_iter().map(|(text, values)| (text.to_owned(), values));
    catalog.chain(crate::runs::statements()).collect()
}

#[test]
fn sqlite_scans_no_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = crate::SqliteOptions::new();
    let opener = crate::sqlite::Opener::new(&folder.path().join("workflows.db"), options);
    let mut sql = opener.connect(Purpose::Write).expect("opened");
    let check = |name: &str, plan: Vec<crate::value::Row>| {
        for row in plan {
            let step = row.text(3).expect("a step");
            // `found` is a count of what a limit has cut; rows lie in the order of their making.
            let is_cut = step == "SCAN found" || (step == "SCAN w" && name.starts_with("Created"));
            let scans = step.starts_with("SCAN") && !step.contains("USING") && !is_cut;
            assert!(!scans, "{name}: {step}");
            let sorts = step.contains("TEMP B-TREE FOR ORDER BY");
            assert!(
                !sorts || name.contains("Some(0)") || name.contains("idempotency_key: Some"),
                "{name}: {step}"
            );
        }
    };
    for (name, statement) in workflows::all_statements().into_iter().chain(lists_of_runs()) {
        check(&name, statement.explain(sql.as_mut(), "EXPLAIN QUERY PLAN").expect(&name));
    }
    for (text, values) in fixed() {
        check(&text, sql.query(&format!("EXPLAIN QUERY PLAN {text}"), &values).expect(&text));
    }
}

#[test]
fn postgresql_scans_no_table() {
    let database = cluster::database();
    let opener = crate::postgres::Opener::new(database.url()).expect("a URL");
    let mut sql = opener.connect(Purpose::Write).expect("opened");
    // Small tables are scanned whatever indexes there are; now only those are that have none.
    sql.batch("SET enable_seqscan = off").expect("set");
    let check = |name: &str, plan: Vec<crate::value::Row>| {
        for row in plan {
            let step = row.text(0).expect("a step");
            let scanned = step.split("Seq Scan on ").nth(1).and_then(|rest| rest.split(' ').next());
            assert!(!scanned.is_some_and(|table| LARGE.contains(&table)), "{name}: {step}");
        }
    };
    for (name, statement) in workflows::all_statements().into_iter().chain(lists_of_runs()) {
        check(&name, statement.explain(sql.as_mut(), "EXPLAIN").expect(&name));
    }
    for (text, values) in fixed() {
        check(&text, sql.query(&format!("EXPLAIN {text}"), &values).expect(&text));
    }
}
