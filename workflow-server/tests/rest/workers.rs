//! Task queues and workers.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use workflow_core::Engine;
use workflow_core::store::{Queues, Store};
use workflow_core::worker::Worker;

use crate::support::{Kind, Site, until, with_both};

with_both!(a_run_waits_for_a_worker_of_its_queue, a_server_serves_the_queues_that_it_is_given);

async fn a_run_waits_for_a_worker_of_its_queue(kind: Kind) {
    let site = Site::with(kind, |server| server.task_queues(None)).await;
    let client = site.nobody();
    let body = json!({ "input": "ada", "task_queue": "far", "priority": 3 });
    let started = client.post("workflows/greet/run", body).await.is(202);
    assert_eq!(started["message"], "Workflow execution queued");
    let warning = "no live worker serves task queue `far`; the run waits for one";
    assert_eq!(started["warning"], warning);
    let path = format!("runs/{}", started["run_id"].as_str().expect("an ID"));
    let run = client.get(&path).await.is(200);
    assert_eq!((&run["status"], &run["task_queue"]), (&json!("pending"), &json!("far")));
    assert_eq!(run["priority"], 3);
    let why = client.get(&format!("{path}/why")).await.is(200)["items"].clone();
    assert_eq!((&why[0]["reason"], &why[0]["job"]), (&json!("no_worker"), &Json::Null));
    let queues = client.get("queues").await.is(200)["items"].clone();
    assert_eq!((&queues[0]["queue"], &queues[0]["runs"]), (&json!("far"), &json!(1)));
    assert_eq!(queues[0]["workers"], 0);
    assert_eq!(client.get("workers").await.is(200)["items"], json!([]));

    let engine = Engine::builder().store(site.store.clone() as Arc<dyn Store>).build();
    let worker = Worker::new(engine).name("w-1").queues(Queues::named(["far"]));
    let worked = worker.run_until(async {
        until("the end", async || client.get(&path).await.is(200)["status"] == "completed").await;
        let workers = client.get("workers").await.is(200)["items"].clone();
        assert_eq!((&workers[0]["name"], &workers[0]["state"]), (&json!("w-1"), &json!("alive")));
        assert_eq!(
            (&workers[0]["queues"], &workers[0]["serves_others"]),
            (&json!(["far"]), &json!(false))
        );
        let body = json!({ "input": "ada", "task_queue": "far", "wait": "60s" });
        let ended = client.post("workflows/greet/run", body).await.is(200);
        assert_eq!((&ended["status"], &ended["warning"]), (&json!("completed"), &Json::Null));
    });
    worked.await.expect("the store answers");
    assert_eq!(client.get("queues").await.is(200)["items"], json!([]));
    assert_eq!(client.get(&format!("{path}/why")).await.is(200)["items"][0]["reason"], "ended");
}

async fn a_server_serves_the_queues_that_it_is_given(kind: Kind) {
    let near = |server: workflow_server::Server| server.task_queues(Some(Queues::named(["near"])));
    let site = Site::with(kind, near).await;
    let client = site.nobody();
    until("a heartbeat", async || {
        client.get("workers").await.is(200)["items"][0]["queues"] == json!(["near"])
    })
    .await;
    for (queue, is_served) in [("near", true), ("far", false)] {
        let body = json!({ "input": "ada", "task_queue": queue });
        let started = client.post("workflows/greet/run", body).await.is(202);
        assert_eq!(started["warning"].is_null(), is_served, "{started}");
        let path = format!("runs/{}", started["run_id"].as_str().expect("an ID"));
        if is_served {
            until("the end", async || client.get(&path).await.is(200)["status"] == "completed")
                .await;
        } else {
            assert_eq!(client.get(&path).await.is(200)["status"], "pending");
        }
    }
    // Without a task queue, the server runs it.
    let ended = client.post("workflows/greet/run?wait=60s", json!({ "input": "ada" })).await;
    assert_eq!(ended.is(200)["status"], "completed");
}
