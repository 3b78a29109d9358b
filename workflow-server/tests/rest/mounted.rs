//! The routes in an application of somebody else.

use axum::Router;
use serde_json::json;

use crate::support::{Client, any_port};

#[tokio::test]
async fn a_host_mounts_it_under_a_prefix() {
    let router = workflow_server::router(workflow_core::Engine::default());
    let listener = tokio::net::TcpListener::bind(any_port()).await.expect("a port");
    let base = format!("http://{}/workflows", listener.local_addr().expect("an address"));
    let app = Router::new().nest("/workflows", router);
    tokio::spawn(async { axum::serve(listener, app).await });
    let client = Client { http: reqwest::Client::new(), base, token: None };
    let page = client.http.get(&client.base).send().await.expect("an answer");
    assert_eq!(page.status(), 200);
    let page = page.text().await.expect("a page");
    assert!(page.contains("<base href=\"/workflows/\">"), "{page}");
    assert!(page.contains("assets/") && !page.contains("\"/assets/"), "{page}");
    client.get("/api/openapi.json").await.is(200);
    assert_eq!(client.run("greet", json!("host")).await["result"], "hello host");
    client.get("/api/workflows/runs/").await.is(200);
    client.get("/workflows/greet").await.is(200);
    client.get("/api/v1/nowhere").await.is_problem(404, "no_such_path");
}
