//! Runs that start after runs of other workflows.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use workflow_core::Engine;
use workflow_core::store::{ScheduledWorkflow, StoredLink};
use workflow_server::Server;
use workflow_store::{Catalog, RunQuery, TokenScope};

use crate::support::{Client, Kind, Site, any_port, store, until, with_both};

with_both!(
    each_end_starts_one_run,
    ends_wait_while_no_server_runs,
    ends_wait_for_a_server_that_can_start_runs,
    cycles_start_nothing,
    removed_triggers_are_not_blocked,
    runs_of_others_start_nothing,
);

fn file(name: &str, after: &str) -> String {
    let triggers = match after {
        "" => String::new(),
        after => format!("metadata: {{ triggers: [{{ after: {{ {after} }} }}] }}\n"),
    };
    format!("name: {name}\n{triggers}jobs: [{{name: a, workflow: greet, with: ada}}]\n")
}

/// The runs of a workflow that were started by events, newest first.
async fn started(store: &dyn Catalog, workflow: i64) -> Vec<Json> {
    let query = RunQuery { workflow_id: Some(workflow), ..RunQuery::default() };
    let runs = store.runs(query).await.expect("readable").items;
    let mut inputs = Vec::new();
    for run in runs.into_iter().filter(|run| run.trigger.as_str() == "event") {
        let details = store.run_details(run.id).await.expect("there");
        inputs.push(details.input.expect("an input"));
    }
    inputs
}

/// Waits until the store has links.
async fn until_linked(store: &dyn Catalog, count: usize) {
    let links = store.downstream_store().expect("a database has it");
    let are_there = async || links.links().await.expect("readable").len() == count;
    until("the links are there", are_there).await;
}

async fn no_more_wait(store: &dyn Catalog) {
    let links = store.downstream_store().expect("a database has it");
    let all_handled =
        async || links.links().await.expect("readable").iter().all(|link| !link.has_waiting);
    until("all ends are handled", all_handled).await;
}

async fn each_end_starts_one_run(kind: Kind) {
    let site = Site::with(kind, |server| server.allow_commands(true)).await;
    // Another server on the same store.
    let folder = tempfile::tempdir().expect("a folder");
    let _other =
        Site::serve(site.store.clone(), folder, |server| server.allow_commands(true)).await;
    let client = site.nobody();
    client.create(&file("ingest", "")).await;
    let failing = "name: broken\njobs: [{name: a, command: exit 3}]\n";
    client.create(failing).await;
    let report = client.create(&file("report", "workflow: ingest")).await;
    let alarm = client.create(&file("alarm", "workflow: broken, on: failed")).await;
    let audit = client.create(&file("audit", "workflow: broken, on: succeeded")).await;
    until_linked(&*site.store, 3).await;
    let run = client.run("ingest", json!({})).await;
    client.run("ingest", json!({})).await;
    let broken = client.run("broken", json!({})).await;
    until("both runs have one downstream", async || started(&*site.store, report).await.len() == 2)
        .await;
    until("the failure has one", async || started(&*site.store, alarm).await.len() == 1).await;
    no_more_wait(&*site.store).await;
    let inputs = started(&*site.store, report).await;
    assert_eq!(inputs.len(), 2);
    let input =
        inputs.iter().find(|input| input["run"] == run["run_id"]).expect("of the first run");
    assert_eq!((&input["workflow"], &input["status"]), (&json!("ingest"), &json!("completed")));
    assert_eq!(input["output"], run["result_data"], "{run}");
    let input = &started(&*site.store, alarm).await[0];
    assert_eq!((&input["run"], &input["status"]), (&broken["run_id"], &json!("failed")));
    assert_eq!(input["output"], Json::Null);
    assert_eq!(started(&*site.store, audit).await.len(), 0);
}

/// A client of a server without a scheduler.
async fn unscheduled(store: &Arc<dyn Catalog>, set: impl FnOnce(Server) -> Server) -> Client {
    let router = set(Server::new(Engine::builder(), store.clone())).router();
    let listener = tokio::net::TcpListener::bind(any_port()).await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Client { http: reqwest::Client::new(), base, token: None }
}

async fn ends_wait_while_no_server_runs(kind: Kind) {
    let (store, _database) = store(kind).await;
    let report = {
        let folder = tempfile::tempdir().expect("a folder");
        let site = Site::serve(store.clone(), folder, |server| server).await;
        site.nobody().create(&file("ingest", "")).await;
        let report = site.nobody().create(&file("report", "workflow: ingest")).await;
        until_linked(&*store, 1).await;
        report
    };
    let client = unscheduled(&store, |server| server).await;
    client.run("ingest", json!({})).await;
    assert_eq!(started(&*store, report).await.len(), 0);
    let folder = tempfile::tempdir().expect("a folder");
    let _site = Site::serve(store.clone(), folder, |server| server).await;
    until("it starts", async || started(&*store, report).await.len() == 1).await;
    no_more_wait(&*store).await;
    assert_eq!(started(&*store, report).await.len(), 1);
}

