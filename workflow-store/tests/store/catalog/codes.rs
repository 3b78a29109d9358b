//! Columns and exports do not depend on Rust names: every code that the store writes is listed here
//! and read back. Changing a code makes databases unreadable.
//!
//! The codes inside events and runs belong to workflow-core and are listed there.

use serde_json::{Map, Value as Json, json};
use workflow_core::definition::Metadata;
use workflow_core::store::{KeyScope, NewRun, Parent, Trigger};
use workflow_store::{
    NewToken, NewUser, NewWorkflow, RunQuery, TokenScope, WorkflowQuery, WorkflowSource,
};

use super::support::*;

fn code_of_source(source: WorkflowSource) -> &'static str {
    match source {
        WorkflowSource::Registered => "registered",
        WorkflowSource::Stored => "stored",
    }
}

fn code_of_scope(scope: TokenScope) -> &'static str {
    match scope {
        TokenScope::Read => "read",
        TokenScope::Run => "run",
        TokenScope::Write => "write",
        TokenScope::Admin => "admin",
    }
}

/// The prefix of the key scope of a run, whose user has a number.
fn code_of_key_scope(scope: &KeyScope) -> &'static str {
    match scope {
        KeyScope::User(_) => "user ",
        KeyScope::Schedule => "schedule",
        KeyScope::Nested => "nested",
    }
}

/// A workflow with an entry of each kind in the search index.
fn described() -> NewWorkflow {
    NewWorkflow {
        description: Some("loads prices".to_owned()),
        molecules_used: vec!["extract".to_owned()],
        atoms_in_molecules: Map::from_iter([("extract".to_owned(), json!(["download"]))]),
        metadata: Metadata::new(json!({ "owner": "ada", "tags": ["daily"] })).expect("an object"),
        ..NewWorkflow::new("prices")
    }
}

pub(crate) async fn workflows_have_these_codes(place: Place) {
    place.store.create_workflow(described()).await.expect("created");
    place.store.begin(new_run("etl"), Vec::new()).await.expect("begun");
    for source in [WorkflowSource::Registered, WorkflowSource::Stored] {
        let code = code_of_source(source);
        let count = format!("SELECT count(*) FROM workflows_workflow WHERE source = '{code}'");
        assert_eq!(place.raw.query(&count), ["1"], "{source:?}");
        let query = WorkflowQuery { source: Some(source), ..WorkflowQuery::default() };
        let found = place.store.workflows(query).await.expect("listed").items;
        assert!(found.len() == 1 && found[0].source == source, "{source:?}");
    }
    let kinds = "SELECT DISTINCT kind FROM workflows_label ORDER BY kind";
    assert_eq!(place.raw.query(kinds), ["atom", "metadata", "molecule", "tag", "word"]);
    let text = |text: &str| Some(text.to_owned());
    for (kind, query) in [
        ("atom", WorkflowQuery { atom: text("download"), ..WorkflowQuery::default() }),
        ("molecule", WorkflowQuery { molecule: text("extract"), ..WorkflowQuery::default() }),
        ("tag", WorkflowQuery { tag: text("daily"), ..WorkflowQuery::default() }),
        ("word", WorkflowQuery { text: text("loads"), ..WorkflowQuery::default() }),
        (
            "metadata",
            WorkflowQuery {
                metadata: vec![("owner".to_owned(), json!("ada"))],
                ..WorkflowQuery::default()
            },
        ),
    ] {
        let found = place.other.workflows(query).await.expect("listed").items;
        assert_eq!(found.len(), 1, "{kind}");
    }
}

pub(crate) async fn tokens_have_these_codes(place: Place) {
    place.store.add_user(NewUser::new("ada")).await.expect("added");
    let scopes = [TokenScope::Read, TokenScope::Run, TokenScope::Write, TokenScope::Admin];
    for (digest, scope) in (1..).zip(scopes) {
        let (user, name) = ("ada".to_owned(), scope.to_string());
        let token = NewToken { user, name, digest: [digest; 32], scope, expires_at: None };
        place.store.add_token(token).await.expect("added");
        let (read, _) = place.other.token([digest; 32]).await.expect("read").expect("there");
        assert_eq!(read.scope, scope);
    }
    let codes = place.raw.query("SELECT scope FROM accounts_token ORDER BY id");
    assert_eq!(codes, scopes.map(code_of_scope));
    place.raw.execute("UPDATE accounts_token SET scope = 'owner' WHERE id = 1");
    let error = place.other.token([1; 32]).await.expect_err("unknown").to_string();
    assert!(error.contains("unknown scope `owner`"), "{error}");
}

pub(crate) async fn runs_have_these_codes(place: Place) {
    let keyed = |key: &str, trigger| NewRun {
        idempotency_key: Some(key.to_owned()),
        trigger,
        ..new_run("etl")
    };
    let manual = keyed("a", Trigger::Manual);
    let parent = Some(Parent { run: manual.id, job: "load".to_owned() });
    let nested = NewRun { parent, ..keyed("b", Trigger::Workflow) };
    let runs = [
        manual,
        nested,
        keyed("c", Trigger::Schedule),
        keyed("d", Trigger::Api),
        keyed("e", Trigger::Retry),
        keyed("f", Trigger::Event),
    ];
    let scopes: Vec<_> = runs.iter().map(|run| code_of_key_scope(&run.key_scope())).collect();
    for run in runs {
        place.store.begin(run, Vec::new()).await.expect("begun");
    }
    let column = |column: &str| {
        place.raw.query(&format!("SELECT {column} FROM workflows_workflowrun ORDER BY id"))
    };
    assert_eq!(column("trigger"), ["manual", "workflow", "schedule", "api", "retry", "event"]);
    let written = column("key_scope");
    assert_eq!(written, ["user 0", "nested", "schedule", "user 0", "user 0", "user 0"]);
    for (written, code) in written.iter().zip(scopes) {
        assert!(written.starts_with(code), "{written}");
    }
    let read = place.other.runs(RunQuery::default()).await.expect("listed").items;
    assert!(read.iter().any(|run| run.trigger == Trigger::Schedule));
}

pub(crate) async fn exports_have_these_codes(place: Place) {
    place.store.begin(new_run("etl"), whole_run(5, true)).await.expect("begun");
    let mut lines = Vec::new();
    place.store.export(None, &mut lines).await.expect("exported");
    let text = String::from_utf8(lines).expect("text");
    let codes = text.lines().map(|line| {
        let line: Json = serde_json::from_str(line).expect("JSON");
        line.as_object().and_then(|line| line.keys().next()).expect("one key").clone()
    });
    let codes: Vec<_> = codes.collect();
    assert_eq!(codes, ["workflow", "run", "event", "event", "event", "event"]);
    let source: Json = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert_eq!(source["workflow"]["source"], code_of_source(WorkflowSource::Registered));
}
