//! Workflow files that are sent to the API.

use serde_json::json;
use workflow_core::prelude::*;
use workflow_core::store::{WORKFLOW_FILE, WorkflowSnapshot};
use workflow_core::workflow::FunctionWorkflow;
use workflow_store::NewWorkflow;

use crate::support::{Answer, Kind, Site, with_both};

const COMMAND: &str = "name: loud\njobs:\n  - { name: say, command: echo hot; echo cold >&2 }\n";
const JOB: &str = "name: quiet\njobs:\n  - { name: count, job: tally, with: { to: 3 } }\n";

with_both!(
    files_run_registered_jobs,
    a_graph_that_cannot_be_rendered_has_a_reason,
    commands_are_rejected_unless_allowed,
    errors_have_a_position,
    a_file_is_replaced_and_its_versions_stay,
    a_retry_runs_the_original_file,
);

async fn files_run_registered_jobs(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let request = client.request(reqwest::Method::POST, "workflows");
    let request = request.header("content-type", "application/yaml").body(JOB);
    let made = Answer::of(request).await;
    let id = made.is(201)["id"].to_string();
    assert_eq!(made.header("location"), format!("workflows/{id}"));
    let ended = client.run(&id, json!(null)).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(client.get(&format!("workflows/{id}/source")).await.text, JOB);
    let mermaid = client.get(&format!("workflows/{id}/graph?format=mermaid")).await;
    assert!(mermaid.text.contains("count"), "{}", mermaid.text);
}

#[register_workflow(name = "graph per input")]
fn graph_per_input(_: &mut Flow, _: &u32) {}

async fn a_graph_that_cannot_be_rendered_has_a_reason(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let gone = FunctionWorkflow::new("gone", |_: &mut Flow| {}).expect("a name");
    site.store.sync_registered(&[WorkflowSnapshot::of(&gone)]).await.expect("kept");
    let graph = json!({ "nodes": [{ "id": "n" }], "edges": [] });
    client.post("workflows", json!({ "name": "outside", "dag_spec": graph })).await.is(201);
    let id = client.create(JOB).await;
    let mut definition = site.store.workflow(&id.to_string()).await.expect("kept").definition;
    definition.as_mut().expect("a file")[WORKFLOW_FILE]["text"] = json!("name: [");
    let old = NewWorkflow { name: "old".to_owned(), definition, ..NewWorkflow::default() };
    site.store.create_workflow(old).await.expect("kept");
    for (workflow, status, code) in [
        ("graph per input", 409, "no_graph"),
        ("outside", 409, "no_graph"),
        ("gone", 409, "not_registered"),
        ("old", 422, "invalid"),
    ] {
        let graph = client.get(&format!("workflows/{workflow}/graph?format=dot")).await;
        graph.is_problem(status, code);
    }
}

async fn commands_are_rejected_unless_allowed(kind: Kind) {
    let site = Site::open(kind).await;
    let refused = site.nobody().post("workflows", json!({ "yaml": COMMAND })).await;
    refused.is_problem(403, "commands_not_allowed");
    let quiet = site.nobody().create(JOB).await;
    let path = format!("workflows/{quiet}");
    let refused = site.nobody().patch(&path, json!({ "yaml": COMMAND })).await;
    refused.is_problem(403, "commands_not_allowed");

    let allowed = Site::with(kind, |server| server.allow_commands(true)).await;
    let client = allowed.nobody();
    let id = client.create(COMMAND).await;
    let ended = client.run(&id.to_string(), json!(null)).await;
    let run = ended["run_id"].as_str().expect("an id").to_owned();
    let log = client.get(&format!("runs/{run}/logs")).await.is(200);
    let pieces = log["items"].as_array().expect("pieces");
    let text = |stream| pieces.iter().find(|piece| piece["stream"] == stream);
    assert_eq!(text("stdout").expect("a piece")["text"], "hot\n");
    assert_eq!(text("stderr").expect("a piece")["text"], "cold\n");
    assert_eq!(log["ended"], true);
    // A server without the permission does not run a file that another server accepted.
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::serve(allowed.store.clone(), folder, |server| server).await;
    let other = site.nobody();
    let refused = other.post(&format!("workflows/{id}/run"), json!({})).await;
    refused.is_problem(403, "commands_not_allowed");
    let refused = other.post(&format!("runs/{run}/retry"), json!({})).await;
    refused.is_problem(403, "commands_not_allowed");
}

async fn errors_have_a_position(kind: Kind) {
    let site = Site::open(kind).await;
    let wrong = json!({ "yaml": "name: etl\njobs: 7\n" });
    let problem = site.nobody().post("workflows", wrong).await.is_problem(422, "invalid");
    assert_eq!(problem["errors"][0]["field"], "jobs");
    let message = problem["errors"][0]["message"].as_str().expect("a text");
    assert!(message.ends_with("(line 2, column 7)"), "{message}");
}