async fn ends_wait_for_a_server_that_can_start_runs(kind: Kind) {
    let (store, _database) = store(kind).await;
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::serve(store.clone(), folder, |server| server).await;
    let client = site.nobody();
    client.create(&file("ingest", "")).await;
    let report = client.create(&file("report", "workflow: ingest")).await;
    let later = client.create(&file("later", "workflow: ingest")).await;
    until_linked(&*store, 2).await;
    // The first server, which runs no commands, has read the workflow before.
    let other = unscheduled(&store, |server| server.allow_commands(true)).await;
    let changed = "name: report\nmetadata: { triggers: [{ after: { workflow: ingest } }] }\n\
                   jobs: [{name: a, command: echo reported}]\n";
    other.patch(&format!("workflows/{report}"), json!({ "yaml": changed })).await.is(200);
    client.run("ingest", json!({})).await;
    // Links are in the order of their workflows.
    until("it has come to the next link", async || started(&*store, later).await.len() == 1).await;
    let links = store.downstream_store().expect("a database has it").links().await;
    let links = links.expect("readable");
    let is_left = |link: &StoredLink| {
        link.has_waiting && link.link.downstream == ScheduledWorkflow::Number(report)
    };
    assert!(links.iter().any(is_left), "{links:?}");
    assert_eq!(started(&*store, report).await.len(), 0);
    let folder = tempfile::tempdir().expect("a folder");
    let _site = Site::serve(store.clone(), folder, |server| server.allow_commands(true)).await;
    until("it starts", async || started(&*store, report).await.len() == 1).await;
    no_more_wait(&*store).await;
    assert_eq!(started(&*store, report).await.len(), 1);
}

async fn cycles_start_nothing(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    client.create(&file("one", "")).await;
    let two = client.create(&file("two", "workflow: one")).await;
    let three = client.create(&file("three", "workflow: two")).await;
    until_linked(&*site.store, 2).await;
    let metadata = json!({ "triggers": [{ "after": { "workflow": "three" } }] });
    client.patch("workflows/one", json!({ "merge_metadata": metadata })).await.is(200);
    until_linked(&*site.store, 0).await;
    let blocked = client.get("workflows/two").await.is(200)["triggers_blocked"].clone();
    let blocked = blocked.as_str().expect("a reason");
    assert!(
        blocked.contains("start each other forever") && blocked.contains("`three` -> `one`"),
        "{blocked}"
    );
    client.run("one", json!({})).await;
    client.patch("workflows/one", json!({ "merge_metadata": { "triggers": null } })).await.is(200);
    until_linked(&*site.store, 2).await;
    assert_eq!(client.get("workflows/two").await.is(200)["triggers_blocked"], Json::Null);
    client.run("one", json!({})).await;
    until("the chain runs", async || started(&*site.store, three).await.len() == 1).await;
    assert_eq!(started(&*site.store, two).await.len(), 1);
}

async fn removed_triggers_are_not_blocked(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let path = format!("workflows/{}", client.create(&file("lost", "workflow: nowhere")).await);
    let blocked = async || client.get(&path).await.is(200)["triggers_blocked"].clone();
    until("it is blocked", async || blocked().await.is_string()).await;
    client.patch(&path, json!({ "merge_metadata": { "triggers": null } })).await.is(200);
    until("it is not blocked", async || blocked().await.is_null()).await;
}

async fn runs_of_others_start_nothing(kind: Kind) {
    let site = Site::closed(kind).await;
    let ada = site.user("ada", TokenScope::Write).await;
    let bob = site.user("bob", TokenScope::Write).await;
    // A registered workflow, which both may run.
    let hers = ada.create(&file("after greetings", "workflow: greet")).await;
    let his = bob.create(&file("after secrets", "workflow: after greetings")).await;
    until_linked(&*site.store, 1).await;
    let path = format!("workflows/{his}");
    let blocked = async || bob.get(&path).await.is(200)["triggers_blocked"].clone();
    until("it is blocked", async || blocked().await.is_string()).await;
    let blocked = blocked().await;
    assert!(blocked.as_str().is_some_and(|why| why.contains("after greetings")), "{blocked}");
    bob.run("greet", json!("bob")).await;
    let run = ada.run("greet", json!("ada")).await;
    until("it starts", async || started(&*site.store, hers).await.len() == 1).await;
    no_more_wait(&*site.store).await;
    let inputs = started(&*site.store, hers).await;
    assert_eq!(inputs.len(), 1);
    assert_eq!(inputs[0]["run"], run["run_id"]);
}
