//! The commands that use a store, on PostgreSQL.

use test_postgres as cluster;

use crate::support::{Outcome, folder, workflow_in};

const ETL: &str = r#"
name: etl
jobs:
  - { name: extract, command: 'true' }
  - { name: load, command: 'test -e right', depends_on: [extract] }
"#;

#[test]
fn a_store_may_be_postgresql() {
    let database = cluster::database();
    let folder = folder("postgres", &[("etl.yaml", ETL)]);
    let does = |code: i32, args: &[&str]| -> Outcome {
        let said = workflow_in(&folder, &[args, &["--db", database.url()]].concat());
        assert_eq!(said.code, Some(code), "{args:?}: {}{}", said.out, said.err);
        said
    };
    does(0, &["migrate"]);
    does(1, &["run", "etl.yaml", "-q", "--idempotency-key", "monday"]);
    does(1, &["run", "etl.yaml", "-q", "--idempotency-key", "monday"]);
    let runs = does(0, &["runs", "list", "-f", "json"]).json()["items"].take();
    assert_eq!((runs.as_array().map(Vec::len), &runs[0]["status"]), (Some(1), &"failed".into()));
    std::fs::write(folder.join("right"), "").expect("written");
    let run = runs[0]["id"].as_str().expect("an id");
    does(0, &["runs", "retry", run, "--failed-only", "-q"]);
    let stats = does(0, &["stats", "-f", "json"]).json()[0]["jobs"].take();
    assert_eq!((&stats[0]["job"], &stats[0]["completed"]), (&"extract".into(), &1.into()));
    assert_eq!((&stats[1]["completed"], &stats[1]["failed"]), (&1.into(), &1.into()));
    let merge = ["workflows", "update", "etl", "--merge-metadata", r#"{"stage": "test"}"#];
    let updated = does(0, &[&merge[..], &["-f", "json"]].concat()).json();
    assert_eq!(updated["metadata"]["stage"], "test");
    does(0, &["runs", "export", "-o", "runs.jsonl"]);
    assert_eq!(does(0, &["recover"]).err, "no runs to resume\n");
    assert_eq!(does(0, &["prune", "--keep-last", "1"]).err, "deleted 1 run\n");
    does(0, &["workflows", "delete", "etl", "--yes"]);
    does(0, &["runs", "import", "runs.jsonl"]);
    assert_eq!(does(0, &["workflows", "get", "etl", "-f", "json"]).json()["name"], "etl");
}
