//! Runs to put into catalogs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use workflow_core::definition::Metadata;
use workflow_core::event::Event;
use workflow_core::id::RunId;
use workflow_core::store::{NewRun, Owner, OwnerId, WorkflowSnapshot};

pub use super::Catalogs;
use crate::{
    Catalog, NewWorkflow, RunQuery, StoredWorkflow, Viewer, WorkflowChange, WorkflowVersion,
};

pub fn snapshot(name: &str, metadata: Json) -> WorkflowSnapshot {
    WorkflowSnapshot {
        name: name.to_owned(),
        metadata: Metadata::new(metadata).expect("fit"),
        fingerprint: "f1".into(),
        source: None,
        graph: Arc::new(json!({ "nodes": [{ "id": "load" }], "edges": [] })),
    }
}

pub fn new_run(name: &str) -> NewRun {
    NewRun {
        input: Some(json!({ "day": 1 })),
        owner: Some(Owner { id: OwnerId::random(), lifetime: Duration::from_secs(60) }),
        ..NewRun::new(snapshot(name, json!({ "project": "sales" })))
    }
}

/// A run of a file that keeps a folder for each of its runs in this one. Its folder is there, with
/// a log and what a command left.
pub fn run_of_file(name: &str, runs_dir: &std::path::Path) -> NewRun {
    let mut run = new_run(name);
    let source = json!({ "workflow_file": {
        "name": "etl.yaml", "folder": "/work", "runs_dir": runs_dir, "text": "name: etl",
    }});
    run.workflow.source = Some(Arc::new(source));
    let folder = runs_dir.join(run.id.to_string());
    std::fs::create_dir_all(folder.join("left")).expect("a folder");
    for file in ["output.log", "output.2.log", "left/rows.csv"] {
        std::fs::write(folder.join(file), "x").expect("a file");
    }
    run
}

/// A run of a file of this name that a user asked for.
pub fn file_run(user: Option<&str>, name: &str, text: &str) -> NewRun {
    let mut run = new_run(name);
    run.user = user.map(str::to_owned);
    run.workflow.source = Some(Arc::new(json!({ "text": text })));
    run.workflow.fingerprint = text.into();
    run
}

/// The names of the folders in this one, in order.
pub fn folders_in(runs_dir: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(runs_dir).expect("a folder");
    let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = entries.map(|entry| name(entry.expect("readable"))).collect();
    names.sort();
    names
}

/// An event that happens so many milliseconds after the run began.
pub fn event(sequence: u64, millis: u32, mut kind: Json) -> Event {
    kind["sequence"] = sequence.into();
    kind["at"] = format!(
        "2026-01-02T03:{:02}:{:02}.{:03}Z",
        millis / 60_000,
        millis / 1000 % 60,
        millis % 1000
    )
    .into();
    serde_json::from_value(kind).expect("an event")
}

/// A whole run with one job that takes so long.
pub fn whole_run(millis: u32, ends_well: bool) -> Vec<Event> {
    let failure = json!({ "kind": "retryable", "message": "no\0 rows", "error_type": "E" });
    let (job, run) = match ends_well {
        true => (
            json!({ "event": "job_completed", "job": "load", "attempt": 1, "output": 7 }),
            json!({ "event": "run_completed", "output": { "rows": 7 } }),
        ),
        false => (
            json!({ "event": "job_failed", "job": "load", "attempt": 1, "error": failure }),
            json!({ "event": "run_failed", "reason": "job `load` failed" }),
        ),
    };
    vec![
        event(0, 0, json!({ "event": "run_started" })),
        event(1, 0, json!({ "event": "job_started", "job": "load", "attempt": 1 })),
        event(2, millis, job),
        event(3, millis, run),
    ]
}

/// Asks until the answer is there.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A workflow of this user, to add.
pub fn of(user: &str, name: &str) -> NewWorkflow {
    NewWorkflow { user: Some(user.to_owned()), ..NewWorkflow::new(name) }
}

pub async fn made(store: &Arc<dyn Catalog>, new: NewWorkflow) -> StoredWorkflow {
    store.create_workflow(new).await.expect("made")
}

pub fn user(store: &Arc<dyn Catalog>, name: &str) -> Arc<dyn Catalog> {
    store.seen_by(Viewer::User(name.to_owned()))
}

