//! Rejected requests, and the headers of every response.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Kind, Site};

#[tokio::test]
async fn a_timeout_is_a_problem_document() {
    let site = Site::with(Kind::Sqlite, |server| server.timeout(Duration::ZERO)).await;
    site.nobody().get("workflows").await.is_problem(408, "timeout");
}

#[tokio::test]
async fn invalid_requests_are_rejected() {
    let site = Site::with(Kind::Sqlite, |server| server.body_limit(1000)).await;
    let client = site.nobody();
    let large = json!({ "name": "a", "description": "d".repeat(2000) });
    client.post("workflows", large).await.is_problem(413, "too_large");
    let send = async |kind: &str, body: &'static str| {
        let request = client.request(Method::POST, "workflows").header("content-type", kind);
        Answer::of(request.body(body)).await
    };
    send("text/html", "<p>").await.is_problem(415, "media_type");
    send("application/json", "{").await.is_problem(400, "syntax");
    let unknown = send("application/json", "{\"name\": \"a\", \"nam\": 1}").await;
    assert_eq!(unknown.is_problem(422, "invalid")["errors"][0]["field"], "nam");
    for limit in ["0", "1001", "-1", "x"] {
        let problem = client.get(&format!("runs?limit={limit}")).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], "limit");
    }
    client.get("nowhere").await.is_problem(404, "no_such_path");
    client.delete("runs").await.is_problem(405, "method");
}

#[tokio::test]
async fn every_response_has_security_headers() {
    let site = Site::with(Kind::Sqlite, |it| it.allow_origin("https://a.example")).await;
    let plain = Site::open(Kind::Sqlite).await;
    for path in ["/", "/api/openapi.json", "/api/v1/runs", "/api/v1/nowhere", "/nowhere"] {
        let answer = plain.nobody().get(path).await;
        for name in ["x-content-type-options", "x-frame-options", "content-security-policy"] {
            assert!(!answer.header(name).is_empty(), "{path}: {name}");
        }
        for (site, wanted) in [(&plain, ""), (&site, "https://a.example")] {
            let request = site.nobody().request(Method::GET, path);
            let answer = Answer::of(request.header("origin", "https://a.example")).await;
            assert_eq!(answer.header("access-control-allow-origin"), wanted, "{path}");
        }
    }
}

#[tokio::test]
async fn allowed_origins_may_send_preflight_requests() {
    let site = Site::with(Kind::Sqlite, |it| it.allow_origin("https://a.example")).await;
    let plain = Site::open(Kind::Sqlite).await;
    for (site, origin, wanted) in [
        (&site, "https://a.example", "https://a.example"),
        (&site, "https://b.example", ""),
        (&plain, "https://a.example", ""),
    ] {
        let ask = site.nobody().request(Method::OPTIONS, "runs").header("origin", origin);
        let ask = ask.header("access-control-request-method", "PATCH");
        let ask =
            ask.header("access-control-request-headers", "content-type,x-csrf-token,x-csrftoken");
        let answer = Answer::of(ask).await;
        assert_eq!(answer.header("access-control-allow-origin"), wanted, "{origin}");
        if !wanted.is_empty() {
            let methods = answer.header("access-control-allow-methods");
            assert!(methods.contains("PATCH"), "{methods}");
            let headers = answer.header("access-control-allow-headers");
            for name in ["x-csrf-token", "x-csrftoken", "authorization", "last-event-id"] {
                assert!(headers.split(',').any(|it| it == name), "{name} in {headers}");
            }
        }
    }
}
