//! Rejected requests, and the headers of every response.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Kind, Site};

#[tokio::test]
async fn a_timeout_is_a_problem_document() {
    let site = Site::with(Kind::Sqlite, |server| server.timeout(Duration::ZERO)).await;
    let client = site.nobody();
    let problem = client.get("workflows").await.is_problem(408, "timeout");
    assert!(problem["detail"].as_str().expect("a text").ends_with("try again"), "{problem}");
    let body = serde_json::json!({ "name": "w" });
    let problem = client.post("workflows", body).await.is_problem(408, "timeout");
    assert!(problem["detail"].as_str().expect("a text").contains("may have happened"), "{problem}");
}

#[tokio::test]
async fn invalid_requests_are_rejected() {
    let site = Site::with(Kind::Sqlite, |server| server.body_limit(1000)).await;
    let client = site.nobody();
    let large = json!({ "name": "a", "description": "d".repeat(2000) });
    client.post("workflows", large.clone()).await.is_problem(413, "too_large");
    client.post("workflows/a/webhooks/b", large).await.is_problem(413, "too_large");
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
async fn mistakes_in_json_are_told_in_plain_english() {
    let site = Site::open(Kind::Sqlite).await;
    let client = site.nobody();
    let send = async |body: &'static str| {
        let request = client.request(Method::POST, "workflows");
        Answer::of(request.header("content-type", "application/json").body(body)).await
    };
    for (body, wanted) in [
        (" ", "the text is empty"),
        ("{\"name\": \"a\",}", "trailing comma before `}` (line 1, column 14)"),
        ("{'name': 'a'}", "keys need double quotes, not single quotes (line 1, column 2)"),
        ("{name: \"a\"}", "the key `name` needs double quotes (line 1, column 2)"),
        ("{\n  \"name\": \"a", "the text ends inside a string (line 2, column 13)"),
        ("{\"project_id\": NaN}", "JSON has no number `NaN` (line 1, column 16)"),
        ("{\"name\": \"a\"} {}", "unexpected `{` after the JSON value (line 1, column 15)"),
    ] {
        let problem = send(body).await.is_problem(400, "syntax");
        assert_eq!(problem["detail"], format!("invalid JSON: {wanted}"), "{body}");
    }
    let string = "expected a string, found the number 7 (line 1, column 10)";
    let list = "expected a string, found an object (line 2, column 25)";
    let id = "expected an integer, found the string \"7\" (line 1, column 18)";
    for (body, field, message) in [
        ("{\"name\": 7}", "name", string),
        (
            "{\"name\": \"a\", \"projects\": 1}",
            "projects",
            "unknown field `projects`; did you mean `project`? (line 1, column 24)",
        ),
        ("{\"name\": \"a\",\n \"molecules_used\": [\"b\", {}]}", "molecules_used[1]", list),
        ("{\"project_id\": \"7\"}", "project_id", id),
        ("[]", "body", "expected an object, found a list (line 1, column 2)"),
    ] {
        let problem = send(body).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"], json!([{ "field": field, "message": message }]), "{body}");
    }
    for (query, wanted) in [
        ("limits=1", "limits: unknown field `limits`; did you mean `limit`?"),
        ("sort_by=age", "sort_by: unknown choice `age`; available: name, id, created, executed"),
        ("offset=x", "offset: must be an integer"),
        ("offset=", "offset: must be an integer, not empty"),
        (
            "is_active=yes",
            "is_active: expected \"true\", \"on\" or \"false\", found the string \"yes\"",
        ),
    ] {
        let problem = client.get(&format!("workflows?{query}")).await.is_problem(422, "invalid");
        assert_eq!(problem["detail"], wanted);
    }
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
