//! The router mounted in the application of a host.

use axum::Router;
use axum::http::request::Parts;
use reqwest::Method;
use serde_json::json;
use workflow_core::Engine;
use workflow_server::{Authenticator, Identity, Server};
use workflow_store::TokenScope;

use crate::support::{Answer, Client, any_port};

/// Serves the application of a host.
async fn host(app: Router) -> Client {
    let listener = tokio::net::TcpListener::bind(any_port()).await.expect("a port");
    let base = format!("http://{}/workflows", listener.local_addr().expect("an address"));
    tokio::spawn(async { axum::serve(listener, app).await });
    Client { http: reqwest::Client::new(), base, token: None }
}

#[tokio::test]
async fn the_router_works_under_a_prefix() {
    let router = Server::in_memory(Engine::builder()).router();
    let client = host(Router::new().nest("/workflows", router)).await;
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

/// Authenticates by a header.
struct ByHeader;

#[async_trait::async_trait]
impl Authenticator for ByHeader {
    async fn identify(&self, request: &Parts) -> Option<Identity> {
        let (user, scope) = request.headers.get("x-user")?.to_str().ok()?.split_once(' ')?;
        let scope = if scope == "read" { TokenScope::Read } else { TokenScope::Admin };
        Some(Identity { user: user.to_owned(), is_staff: user == "boss", scope })
    }
}

#[tokio::test]
async fn a_host_authenticates_requests() {
    let router = Server::in_memory(Engine::builder()).authenticator(ByHeader).router();
    let client = host(Router::new().nest("/workflows", router)).await;
    let ask = async |user: &str, method: Method, path: &str| {
        let request = client.request(method, path).header("x-user", user);
        Answer::of(request.json(&json!({ "name": "w" }))).await
    };
    client.get("/api/v1/runs").await.is_problem(401, "sign_in");
    ask("ada read", Method::POST, "/api/v1/workflows").await.is_problem(403, "scope");
    ask("ada admin", Method::POST, "/api/v1/workflows").await.is(201);
    ask("bob admin", Method::GET, "/api/v1/workflows/w").await.is_problem(404, "no_workflow");
    let seen = ask("boss read", Method::GET, "/api/v1/workflows/w").await.is(200);
    assert_eq!(seen["user"], "ada");
}
