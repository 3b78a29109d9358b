//! Task queues and workers.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use workflow_core::prelude::*;
use workflow_core::store::{Queues, Store};
use workflow_core::worker::Worker;
use workflow_store::TokenScope;

use crate::support::{Client, Kind, Site, until, with_both};

with_both!(
    a_run_waits_for_a_worker_of_its_queue,
    a_server_serves_the_queues_that_it_is_given,
    a_request_has_limits_of_its_own,
    holders_of_other_users_are_not_named,
);

async fn a_run_waits_for_a_worker_of_its_queue(kind: Kind) {
    let site = Site::with(kind, |server| server.task_queues(None)).await;
    let client = site.nobody();
    let body = json!({ "input": "ada", "task_queue": "far", "priority": 3 });
    let started = client.post("workflows/greet/run", body).await.is(202);
    assert_eq!(started["message"], "Run queued");
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

/// At most one run for each customer.
#[register_workflow(name = "charge", concurrency(key = "${{ input.customer }}", limit = 1))]
async fn charge(input: Json) -> Json {
    input
}

async fn a_request_has_limits_of_its_own(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let body = |limits: Json| {
        let mut body = json!({ "input": { "wait": true, "customer": "ann" } });
        body.as_object_mut()
            .expect("an object")
            .extend(limits.as_object().expect("limits").clone());
        body
    };
    let run = async |limits: Json| client.post("workflows/echo_numbers/run", body(limits)).await;
    let first = run(json!({ "singleton": true })).await.is(202);
    let again = run(json!({ "singleton": true })).await.is(202);
    assert_eq!((&again["run_id"], &again["existing"]), (&first["run_id"], &json!(true)));

    let key = "${{ input.customer }}";
    let limit = json!({ "concurrency": { "key": key, "limit": 1, "on_conflict": "cancel_new" } });
    let held = run(limit.clone()).await.is(202);
    let refused = run(limit).await.is(202);
    assert_ne!(refused["run_id"], held["run_id"]);
    let path = format!("runs/{}", refused["run_id"].as_str().expect("an ID"));
    assert_eq!(client.get(&path).await.is(200)["status"], "cancelled");

    let both = json!({ "singleton": true, "concurrency": { "limit": 1 } });
    for (limits, field) in [
        (json!({ "concurrency": { "limit": 0 } }), "concurrency"),
        (json!({ "rate_limit": { "limit": 1, "per": "often" } }), "rate_limit"),
        (json!({ "debounce": {} }), "debounce"),
        (json!({ "fairness": { "key": "${{ input.tenant }}" } }), "fairness"),
        (both, "singleton"),
    ] {
        let problem = run(limits).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let lifted = body(json!({ "concurrency": { "limit": 100 } }));
    let problem = client.post("workflows/charge/run", lifted).await.is_problem(422, "invalid");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(
        detail.contains("the workflow has its own, which a request cannot replace"),
        "{detail}"
    );
    let external = json!({ "name": "elsewhere", "dag_spec": { "nodes": [], "edges": [] } });
    let id = client.post("workflows", external).await.is(201)["id"].clone();
    let limited = json!({ "singleton": true });
    client.post(&format!("workflows/{id}/run"), limited).await.is_problem(409, "external");
}

#[job]
async fn hold(ctx: &JobContext) -> Result<u32, JobError> {
    ctx.wait_signal("go").await
}

#[register_workflow(name = "held", concurrency(limit = 1))]
fn held(flow: &mut Flow) {
    flow.job(hold());
}

async fn holders_of_other_users_are_not_named(kind: Kind) {
    let site = Site::closed(kind).await;
    let (ada, bob) =
        (site.user("ada", TokenScope::Run).await, site.user("bob", TokenScope::Run).await);
    let start = async |client: &Client| {
        let body = json!({ "task_queue": "far" });
        let started = client.post("workflows/held/run", body).await.is(202);
        started["run_id"].as_str().expect("an ID").to_owned()
    };
    let held = start(&ada).await;
    let engine = Engine::builder().store(site.store.clone() as Arc<dyn Store>).build();
    let worker = Worker::new(engine).queues(Queues::named(["far"]));
    let worked = worker.run_until(async {
        let path = format!("runs/{held}");
        until("it is claimed", async || ada.get(&path).await.is(200)["status"] == "running").await;
        for (client, names) in [(&ada, true), (&bob, false)] {
            let waiting = start(client).await;
            let path = format!("runs/{waiting}/why");
            let why = client.get(&path).await.is(200)["items"][0].clone();
            assert_eq!(why["reason"], "concurrency", "{why}");
            let detail = why["detail"].as_str().expect("a text");
            assert_eq!(why["runs"], if names { json!([held]) } else { json!([]) });
            assert_eq!(detail.contains(&held), names, "{detail}");
            assert_eq!(detail.contains("held by a run of another user"), !names, "{detail}");
        }
    });
    worked.await.expect("the store answers");
}
