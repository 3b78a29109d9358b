//! The tables, as the document that asks for them has them.

use std::sync::Arc;

use serde_json::json;
use workflow_core::{Begun, NewRun, RunId};
use workflow_store::{MatchedBy, NewWorkflow, Source};

use crate::support::*;

/// The columns, types, constraints and defaults.
const WORKFLOW: &str = "
    id BIGSERIAL PRIMARY KEY,
    project_id INTEGER NOT NULL,
    project_name VARCHAR(255) NOT NULL,
    name VARCHAR(255) NOT NULL,
    slug VARCHAR(255) NOT NULL,
    description TEXT,
    app_name VARCHAR(255),
    molecules_used JSONB DEFAULT '[]',
    atoms_in_molecules JSONB DEFAULT '{}',
    dag_spec JSONB DEFAULT '{}',
    user_id BIGINT REFERENCES accounts_user(id) ON DELETE SET NULL,
    created_at TIMESTAMP NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMP NOT NULL DEFAULT NOW(),
    is_active BOOLEAN DEFAULT TRUE,
    version INTEGER DEFAULT 1,
    execution_count INTEGER DEFAULT 0,
    last_executed_at TIMESTAMP NULL";

const RUN: &str = "
    id BIGSERIAL PRIMARY KEY,
    workflow_id BIGINT NOT NULL REFERENCES workflows_workflow(id) ON DELETE CASCADE,
    started_at TIMESTAMP NOT NULL DEFAULT NOW(),
    completed_at TIMESTAMP NULL,
    status VARCHAR(50) DEFAULT 'pending',
    error_message TEXT,
    result_data JSONB DEFAULT '{}'";

const INDEXES: &str = "
CREATE INDEX ON workflows_workflow (project_id);
CREATE INDEX ON workflows_workflow (user_id);
CREATE INDEX ON workflows_workflow (slug);
CREATE INDEX ON workflows_workflow (created_at DESC);
CREATE INDEX ON workflows_workflowrun (workflow_id, started_at DESC);
CREATE INDEX ON workflows_workflowrun (status);";

pub(crate) async fn every_column_of_the_document_is_there(place: Place) {
    for (table, columns) in [("workflows_workflow", WORKFLOW), ("workflows_workflowrun", RUN)] {
        for line in columns.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let name = line.split(' ').next().unwrap_or_default();
            let is_needed = line.contains("NOT NULL") || line.contains("PRIMARY KEY");
            let (sql, wanted) = if place.raw.is_postgres() {
                let kind = line.split([' ', '(', ',']).nth(1).unwrap_or_default();
                let kind = match kind {
                    "BIGSERIAL" | "BIGINT" => "bigint",
                    "INTEGER" => "integer",
                    "VARCHAR" => "character varying",
                    "TEXT" => "text",
                    "JSONB" => "jsonb",
                    "TIMESTAMP" => "timestamp without time zone",
                    _ => "boolean",
                };
                let has_default = line.contains("DEFAULT") || line.contains("BIGSERIAL");
                let sql = format!(
                    "SELECT data_type || ' ' || (is_nullable = 'NO') || ' ' || \
                     (column_default IS NOT NULL) FROM information_schema.columns \
                     WHERE table_name = '{table}' AND column_name = '{name}'"
                );
                (sql, format!("{kind} {is_needed} {has_default}"))
            } else {
                // A primary key that is the row's number needs no NOT NULL.
                let is_needed = line.contains("NOT NULL");
                let has_default = line.contains("DEFAULT");
                let sql = format!(
                    "SELECT \"notnull\" || ' ' || (dflt_value IS NOT NULL) \
                     FROM pragma_table_info('{table}') WHERE name = '{name}'"
                );
                (sql, format!("{} {}", u8::from(is_needed), u8::from(has_default)))
            };
            assert_eq!(place.raw.query(&sql), [wanted], "{table}.{name}");
        }
    }
    if place.raw.is_postgres() {
        for line in INDEXES.lines().filter(|line| !line.is_empty()) {
            let on = line.trim_start_matches("CREATE INDEX ON ").trim_end_matches(';');
            let (table, columns) = on.split_once(' ').expect("a table");
            let found = place.raw.query(&format!(
                "SELECT indexdef FROM pg_indexes WHERE tablename = '{table}' \
                 AND indexdef LIKE '%btree {columns}'"
            ));
            assert_eq!(found.len(), 1, "{line}: {found:?}");
        }
        // What the document makes where there is nothing is taken over.
        let old = crate::cluster::database();
        old.execute("CREATE TABLE accounts_user (id BIGSERIAL PRIMARY KEY, username TEXT)");
        old.execute(&format!("CREATE TABLE workflows_workflow ({WORKFLOW});"));
        old.execute(&format!("CREATE TABLE workflows_workflowrun ({RUN});"));
        old.execute(INDEXES);
        let insert = "INSERT INTO workflows_workflow (project_id, project_name, name, slug) \
            VALUES (1, 'p', 'theirs', 'theirs')";
        old.execute(insert);
        let store = workflow_store::open(old.url()).await.expect("taken over");
        assert_eq!(store.workflow("theirs").await.expect("found").project_id, 1);
        store.begin(new_run("theirs"), whole_run(5, true)).await.expect("begun");
        let found =
            old.query("SELECT count(*) FROM pg_indexes WHERE tablename LIKE 'workflows_%run'");
        let fresh = place
            .raw
            .query("SELECT count(*) FROM pg_indexes WHERE tablename LIKE 'workflows_%run'");
        assert_eq!(found, fresh);
    }
}

