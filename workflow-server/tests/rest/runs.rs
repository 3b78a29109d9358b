//! Start, wait for, cancel and signal runs.

use serde_json::json;

use crate::support::{Kind, Site, until, with_both};

with_both!(
    a_run_is_accepted_and_waited_for,
    a_key_starts_one_run,
    a_workflow_that_cannot_run_is_rejected,
    a_run_receives_signals_and_cancellations,
);

async fn a_run_is_accepted_and_waited_for(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let ended = client.run("greet", json!("ada")).await;
    assert_eq!((&ended["status"], &ended["result"]), (&json!("completed"), &json!("hello ada")));
    assert_eq!(ended["run_id"], ended["id"]);
    let id = ended["run_id"].as_str().expect("an id");
    let shown = client.get(&format!("runs/{id}")).await.is(200);
    assert_eq!(shown["result"], "hello ada");
    // A run that does not end in time is accepted.
    let path = "workflows/gated/run?wait=50ms";
    let accepted = client.post(path, json!({})).await.is(202);
    assert!(accepted["workflow_id"].is_i64() && accepted["message"].is_string());
    let failed = client.run("broken", json!(null)).await;
    assert_eq!(failed["status"], "failed");
    assert!(failed["error"].as_str().expect("why").contains("it is refused"), "{failed}");
}

async fn a_key_starts_one_run(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let body = json!({ "input": "ada", "idempotency_key": "k-1", "wait": "60s" });
    let asked = (0..4).map(|_| client.post("workflows/greet/run", body.clone()));
    let answers = futures::future::join_all(asked).await;
    let ids = answers.iter().map(|answer| answer.is(200)["run_id"].clone());
    let ids: std::collections::BTreeSet<String> = ids.map(|id| id.to_string()).collect();
    assert_eq!(ids.len(), 1);
    let runs = client.get("runs?idempotency_key=k-1").await.is(200);
    assert_eq!(runs["items"].as_array().map(Vec::len), Some(1));
}

async fn a_workflow_that_cannot_run_is_rejected(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    client.post("workflows/nothing/run", json!({})).await.is_problem(404, "no_workflow");
    let wrong = client.post("workflows/greet/run", json!({ "input": { "a": 1 } })).await;
    assert_eq!(wrong.is_problem(422, "invalid")["errors"][0]["field"], "input");
    let queue = client.post("workflows/greet/run", json!({ "task_queue": " far" })).await;
    assert_eq!(queue.is_problem(422, "invalid")["errors"][0]["field"], "task_queue");
    client.post("workflows/greet/run?wait=10m", json!({})).await.is_problem(422, "invalid");
    let long = json!({ "input": "a", "idempotency_key": "k".repeat(256) });
    client.post("workflows/greet/run", long).await.is_problem(422, "invalid");
    client.patch("workflows/greet", json!({ "is_active": false })).await.is(200);
    client.post("workflows/greet/run", json!({})).await.is_problem(409, "not_active");
    client.get("runs/00000000-0000-0000-0000-000000000000").await.is_problem(404, "no_run");
    client.get("runs/what").await.is_problem(404, "no_run");
}

async fn a_run_receives_signals_and_cancellations(kind: Kind) {
    let site = Site::open(kind).await;
    let client = &site.nobody();
    let (told, stopped) = (client.start("gated").await, client.start("gated").await);
    let go = json!({ "name": "go", "payload": 7 });
    client.post(&format!("runs/{told}/signal"), go).await.is(202);
    client.post(&format!("runs/{stopped}/cancel"), json!({})).await.is(202);
    for (run, status) in [(&told, "completed"), (&stopped, "cancelled")] {
        let path = &format!("runs/{run}");
        until(status, async || client.get(path).await.is(200)["status"] == status).await;
    }
    assert_eq!(client.get(&format!("runs/{told}")).await.is(200)["result"], 7);
    client.post(&format!("runs/{told}/cancel"), json!({})).await.is_problem(409, "run_ended");
    let job = client.get(&format!("runs/{told}/jobs/gate")).await.is(200);
    assert_eq!((&job["status"], &job["output"]), (&json!("completed"), &json!(7)));
    let bars = client.get(&format!("runs/{told}/gantt")).await.is(200);
    assert_eq!(bars["items"].as_array().map(Vec::len), Some(1));
}
