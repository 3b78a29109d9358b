//! Workflow files that come over the API.

use serde_json::json;

use crate::support::{Answer, Kind, Site, with_both};

const COMMAND: &str = "name: loud\njobs:\n  - { name: say, command: echo hot; echo cold >&2 }\n";
const JOB: &str = "name: quiet\njobs:\n  - { name: count, job: tally, with: { to: 3 } }\n";

with_both!(
    files_run_jobs_that_are_registered,
    commands_are_refused_unless_they_are_allowed,
    mistakes_are_told_with_their_places,
);

async fn files_run_jobs_that_are_registered(kind: Kind) {
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

async fn commands_are_refused_unless_they_are_allowed(kind: Kind) {
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
    // A server that does not allow them runs no file that another took.
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::serve(allowed.store.clone(), folder, |server| server).await;
    let other = site.nobody();
    let refused = other.post(&format!("workflows/{id}/run"), json!({})).await;
    refused.is_problem(403, "commands_not_allowed");
    let refused = other.post(&format!("runs/{run}/retry"), json!({})).await;
    refused.is_problem(403, "commands_not_allowed");
}

async fn mistakes_are_told_with_their_places(kind: Kind) {
    let site = Site::open(kind).await;
    let wrong = json!({ "yaml": "name: etl\njobs: 7\n" });
    let problem = site.nobody().post("workflows", wrong).await.is_problem(422, "invalid");
    assert_eq!(problem["errors"][0]["field"], "jobs");
    let message = problem["errors"][0]["message"].as_str().expect("a text");
    assert!(message.ends_with("(line 2, column 7)"), "{message}");
}