/// Names and keys as they were before they had owners and scopes.
pub(crate) async fn what_was_before_gets_owners_and_scopes(place: Place) {
    let mut file = new_run("etl");
    file.workflow.source = Some(Arc::new(json!({ "text": "a" })));
    for (name, key) in [("code", "k"), ("other", "l"), ("other", "m")] {
        let mut run = new_run(name);
        run.idempotency_key = Some(key.to_owned());
        place.store.begin(run, whole_run(5, true)).await.expect("begun");
    }
    place.store.begin(file.clone(), whole_run(5, true)).await.expect("begun");
    // As the version before has it: what ran is code, and keys are those of a workflow.
    place.raw.execute(
        "DROP TABLE workflows_unfolded;
         DROP TABLE workflows_waiting;
         DROP INDEX workflows_workflowrun_key_scope_idx;
         UPDATE workflows_workflow SET source = 'registered', definition = NULL;
         UPDATE workflows_workflowrun SET idempotency_key = 'k' WHERE idempotency_key = 'l';
         UPDATE workflows_workflowrun SET trigger = 'schedule' WHERE idempotency_key = 'm';
         ALTER TABLE workflows_workflowrun DROP COLUMN key_scope;
         CREATE UNIQUE INDEX workflows_workflowrun_idempotency_key_idx
             ON workflows_workflowrun (workflow_id, idempotency_key);
         CREATE INDEX workflows_workflowrun_key_idx ON workflows_workflowrun (idempotency_key);
         DELETE FROM refinery_schema_history WHERE version >= 7;",
    );
    let store = place.raw.open().await;
    let found = store.find_workflow("etl").await.expect("there");
    assert_eq!((found.0.source, found.1), (Source::Stored, MatchedBy::OwnName));
    assert_eq!(found.0.definition, Some(json!({ "text": "a" })));
    assert_eq!(store.workflow("code").await.expect("there").source, Source::Registered);
    let again = store.begin(new_run_like(&file), Vec::new()).await.expect("begun");
    assert!(matches!(again, Begun::New(_)));
    assert_eq!(store.count_runs("etl").await.expect("counted"), 2);
    let scopes = place.raw.query(
        "SELECT key_scope FROM workflows_workflowrun WHERE key_scope IS NOT NULL ORDER BY id",
    );
    assert_eq!(scopes[0], "user 0");
    // The second run of the same key keeps it, where nobody looks it up.
    assert!(scopes[1].starts_with("run ") && scopes[2] == "schedule", "{scopes:?}");
    let mut run = new_run("code");
    run.idempotency_key = Some("k".to_owned());
    let begun = store.begin(run, Vec::new()).await.expect("it is found");
    assert!(matches!(begun, Begun::Existing(_)), "{begun:?}");
}

