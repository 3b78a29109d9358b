//! Updates of workflows, reports on runs, and retries.

use serde_json::json;
use workflow_store::TokenScope;

use crate::support::{Kind, Site, until, with_both};

with_both!(
    a_workflow_is_updated_field_by_field,
    every_documented_field_can_be_updated,
    an_invalid_update_changes_nothing,
    reports_must_be_valid_transitions,
    a_run_is_retried_from_the_failed_job,
);

async fn a_workflow_is_updated_field_by_field(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let metadata = json!({ "owner": "old-team", "tags": ["a"], "size": { "cpu": 1, "mem": 2 } });
    let new = json!({ "name": "etl", "project": "old", "metadata": metadata });
    let made = client.post("workflows", new).await.is(201);
    let merge = json!({ "owner": null, "size": { "cpu": 4 } });
    let change = json!({ "name": "etl 2", "project": "new", "domain": "sales",
        "description": "Loads orders", "merge_metadata": merge });
    let changed = client.patch("workflows/etl", change).await.is(200);
    assert_eq!((&changed["name"], &changed["slug"]), (&json!("etl 2"), &made["slug"]));
    assert_eq!((&changed["project"], &changed["domain"]), (&json!("new"), &json!("sales")));
    assert_eq!(changed["description"], "Loads orders");
    assert_eq!(changed["metadata"], json!({ "tags": ["a"], "size": { "cpu": 4, "mem": 2 } }));
    assert_eq!(changed["tags"], json!(["a"]));
    // Omitted fields stay, empty ones are removed.
    let change = json!({ "project": "", "metadata": { "tags": ["b"] } });
    let changed = client.patch("workflows/etl", change).await.is(200);
    assert_eq!((&changed["project"], &changed["tags"]), (&json!(null), &json!(["b"])));
    assert_eq!(changed["domain"], "sales");
    let graph = json!({ "nodes": [{ "id": "n" }], "edges": [] });
    let changed = client.patch("workflows/etl", json!({ "dag_spec": graph })).await.is(200);
    assert_eq!(changed["dag_spec"]["nodes"][0]["id"], "n");
    let shown = client.get("workflows/etl").await.is(200);
    assert_eq!(shown, changed);
    for (filter, found) in [("tag=b", 1), ("tag=a", 0), ("domain=sales", 1), ("project=new", 0)] {
        let listed = client.get(&format!("workflows?source=stored&{filter}")).await.is(200);
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(found), "{filter}");
    }
}

async fn every_documented_field_can_be_updated(kind: Kind) {
    let site = Site::closed(kind).await;
    let client = site.user("ada", TokenScope::Write).await;
    let new = json!({ "name": "w", "project_id": 1, "project_name": "Sales", "app_name": "Old" });
    let made = client.post("workflows", new).await.is(201);
    let path = format!("workflows/{}", made["id"]);
    let change = json!({
        "project_id": 123, "project_name": "Sales Dashboard", "name": "Q4 Sales Analysis",
        "slug": "Q4 sales", "app_name": "Trinity Analytics", "description": "Loads",
        "molecules_used": ["loader"], "atoms_in_molecules": { "loader": ["csv"] },
        "dag_spec": { "nodes": [{ "id": "n" }], "edges": [] }, "version": 7, "is_active": false,
    });
    let changed = client.patch(&path, change.clone()).await.is(200);
    for (field, value) in change.as_object().expect("fields") {
        let expected = if field == "slug" { &json!("q4-sales") } else { value };
        assert_eq!(&changed[field], expected, "{field}");
    }
    assert_eq!(client.get("workflows/q4-sales").await.is(200), changed);
    // The response can be sent back, including the counters of the server.
    let read = [
        "id",
        "name",
        "slug",
        "description",
        "project_id",
        "project_name",
        "app_name",
        "molecules_used",
        "atoms_in_molecules",
        "dag_spec",
        "user",
        "created_at",
        "updated_at",
        "is_active",
        "version",
        "execution_count",
        "last_executed_at",
    ];
    let back: serde_json::Map<_, _> =
        read.iter().map(|field| ((*field).to_owned(), changed[*field].clone())).collect();
    let again = client.patch(&path, json!(back)).await.is(200);
    for field in read.iter().filter(|field| **field != "updated_at") {
        assert_eq!(again[*field], changed[*field], "{field}");
    }
    let other = client.patch(&path, json!({ "app_name": "", "user": "bob" })).await;
    let detail = other.is_problem(403, "not_yours")["detail"].to_string();
    assert!(detail.contains("ask an admin"), "{detail}");
    let cleared = client.patch(&path, json!({ "app_name": "" })).await.is(200);
    assert_eq!((&cleared["app_name"], &cleared["version"]), (&json!(null), &json!(7)));
}