async fn a_file_is_replaced_and_its_versions_stay(kind: Kind) {
    let site = Site::closed(kind).await;
    let ada = site.user("ada", workflow_store::TokenScope::Write).await;
    let root = site.user("root", workflow_store::TokenScope::Write).await;
    let text = |lines: &str| {
        format!("name: quiet\n{lines}\njobs: [{{ name: count, job: tally, with: {{ to: 3 }} }}]\n")
    };
    let first = text("schedule: '0 2 * * *'\nmetadata: { owner: web }");
    let made = ada.post("workflows", json!({ "yaml": first })).await.is(201);
    let path = format!("workflows/{}", made["id"]);
    // The same file again does not make a version.
    ada.post("workflows", json!({ "yaml": first })).await.is_problem(409, "name_taken");
    let listed = ada.get("workflows?source=stored").await.is(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    let second = text("description: new\nschedule: '30 4 * * *'");
    let changed = root.patch(&path, json!({ "yaml": second, "domain": "sales" })).await.is(200);
    assert_eq!((&changed["version"], &changed["description"]), (&json!(2), &json!("new")));
    assert_eq!((&changed["domain"], &changed["user"]), (&json!("sales"), &json!("ada")));
    assert_eq!(changed["metadata"], json!({ "schedule": "30 4 * * *" }));
    assert_eq!(changed["schedule"]["cron"], "30 4 * * *", "{changed}");
    // An invalid or incomplete file does not make a version.
    for wrong in ["name: quiet\njobs: 7\n", &text("schedule: '0 0 30 2 *'")] {
        ada.patch(&path, json!({ "yaml": wrong })).await.is_problem(422, "invalid");
    }
    ada.patch(&path, json!({ "yaml": text("") })).await.is(200);
    let shown = ada.get(&format!("{path}/source")).await.text;
    assert_eq!(shown, text(""));
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = ada.get(&format!("{path}/versions?limit=2{next}")).await.is(200);
        seen.extend(page["items"].as_array().expect("items").clone());
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    let seen: Vec<_> = seen.iter().map(|of| (&of["version"], &of["author"])).collect();
    let wanted = [(json!(3), json!("ada")), (json!(2), json!("root")), (json!(1), json!("ada"))];
    assert_eq!(seen, wanted.iter().map(|(at, by)| (at, by)).collect::<Vec<_>>());
    for (number, text) in [(1, &first), (2, &second), (3, &text(""))] {
        let version = ada.get(&format!("{path}/versions/{number}")).await.is(200);
        assert_eq!(version["yaml"], **text);
        assert!(version["created_at"].is_string(), "{version}");
    }
    // Also under the path alias.
    let other = ada.request(reqwest::Method::GET, "workflows").build().expect("a request");
    let other = other
        .url()
        .as_str()
        .replace("/api/v1/workflows", &format!("/api/workflows/{path}/versions/"));
    let request = ada.request(reqwest::Method::GET, "workflows").build().expect("a request");
    let request = reqwest::Client::new().get(other).headers(request.headers().clone());
    let listed = Answer::of(request).await.is(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(3));
    ada.get(&format!("{path}/versions/4")).await.is_problem(404, "no_version");
    ada.get(&format!("{path}/versions/one")).await.is_problem(404, "no_such_path");
    ada.get(&format!("{path}/versions?cursor=name.1.a")).await.is_problem(422, "invalid");
    assert_eq!(root.get("workflows/greet/versions").await.is(200)["items"], json!([]));
    let refused = root.patch("workflows/greet", json!({ "yaml": text("") })).await;
    assert_eq!(refused.is_problem(422, "invalid")["errors"][0]["field"], "yaml");
}

async fn a_retry_runs_the_original_file(kind: Kind) {
    let site = Site::with(kind, |server| server.allow_commands(true)).await;
    let client = site.nobody();
    let text = |word: &str, code: u8| {
        format!("name: word\njobs: [{{ name: say, command: 'echo {word}; exit {code}' }}]\n")
    };
    let path = format!("workflows/{}", client.create(&text("one", 3)).await);
    let old = client.run(path.trim_start_matches("workflows/"), json!(null)).await;
    assert_eq!(old["status"], "failed", "{old}");
    client.patch(&path, json!({ "yaml": text("two", 0) })).await.is(200);
    let printed = async |run: &serde_json::Value| {
        let run = run["run_id"].as_str().expect("an id").to_owned();
        let ended = async || {
            let status = client.get(&format!("runs/{run}")).await.is(200)["status"].clone();
            status != "running" && status != "pending"
        };
        crate::support::until("it ends", ended).await;
        let log = client.get(&format!("runs/{run}/logs")).await.is(200);
        let run = client.get(&format!("runs/{run}")).await.is(200);
        (log["items"][0]["text"].clone(), run["workflow_version"].clone())
    };
    let new = client.run(path.trim_start_matches("workflows/"), json!(null)).await;
    assert_eq!(printed(&new).await, (json!("two\n"), json!(2)));
    for body in [json!({}), json!({ "failed_only": true })] {
        let retry = format!("runs/{}/retry", old["run_id"].as_str().expect("an id"));
        let again = client.post(&retry, body).await.is(202);
        assert_eq!(printed(&again).await, (json!("one\n"), json!(1)));
    }
    let shown = client.get(&path).await.is(200);
    assert_eq!((&shown["version"], &shown["recent"][0]["status"]), (&json!(2), &json!("failed")));
    assert_eq!(client.get(&format!("{path}/source")).await.text, text("two", 0));
}
