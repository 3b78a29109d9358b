//! Tests that every query on a large table uses an index.

use std::time::SystemTime;

use workflow_core::Status;

use super::resolve::{self, Found, MatchedBy};
use super::run_filter::{self, RunQuery, Within};
use super::{overview, prune, recent, resolve_run, runs, stats, versions, workflows};
use crate::db::connect::{Connect, Purpose};
use crate::db::sql::Dialect;
use crate::db::statement::Statement;
use crate::db::value::Value;
use crate::page::Cursor;
use crate::visibility::Visibility;
use crate::workflows::{slug, version};

const LARGE: [&str; 14] = [
    "workflows_evicted",
    "workflows_queue",
    "workflows_task",
    "workflows_task_output",
    "workflows_limited",
    "workflows_rate",
    "workflows_workflow",
    "workflows_version",
    "workflows_workflowrun",
    "workflows_event",
    "workflows_label",
    "workflows_duration",
    "accounts_token",
    "accounts_session",
];

/// The viewers, whether the workflow is theirs, and who requested the runs.
const VISIBILITIES: [(Visibility, bool, Option<i64>); 4] = [
    (Visibility::All, true, None),
    (Visibility::All, true, Some(1)),
    (Visibility::User(1), true, None),
    (Visibility::User(1), false, None),
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
            for (visibility, is_own, user) in VISIBILITIES {
                let found = workflow.map(|id| Found { id, is_own, by: MatchedBy::Id });
                let within = Within { workflow: found, user };
                let statement =
                    run_filter::select(&runs::listed(), &query, visibility, within, after, 50)
                        .expect("put together");
                let name = format!("{visibility:?} {within:?} {query:?} {}", after.is_some());
                statements.push((name, statement));
            }
        }
    }
    statements
}

/// What the pages ask for.
fn pages(dialect: Dialect) -> Vec<(String, Statement)> {
    let mut statements = Vec::new();
    for visibility in [Visibility::All, Visibility::User(1)] {
        let found = |is_own| Found { id: 1, is_own, by: MatchedBy::Id };
        for of in [None, Some(found(true)), Some(found(false))] {
            statements.push((
                format!("since {visibility:?} {of:?}"),
                overview::runs_since(visibility, SystemTime::UNIX_EPOCH, of).expect("put together"),
            ));
        }
        let recent = recent::select(dialect, visibility, &[1, 2], 5);
        statements.push((format!("recent {visibility:?}"), recent));
        statements.push((format!("counts {visibility:?}"), overview::count_statuses(visibility)));
        for before in [None, Some(7)] {
            statements.push((format!("versions {before:?}"), versions::listed(1, before, 50)));
        }
        for labels in [overview::MOLECULES, overview::ATOMS] {
            statements.push((
                format!("usage {labels} {visibility:?}"),
                overview::used(visibility, labels),
            ));
        }
    }
    statements
}

/// Every statement that is put together.
fn built(dialect: Dialect) -> Vec<(String, Statement)> {
    let all = workflows::all_statements().into_iter().chain(lists_of_runs());
    all.chain(resolve::statements())
        .chain(resolve_run::statements())
        .chain(crate::runs::built_statements())
        .chain(pages(dialect))
        .collect()
}

/// Statements that are written down as they are, with values for them.
fn fixed() -> Vec<(String, Vec<Value<'static>>)> {
    let one = Value::Int(1);
    let catalog = [
        (version::OF_FILE, vec![one, Value::Text("{}")]),
        (versions::ONE, vec![one, one]),
        (slug::TAKEN, vec![Value::Text("etl"), one]),
        (stats::ONE, vec![one]),
        (stats::BUCKETS_OF_ONE, vec![one]),
        (stats::OWN, vec![one]),
        (stats::BUCKETS_OF_OWN, vec![one]),
        (stats::INSERTED_OF_ONE, vec![one]),
        (stats::INSERTED_OF_OWN, vec![one]),
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
    let options = crate::db::sqlite::SqliteOptions::new();
    let opener = crate::db::sqlite::Opener::new(&folder.path().join("workflows.db"), options);
    let mut sql = opener.connect(Purpose::Write).expect("opened");
    let check = |name: &str, plan: Vec<crate::db::value::Row>| {
        // What a user sees is merged from two pages, and so is what stands somewhere: each is
        // sorted, and the result of the merge, too.
        let is_of_user = name.starts_with("User(1) Within { workflow: None");
        let is_of_status = name.contains("status: Some");
        let mut sorts_left = match (is_of_user, is_of_status) {
            (false, false) => 0,
            (true, true) => 5,
            _ => 3,
        };
        // The workflows of one user.
        sorts_left += usize::from(name == stats::OWN);
        // What is merged, or grouped first.
        sorts_left += if name.starts_with("since User(1) None") { 3 } else { 0 };
        sorts_left += usize::from(name.starts_with("usage"));
        // Blocked runs are few.
        sorts_left += usize::from(name.contains("IN (SELECT run FROM workflows_blocked)"));
        for row in plan {
            let step = row.text(3).expect("a step");
            // `found` and `part` are what a limit has cut, `times` and `ranks` are two rows; rows lie
            // in the order of their making.
            let few = ["found", "part", "times", "ranks", "CONSTANT ROW"];
            let is_cut = few.iter().any(|rows| step == format!("SCAN {rows}"))
                || (step == "SCAN w" && (name.starts_with("Created") || name.starts_with("Id ")));
            let is_list = step.contains("VIRTUAL TABLE");
            let scans = step.starts_with("SCAN") && !step.contains("USING") && !is_cut && !is_list;
            assert!(!scans, "{name}: {step}");
            let mut sorts = step.contains("TEMP B-TREE FOR ORDER BY");
            if sorts && sorts_left > 0 {
                (sorts, sorts_left) = (false, sorts_left - 1);
            }
            assert!(
                !sorts || name.contains("Some(0)") || name.contains("idempotency_key: Some"),
                "{name}: {step}"
            );
        }
    };
    for (name, statement) in built(Dialect::Sqlite) {
        check(&name, statement.explain(sql.as_mut(), "EXPLAIN QUERY PLAN").expect(&name));
    }
    for (text, values) in fixed() {
        check(&text, sql.query(&format!("EXPLAIN QUERY PLAN {text}"), &values).expect(&text));
    }
}

#[test]
fn postgresql_scans_no_table() {
    let database = test_postgres::database();
    let opener = crate::db::postgres::Opener::new(database.url()).expect("a URL");
    let mut sql = opener.connect(Purpose::Write).expect("opened");
    // Small tables are scanned whatever indexes there are; now only those are that have none.
    sql.batch("SET enable_seqscan = off").expect("set");
    let check = |name: &str, plan: Vec<crate::db::value::Row>| {
        for row in plan {
            let step = row.text(0).expect("a step");
            let scanned = step.split("Seq Scan on ").nth(1).and_then(|rest| rest.split(' ').next());
            assert!(!scanned.is_some_and(|table| LARGE.contains(&table)), "{name}: {step}");
        }
    };
    for (name, statement) in built(Dialect::Postgres) {
        check(&name, statement.explain(sql.as_mut(), "EXPLAIN").expect(&name));
    }
    for (text, values) in fixed() {
        check(&text, sql.query(&format!("EXPLAIN {text}"), &values).expect(&text));
    }
}
