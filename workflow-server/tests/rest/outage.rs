//! A store that is temporarily unavailable.

use serde_json::json;

use crate::cluster::Unsteady;
use crate::streams::listen;
use crate::support::{Site, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_comes_back_is_used_again() {
    let start = tokio::task::spawn_blocking(Unsteady::start).await;
    let mut cluster = start.expect("a cluster");
    let store = workflow_store::open(&cluster.url()).await.expect("a store");
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::serve(store, folder, |server| server).await;
    let client = site.nobody();
    client.run("greet", json!("a")).await;
    let gated = client.start("gated").await;
    let logs = tokio::spawn({
        let (client, path) = (client.clone(), format!("runs/{gated}/logs"));
        async move { listen(&client, &path, None, usize::MAX).await }
    });
    let is_followed = async || client.get("metrics").await.text.contains("workflow_http_streams 1");
    until("the log is followed", is_followed).await;
    let mut cluster = tokio::task::spawn_blocking(move || {
        cluster.stop();
        cluster
    })
    .await
    .expect("stopped");
    for path in ["runs", "workflows", "health/ready"] {
        let answer = client.get(path).await;
        answer.is_problem(503, "store_unavailable");
        assert_eq!(answer.header("retry-after"), "1", "{path}");
    }
    let refused = client.post("workflows/greet/run", json!({ "input": "a" })).await;
    refused.is_problem(503, "store_unavailable");
    client.get("health/live").await.is(200);
    let cluster = tokio::task::spawn_blocking(move || {
        cluster.go_on();
        cluster
    });
    let _cluster = cluster.await.expect("started");
    let ready = async || client.get("health/ready").await.status == 200;
    until("it is ready again", ready).await;
    assert_eq!(client.run("greet", json!("b")).await["result"], "hello b");
    let go = json!({ "name": "go", "payload": 1 });
    client.post(&format!("runs/{gated}/signal"), go).await.is(202);
    let heard = logs.await.expect("no panic");
    assert_eq!(heard.last().expect("an end").event, "end", "{heard:?}");
}
