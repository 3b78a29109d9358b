//! The tables, as the document that asks for them has them.

use std::sync::Arc;

use serde_json::json;
use workflow_core::Status;
use workflow_core::id::RunId;
use workflow_core::store::{BeginOutcome, NewRun};
use workflow_store::{
    CatalogError, MatchedBy, NewUser, NewWorkflow, RunQuery, StatusReport, Viewer, WorkflowQuery,
    WorkflowSource,
};

use super::support::*;

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
        let old = test_postgres::database();
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
pub(crate) async fn older_workflows_and_keys_get_owners_and_scopes(place: Place) {
    let mut file = new_run("etl");
    file.workflow.source = Some(Arc::new(json!({ "text": "a" })));
    for (name, key) in [("code", "k"), ("other", "l"), ("other", "m")] {
        let mut run = new_run(name);
        run.idempotency_key = Some(key.to_owned());
        place.store.begin(run, whole_run(5, true)).await.expect("begun");
    }
    place.store.begin(file.clone(), whole_run(5, true)).await.expect("begun");
    // As the version before has it: what ran is code, and keys are those of a workflow.
    place.raw.undo(8);
    place.raw.execute(
        "DROP INDEX workflows_workflowrun_key_scope_idx;
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
    assert_eq!((found.0.source, found.1), (WorkflowSource::Stored, MatchedBy::OwnName));
    assert_eq!(found.0.definition, Some(json!({ "text": "a" })));
    assert_eq!(store.workflow("code").await.expect("there").source, WorkflowSource::Registered);
    // The file that a workflow is now is its first known version, which its runs have run.
    let versions = store.versions("etl", None, None).await.expect("listed").items;
    assert_eq!(versions.iter().map(|of| of.version).collect::<Vec<_>>(), [1]);
    let details = store.run_details(file.id).await.expect("there");
    assert_eq!(details.workflow_version, Some(1));
    let again = store.begin(new_run_like(&file), Vec::new()).await.expect("begun");
    assert!(matches!(again, BeginOutcome::New(_)));
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
    assert!(matches!(begun, BeginOutcome::Existing(..)), "{begun:?}");
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

/// Inserts that name the columns of the document only, with what it lets stand open left open.
const PLAIN: &str = "
    INSERT INTO workflows_workflow (project_id, project_name, name, slug) VALUES (1, 'p', 'a', 'a');
    INSERT INTO workflows_workflow (project_id, project_name, name, slug, description, app_name,
        molecules_used, atoms_in_molecules, dag_spec, user_id, is_active, version, execution_count,
        last_executed_at) VALUES (1, 'p', 'b', 'b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL);
    INSERT INTO workflows_workflowrun (workflow_id, started_at, status, error_message, result_data)
        SELECT id, '2026-01-02 03:04:05', NULL, NULL, NULL FROM workflows_workflow;
    INSERT INTO workflows_workflowrun (workflow_id) SELECT id FROM workflows_workflow;
    UPDATE workflows_workflowrun SET result_data = '{\"rows\": 7}', status = 'success',
        completed_at = '2026-01-02 03:05:00' WHERE started_at < '2026-01-03';";

pub(crate) async fn plain_inserts_of_the_document_are_taken(place: Place) {
    match &place.raw {
        // As programs have it that come with SQLite 3.40, such as Python 3.11.
        Raw::Sqlite(path) => {
            let file = rusqlite::Connection::open(path).expect("a database");
            let flags = rusqlite::functions::FunctionFlags::SQLITE_INNOCUOUS;
            file.create_scalar_function("json_valid", 1, flags, |of| {
                let text: Option<String> = of.get(0)?;
                let json = text.map(|text| serde_json::from_str::<serde_json::Value>(&text));
                Ok(json.is_some_and(|json| json.is_ok()))
            })
            .expect("a function");
            file.execute_batch(PLAIN).expect("they are taken");
            for unfit in ["result_data = 'no JSON'", "input = '{'"] {
                let change = format!("UPDATE workflows_workflowrun SET {unfit}");
                let error = file.execute_batch(&change).expect_err(unfit).to_string();
                assert!(error.contains("CHECK constraint failed"), "{error}");
            }
        }
        Raw::Postgres(database) => database.execute(PLAIN),
    }
    for store in [&place.store, &place.raw.open().await] {
        let found = store.workflows(WorkflowQuery::default()).await.expect("listed");
        for workflow in &found.items {
            let read = (workflow.is_active, workflow.version, workflow.execution_count);
            assert_eq!(read, (true, 1, 0), "{}", workflow.name);
        }
        let runs = store.runs(RunQuery::default()).await.expect("listed").items;
        assert_eq!((found.items.len(), runs.len()), (2, 4));
        for run in runs {
            let details = store.run_details(run.id).await.expect("shown");
            assert_eq!(details.run, run);
            let stored = store.run(run.id).await.expect("read").expect("there");
            assert!(stored.workflow.is_external() && stored.status == run.status);
            assert_eq!(stored.created_at, run.started_at);
        }
        assert!(store.abandoned(None, 10).await.expect("read").is_empty(), "no engine takes them");
    }
}

pub(crate) async fn a_status_that_is_none_hides_nothing(place: Place) {
    let store = &place.store;
    place.raw.execute(PLAIN);
    place.raw.execute("UPDATE workflows_workflowrun SET status = 'queued' WHERE status IS NULL");
    let runs = store.runs(RunQuery::default()).await.expect("listed").items;
    assert_eq!(runs.len(), 4);
    place.raw.execute("UPDATE workflows_workflowrun SET status = 'queued'");
    assert_eq!(store.status_counts().await.expect("counted").pending, 4);
    let done = store.report_run(runs[0].id, StatusReport::new(Status::Completed)).await;
    assert_eq!(done.expect("corrected").status, Status::Completed);
}

/// The form of a time in SQLite is a text, by which runs are listed.
pub(crate) async fn times_of_other_programs_are_in_order(place: Place) {
    place.raw.execute(
        "INSERT INTO workflows_workflow (id, project_id, project_name, name, slug)
            VALUES (1, 1, 'p', 'a', 'a');
        INSERT INTO workflows_workflowrun (id, workflow_id, started_at) VALUES
            (1, 1, '2026-01-02 03:04:05'), (2, 1, '2026-01-02 03:04:05.5'),
            (3, 1, '2026-01-02T03:04:06.000001'), (4, 1, '2026-01-02 03:04:06.250000'),
            (5, 1, '2026-01-02 03:04:06.750');",
    );
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let query = RunQuery { after, limit: Some(1), ..RunQuery::default() };
        let page = place.store.runs(query).await.expect("listed");
        seen.extend(page.items.iter().map(|run| run.number));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    if let Raw::Sqlite(path) = &place.raw {
        let file = rusqlite::Connection::open(path).expect("a database");
        let insert =
            "INSERT INTO workflows_workflowrun (workflow_id, started_at) VALUES (1, 'now-ish')";
        let error = file.execute_batch(insert).expect_err("no time").to_string();
        assert!(error.contains("started_at is no time"), "{error}");
    }
}

/// What a framework makes that fills columns itself.
const FRAMEWORK: &str = test_postgres::FRAMEWORK;

/// Two users of it.
const USERS: &str = "
    INSERT INTO accounts_user (password, is_superuser, username, first_name, last_name, email,
        is_staff, is_active, date_joined, settings, public_id) VALUES
        ('pbkdf2_sha256$1$a$b', FALSE, 'ada', 'Ada', 'L', 'ada@example.org', FALSE, TRUE, now(),
            '{}', gen_random_uuid()),
        ('pbkdf2_sha256$1$a$b', TRUE, 'root', '', '', 'root@example.org', TRUE, TRUE, now(), '{}',
            gen_random_uuid());
    INSERT INTO workflows_workflow (project_id, project_name, name, slug, description, app_name,
        molecules_used, atoms_in_molecules, dag_spec, user_id, created_at, updated_at, is_active,
        version, execution_count) VALUES (1, 'p', 'theirs', 'theirs', '', '', '[]', '{}', '{}', 1,
        now(), now(), TRUE, 1, 0);
    INSERT INTO workflows_workflowrun (workflow_id, started_at, status, error_message, result_data)
        VALUES (1, now(), 'pending', '', '{}');";

pub(crate) async fn tables_of_a_framework_are_taken_over(place: Place) {
    if !place.raw.is_postgres() {
        return;
    }
    let raw = Raw::Postgres(Arc::new(test_postgres::database()));
    raw.execute(FRAMEWORK);
    raw.execute(USERS);
    let store = raw.open().await;
    // Users: new ones, and accounts for those that were there.
    for name in ["bob", "eve"] {
        let new = NewUser { password_hash: Some("h".to_owned()), ..NewUser::new(name) };
        store.add_user(new).await.expect("added");
    }
    let account = |name: &str, is_staff| NewUser {
        password_hash: Some("h".to_owned()),
        is_staff,
        ..NewUser::new(name)
    };
    store.add_user(account("ada", false)).await.expect("an account of hers");
    let demoted = store.add_user(account("root", false)).await;
    assert!(matches!(demoted, Err(CatalogError::UserExists(_))), "{demoted:?}");
    assert!(store.add_user(account("root", true)).await.expect("an account").is_staff);
    let kept = raw.query("SELECT password || first_name FROM accounts_user ORDER BY username");
    assert_eq!(kept, ["pbkdf2_sha256$1$a$bAda", "!", "!", "pbkdf2_sha256$1$a$b"]);

    // Workflows and runs: of code, of a user, and theirs.
    let mut new = NewWorkflow::new("ours");
    new.user = Some("named".to_owned());
    let ours = store.create_workflow(new).await.expect("added");
    assert_eq!((ours.version, ours.is_active, ours.execution_count), (1, true, 0));
    let mut run = new_run("code");
    run.user = Some("bob".to_owned());
    store.begin(run.clone(), whole_run(5, true)[..1].to_vec()).await.expect("begun");
    store.begin(new_run("code"), whole_run(5, false)).await.expect("begun");
    let hers = store.seen_by(Viewer::User("ada".to_owned()));
    let runs = hers.runs(RunQuery::default()).await.expect("listed").items;
    assert_eq!((runs.len(), &*runs[0].workflow, runs[0].number), (1, "theirs", 1));
    // What is deleted takes along what it has, or leaves it.
    store.delete_user("ada").await.expect("deleted");
    assert_eq!(store.workflow("theirs").await.expect("there").user, None);
    store.create_workflow(NewWorkflow::new("gone")).await.expect("added");
    raw.execute(
        "INSERT INTO workflows_workflowrun (workflow_id, started_at, status, error_message,
            result_data) SELECT id, now(), 'pending', '', '{}' FROM workflows_workflow
            WHERE name = 'gone'",
    );
    assert_eq!(store.delete_workflow("gone").await.expect("deleted"), 1);
    // The framework continues, and adds columns.
    raw.execute(
        "ALTER TABLE accounts_user ADD COLUMN phone VARCHAR(20) NOT NULL DEFAULT '',
            ADD COLUMN tenant_id BIGINT REFERENCES accounts_tenant(id);
        ALTER TABLE accounts_user ALTER COLUMN phone DROP DEFAULT;
        INSERT INTO workflows_workflowrun (workflow_id, started_at, status, error_message,
            result_data) VALUES (1, now(), 'success', '', '{}')",
    );
    let store = raw.open().await;
    store.add_user(NewUser::new("late")).await.expect("added");
    assert_eq!(raw.query("SELECT phone FROM accounts_user WHERE username = 'late'"), [""]);
    assert_eq!(store.count_runs("theirs").await.expect("counted"), 2);
    // What nobody but the framework can know is named.
    raw.execute(
        "INSERT INTO accounts_tenant VALUES (1); UPDATE accounts_user SET tenant_id = 1;
        ALTER TABLE accounts_user ALTER COLUMN tenant_id SET NOT NULL",
    );
    let store = raw.open().await;
    let error = store.add_user(NewUser::new("last")).await.expect_err("no tenant").to_string();
    assert!(error.contains("tenant_id") && error.contains("give the column a default"), "{error}");
}

/// The schemas that have tables of workflows, and the workflows of each.
fn schemas(raw: &Raw) -> Vec<String> {
    raw.query(
        "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relname = 'workflows_workflow' ORDER BY 1",
    )
}

/// The URL of a database with a search path.
fn with_path(raw: &Raw, path: &str) -> String {
    let Raw::Postgres(database) = raw else { panic!("PostgreSQL alone has schemas") };
    let mark = if database.url().contains('?') { '&' } else { '?' };
    format!("{}{mark}options=-csearch_path%3D{path}", database.url())
}

pub(crate) async fn tenants_share_the_public_schema(place: Place) {
    if !place.raw.is_postgres() {
        return;
    }
    // `public` wherever it stands, on a database without tables as on one with them.
    let empty = Raw::Postgres(Arc::new(test_postgres::database()));
    empty.execute("CREATE SCHEMA tenant1");
    workflow_store::open(&with_path(&empty, "tenant1,public")).await.expect("a store");
    assert_eq!(schemas(&empty), ["public"]);
    // The path that roles have by default names their own schema first.
    let own = Raw::Postgres(Arc::new(test_postgres::database()));
    let role = own.query("SELECT current_user").remove(0);
    own.execute(&format!("CREATE SCHEMA \"{role}\""));
    own.open().await;
    assert_eq!(schemas(&own), [&*role]);
    workflow_store::open(&with_path(&own, &format!("{role},public"))).await.expect("a store");
    assert_eq!(schemas(&own).len(), 2, "a path that somebody has written is no default");

    let open = async |path: &str| workflow_store::open(&with_path(&place.raw, path)).await;
    place.raw.execute("CREATE SCHEMA tenant1; CREATE SCHEMA tenant2; CREATE SCHEMA billing");
    for tenant in ["tenant1", "tenant2"] {
        let store = open(&format!("{tenant},public")).await.expect("a store");
        store.create_workflow(NewWorkflow::new(tenant)).await.expect("made");
    }
    assert_eq!(schemas(&place.raw), ["public"]);
    for name in ["tenant1", "tenant2"] {
        assert_eq!(place.store.workflow(name).await.expect("shared").name, name);
    }
    // A schema of its own, where the path leaves it out.
    let billing = open("billing").await.expect("a store");
    billing.create_workflow(NewWorkflow::new("invoices")).await.expect("made");
    assert!(billing.workflow("tenant1").await.is_err());
    assert!(place.store.workflow("invoices").await.is_err());
    assert_eq!(schemas(&place.raw), ["billing", "public"]);
    billing.begin(new_run("code"), whole_run(5, true)).await.expect("begun");
    assert_eq!(place.store.status_counts().await.expect("counted").completed, 0);
    // An application of a tenant inserts into what is shared, and so do its triggers.
    place.raw.execute(
        "SET search_path TO tenant1; INSERT INTO public.workflows_workflowrun (workflow_id) \
         SELECT id FROM public.workflows_workflow WHERE name = 'tenant1'",
    );
    assert_eq!(place.store.count_runs("tenant1").await.expect("counted"), 1);
    let nowhere = open("none,nothing").await.err().expect("no schema").to_string();
    assert!(nowhere.contains("`none,nothing`") && nowhere.contains("search_path"), "{nowhere}");
}