fn new_run_like(run: &NewRun) -> NewRun {
    NewRun { id: RunId::random(), ..run.clone() }
}

/// What the document's queries come to as SQL.
pub(crate) async fn queries_of_the_document_run(place: Place) {
    let mut new = NewWorkflow::new("Q4 Sales Analysis");
    new.project_id = 123;
    new.molecules_used = vec!["data-loader".to_owned(), "data-processor".to_owned()];
    new.atoms_in_molecules =
        json!({ "data_loader": ["csv-reader", "excel-reader"] }).as_object().cloned().expect("one");
    place.store.create_workflow(new).await.expect("made");
    place.store.begin(new_run("popular"), whole_run(5, true)).await.expect("begun");
    let query = |sql: &str| place.raw.query(sql);
    assert_eq!(
        query("SELECT name FROM workflows_workflow WHERE project_id = 123"),
        ["Q4 Sales Analysis"]
    );
    assert_eq!(
        query("SELECT name FROM workflows_workflow ORDER BY execution_count DESC LIMIT 10"),
        ["popular", "Q4 Sales Analysis"]
    );
    let (molecule, atom) = if place.raw.is_postgres() {
        (
            "molecules_used @> '[\"data-loader\"]'",
            "atoms_in_molecules -> 'data_loader' @> '[\"csv-reader\"]'",
        )
    } else {
        (
            "EXISTS (SELECT 1 FROM json_each(molecules_used) WHERE value = 'data-loader')",
            "EXISTS (SELECT 1 FROM json_each(atoms_in_molecules -> 'data_loader') \
             WHERE value = 'csv-reader')",
        )
    };
    for condition in [molecule, atom] {
        let sql = format!("SELECT name FROM workflows_workflow WHERE {condition}");
        assert_eq!(query(&sql), ["Q4 Sales Analysis"]);
    }
    // A run that another application writes shows with its aliases read.
    place.raw.execute(
        "INSERT INTO workflows_workflowrun (workflow_id, status) \
         SELECT id, 'success' FROM workflows_workflow WHERE project_id = 123",
    );
    let runs = place.store.runs(workflow_store::RunQuery::default()).await.expect("listed");
    assert_eq!(runs.items.len(), 2);
    assert!(runs.items.iter().all(|run| run.status == workflow_core::Status::Completed));
}

pub(crate) async fn a_run_shows_in_its_tables(place: Place) {
    place.store.begin(new_run("etl"), whole_run(5, true)).await.expect("begun");
    place.store.begin(new_run("etl"), whole_run(5, false)).await.expect("begun");
    let column = |column: &str| {
        place.raw.query(&format!("SELECT {column} FROM workflows_workflowrun ORDER BY id"))
    };
    assert_eq!(column("status"), ["completed", "failed"]);
    assert_eq!(column("result_data ->> 'rows'"), ["7", ""]);
    assert_eq!(column("error_message"), ["", "job `load` failed"]);
    assert!(column("completed_at").iter().all(|at| at.starts_with("2026-01-02 03:00:00.005")));
    let workflow =
        |column: &str| place.raw.query(&format!("SELECT {column} FROM workflows_workflow"));
    assert_eq!(
        workflow("name || ' ' || slug || ' ' || project || ' ' || source"),
        ["etl etl sales registered"]
    );
    assert_eq!(workflow("metadata ->> 'project'"), ["sales"]);
    assert_eq!(place.raw.query("SELECT count(*) FROM workflows_definition"), ["1"]);
    let kinds = place.raw.query("SELECT kind FROM workflows_event ORDER BY run, sequence");
    assert_eq!(kinds[..4], ["run_started", "job_started", "job_completed", "run_completed"]);
}
