//! Runs that start for files that arrive.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};
use workflow_core::event::Status;
use workflow_server::Server;
use workflow_store::{Catalog, Retention, RunQuery};

use crate::support::{Kind, Site, until, with_both};

with_both!(
    each_file_starts_one_run,
    a_handled_file_starts_nothing_after_its_run_was_deleted,
    folders_that_nobody_allowed_are_not_watched,
);

fn file(name: &str, path: &str) -> String {
    format!(
        "name: {name}\nmetadata: {{ triggers: [{{ file: {{ path: '{path}', settle: 0 }} }}] }}\n\
         jobs: [{{name: a, workflow: greet, with: ada}}]\n"
    )
}

/// The inputs of the runs of a workflow, newest first.
async fn inputs(store: &dyn Catalog, workflow: i64) -> Vec<Json> {
    let query = RunQuery { workflow_id: Some(workflow), ..RunQuery::default() };
    let mut inputs = Vec::new();
    for run in store.runs(query).await.expect("readable").items {
        assert_eq!(run.trigger.as_str(), "event");
        let details = store.run_details(run.id).await.expect("there");
        inputs.push(details.input.expect("an input"));
    }
    inputs
}

async fn names(store: &dyn Catalog, workflow: i64) -> Vec<String> {
    let inputs = inputs(store, workflow).await;
    let names = inputs.iter().map(|input| input["name"].as_str().expect("a text").to_owned());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// Serves a store, and watches a folder as `inbox`.
async fn watching(store: std::sync::Arc<dyn Catalog>, inbox: &Path) -> Site {
    let folder = tempfile::tempdir().expect("a folder");
    let set = |server: Server| server.allow_commands(true).watch("inbox", inbox);
    Site::serve(store, folder, set).await
}

/// Writes a file that appears complete.
fn put(folder: &Path, name: &str, text: &str) {
    let unfinished = folder.join("new.part");
    fs::write(&unfinished, text).expect("written");
    fs::rename(unfinished, folder.join(name)).expect("renamed");
}

async fn each_file_starts_one_run(kind: Kind) {
    let inbox = tempfile::tempdir().expect("a folder");
    let inbox = inbox.path().canonicalize().expect("a path");
    let site = Site::with(kind, |server| server.watch("inbox", &inbox)).await;
    // Another server that watches the same folder.
    let _other = watching(site.store.clone(), &inbox).await;
    put(&inbox, "early.csv", "1");
    for ignored in ["early.txt", ".hidden.csv", "early.csv.tmp"] {
        fs::write(inbox.join(ignored), "1").expect("written");
    }
    fs::create_dir(inbox.join("below")).expect("a folder");
    put(&inbox, "below/deep.csv", "1");
    let load = site.nobody().create(&file("load", "inbox/*.csv")).await;
    let store = &*site.store;
    let counts = async |count| names(store, load).await.len() == count;
    until("the first file starts a run", async || counts(1).await).await;
    let first = inputs(store, load).await.remove(0);
    assert_eq!((&first["name"], &first["size"]), (&json!("inbox/early.csv"), &json!(1)));
    let path = inbox.join("early.csv");
    assert_eq!(first["path"].as_str(), path.to_str());
    let modified = first["modified"].as_str().expect("a time");
    assert!(modified.starts_with("20") && modified.ends_with('Z'), "{modified}");
    put(&inbox, "late.csv", "1");
    until("a new file starts a run", async || counts(2).await).await;
    // Another content under the same name.
    put(&inbox, "early.csv", "1, 2");
    until("a changed file starts a run", async || counts(3).await).await;
    put(&inbox, "last.csv", "1");
    until("the last file starts a run", async || counts(4).await).await;
    let all = ["inbox/early.csv", "inbox/early.csv", "inbox/last.csv", "inbox/late.csv"];
    assert_eq!(names(store, load).await, all);
}

async fn a_handled_file_starts_nothing_after_its_run_was_deleted(kind: Kind) {
    let inbox = tempfile::tempdir().expect("a folder");
    let inbox = inbox.path().canonicalize().expect("a path");
    put(&inbox, "a.csv", "1");
    let (store, _database) = crate::support::store(kind).await;
    let site = watching(store.clone(), &inbox).await;
    let load = site.nobody().create(&file("load", "inbox/**/*.csv")).await;
    let files = store.file_store().expect("a database has it");
    let workflow = store.workflow("load").await.expect("there").as_scheduled();
    let handled = async || files.handled_files(&workflow).await.expect("readable");
    until("it is handled", async || handled().await.len() == 1).await;
    let status = Some(Status::Completed);
    let completed = RunQuery { workflow_id: Some(load), status, ..RunQuery::default() };
    let has_ended = async || store.runs(completed.clone()).await.expect("read").items.len() == 1;
    until("its run has ended", has_ended).await;
    drop(site);
    let retention = Retention { keep_for: Some(Duration::ZERO), ..Retention::default() };
    // The run, and its child run.
    assert_eq!(store.prune(retention).await.expect("pruned"), 2);
    // This one arrives while no server runs.
    put(&inbox, "b.csv", "1");
    let _site = watching(store.clone(), &inbox).await;
    until("the second one is handled", async || handled().await.len() == 2).await;
    assert_eq!(names(&*store, load).await, ["inbox/b.csv"]);
    fs::remove_file(inbox.join("a.csv")).expect("removed");
    until("the first one is forgotten", async || handled().await.len() == 1).await;
}

async fn folders_that_nobody_allowed_are_not_watched(kind: Kind) {
    let inbox = tempfile::tempdir().expect("a folder");
    put(inbox.path(), "a.csv", "1");
    let site = Site::with(kind, |server| server.watch("inbox", inbox.path())).await;
    let client = site.nobody();
    for path in ["/etc/*", "inbox/../*", "*/a.csv"] {
        let answer = client.post("workflows", json!({ "yaml": file("probe", path) })).await;
        let problem = answer.is(422);
        assert!(problem.to_string().contains("`file.path`"), "{problem}");
    }
    let blocked = async |workflow: i64| {
        let path = format!("workflows/{workflow}");
        client.get(&path).await.is(200)["triggers_blocked"].as_str().unwrap_or_default().to_owned()
    };
    let outside = client.create(&file("outside", "etc/*")).await;
    let wrong = client.create(&file("wrong", "inbox/[a.csv")).await;
    until("it is blocked", async || blocked(outside).await.contains("--watch etc=DIR")).await;
    until("it is blocked", async || blocked(wrong).await.contains("is not a pattern")).await;
    assert_eq!(names(&*site.store, outside).await, Vec::<String>::new());
    // One reason hides no other.
    let both =
        file("both", "etc/*").replace("triggers: [", "triggers: [{after: {workflow: lost}}, ");
    let both = client.create(&both).await;
    until("both reasons are told", async || {
        let reasons = blocked(both).await;
        reasons.contains("--watch etc=DIR") && reasons.contains("`after`: ")
    })
    .await;
}