async fn an_invalid_update_changes_nothing(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    client.post("workflows", json!({ "name": "w", "project": "p" })).await.is(201);
    let before = client.get("workflows/w").await.is(200);
    for (change, field) in [
        (json!({ "project": "q", "metadata": [1] }), "metadata"),
        (json!({ "project": "q", "metadata": {}, "merge_metadata": {} }), "merge_metadata"),
        (json!({ "project": "q", "name": "" }), "name"),
        (json!({ "project": "q", "slug": "x".repeat(256) }), "slug"),
        (json!({ "project": "q", "version": 0 }), "version"),
        (json!({ "project": "q", "project_id": 1_i64 << 40 }), "project_id"),
        (json!({ "project": "q", "app_name": "x".repeat(256) }), "app_name"),
        (json!({ "project": "q", "project_name": "x".repeat(256) }), "project_name"),
        (json!({ "project": "q", "id": 999 }), "id"),
        (json!({ "project": "q", "created_at": "2020-01-01T00:00:00Z" }), "created_at"),
        (json!({ "project": "q", "source": "registered" }), "source"),
        (json!({ "project": "q", "is_active": "yes" }), "is_active"),
        (json!({ "project": "q", "yaml": "name: x\njobs: 7" }), "jobs"),
        (json!({}), "body"),
        (json!({ "execution_count": 3 }), "body"),
    ] {
        let problem = client.patch("workflows/w", change.clone()).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{change}: {problem}");
    }
    client.patch("workflows/none", json!({ "project": "p" })).await.is_problem(404, "no_workflow");
    assert_eq!(client.get("workflows/w").await.is(200), before);
}

async fn reports_must_be_valid_transitions(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let ended = client.run("greet", json!("ada")).await;
    let path = format!("runs/{}", ended["run_id"].as_str().expect("an id"));
    let back = client.patch(&path, json!({ "status": "running" })).await;
    let problem = back.is_problem(409, "transition");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.contains("completed") && detail.contains("running"), "{detail}");
    client.patch(&path, json!({ "status": "done" })).await.is_problem(422, "invalid");
    let gated = client.start("gated").await;
    let path = format!("runs/{gated}");
    let runs = async || client.get(&path).await.is(200)["status"] == "running";
    until("it runs", runs).await;
    client.patch(&path, json!({ "status": "success" })).await.is_problem(409, "driven");
    client.post(&format!("{path}/cancel"), json!({})).await.is(202);
}

const FAILING: &str = "
name: half
jobs:
  - name: first
    command: echo once >> first.txt
  - name: second
    command: test -f good
    depends_on: [first]
";

async fn a_run_is_retried_from_the_failed_job(kind: Kind) {
    let site = Site::with(kind, |server| server.allow_commands(true)).await;
    let client = &site.nobody();
    let workflow = client.create(FAILING).await.to_string();
    let failed = client.run(&workflow, json!(null)).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    let run = failed["run_id"].as_str().expect("an id");
    let retry = format!("runs/{run}/retry");
    let unknown = client.post(&retry, json!({ "from": "third" })).await;
    assert_eq!(unknown.is_problem(422, "invalid")["errors"][0]["field"], "from");
    std::fs::write(site.folder.path().join("good"), "").expect("written");
    let mut times = 1;
    for (how, again) in
        [(json!({ "failed_only": true }), 0), (json!({ "from": "first" }), 1), (json!({}), 1)]
    {
        let repeated = client.post(&retry, how.clone()).await.is(202);
        let id = repeated["run_id"].as_str().expect("an id");
        assert_ne!(id, run);
        let path = &format!("runs/{id}");
        until("it ends", async || client.get(path).await.is(200)["status"] == "completed").await;
        times += again;
        let made = std::fs::read_to_string(site.folder.path().join("first.txt")).expect("a text");
        assert_eq!(made.lines().count(), times, "{how}");
    }
    let gated = client.start("gated").await;
    let early = client.post(&format!("runs/{gated}/retry"), json!({})).await;
    assert_eq!(early.status, 409, "{}", early.text);
    client.post(&format!("runs/{gated}/cancel"), json!({})).await.is(202);
}