/// A file of this name, whose metadata are these.
pub fn file(name: &str, metadata: Json) -> WorkflowSnapshot {
    let text = format!("name: {name}\nmetadata: {metadata}\n");
    let source = json!({ "workflow_file": {
        "name": "etl.yaml", "folder": "/work", "runs_dir": "/work/runs", "text": text,
    }});
    WorkflowSnapshot { source: Some(Arc::new(source)), ..snapshot(name, metadata) }
}

/// The text of a file, from what a store has of it.
pub fn text(definition: &Json) -> &str {
    definition["workflow_file"]["text"].as_str().expect("a text")
}

/// Metadata with a description.
pub fn said(description: &str) -> Json {
    json!({ "description": description })
}

/// What makes this the file of a workflow.
pub fn replacing(old: &StoredWorkflow, file: &WorkflowSnapshot) -> WorkflowChange {
    let first = old.definition.as_ref().and_then(|definition| text(definition).lines().next());
    WorkflowChange::replacing(old, first.and_then(|line| line.strip_prefix("name: ")), file)
}

pub async fn create(
    store: &Arc<dyn Catalog>,
    user: &str,
    file: &WorkflowSnapshot,
) -> StoredWorkflow {
    let new = NewWorkflow { user: Some(user.to_owned()), ..NewWorkflow::of(file) };
    store.create_workflow(new).await.expect("made")
}

pub async fn replace(store: &dyn Catalog, which: &str, file: &WorkflowSnapshot) -> StoredWorkflow {
    let old = store.workflow(which).await.expect("there");
    let change = replacing(&old, file);
    store.update_workflow(&old.id.to_string(), change).await.expect("replaced")
}

pub fn staff(store: &Arc<dyn Catalog>, name: &str) -> Arc<dyn Catalog> {
    store.seen_by(Viewer::Staff(name.to_owned()))
}

/// All versions, two by two.
pub async fn versions(store: &dyn Catalog, which: &str) -> Vec<WorkflowVersion> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.versions(which, after, Some(2)).await.expect("listed");
        assert!(page.items.iter().all(|version| version.definition.is_none()));
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

/// The numbers and authors of all versions.
pub async fn authors(store: &dyn Catalog, which: &str) -> Vec<(i64, Option<String>)> {
    let all = versions(store, which).await;
    all.into_iter().map(|version| (version.version, version.author)).collect()
}

pub fn by(version: i64, author: &str) -> (i64, Option<String>) {
    (version, Some(author.to_owned()))
}

/// Two users with a workflow each of the same name, one that is registered, and one of nobody.
pub struct Scene {
    pub store: Arc<dyn Catalog>,
    pub alice: Arc<dyn Catalog>,
    pub alices: StoredWorkflow,
    pub bobs: StoredWorkflow,
    pub registered: StoredWorkflow,
}

impl Scene {
    pub async fn new(store: &Arc<dyn Catalog>) -> Self {
        let alices = made(store, of("alice", "etl")).await;
        let bobs = made(store, of("bob", "etl")).await;
        made(store, NewWorkflow::new("nobodys")).await;
        store.sync_registered(&[snapshot("code", json!({}))]).await.expect("synced");
        let registered = store.workflow("code").await.expect("there");
        let alice = user(store, "alice");
        Self { store: Arc::clone(store), alice, alices, bobs, registered }
    }

    /// A run of this workflow that a user asked for and that has ended.
    pub async fn ran(&self, workflow: &StoredWorkflow, user: &str) -> RunId {
        let run = asked_for(workflow, user);
        let id = run.id;
        self.store.begin(run, whole_run(5, true)).await.expect("begun");
        id
    }
}

/// A run of this workflow that a user asked for.
pub fn asked_for(workflow: &StoredWorkflow, user: &str) -> NewRun {
    let mut run = new_run(&workflow.name);
    (run.workflow_id, run.user) = (Some(workflow.id), Some(user.to_owned()));
    run
}

/// The IDs of the listed runs, in order.
pub async fn listed(store: &Arc<dyn Catalog>, query: RunQuery) -> Vec<RunId> {
    let mut ids: Vec<_> =
        store.runs(query).await.expect("listed").items.into_iter().map(|run| run.id).collect();
    ids.sort();
    ids
}
