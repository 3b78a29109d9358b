//! Numbers keep every digit from the request to the response, or are rejected.

use reqwest::{Method, header};
use serde_json::{Value as Json, json};
use workflow_core::prelude::*;

use crate::support::{Answer, Client, Kind, Site, with_both};

with_both!(numbers_keep_their_digits, unrepresentable_numbers_are_rejected, versions_have_bounds);

/// Returns its input; if the input says so, waits for a signal and returns its payload, too.
#[register_workflow]
async fn echo_numbers(ctx: &WorkflowContext, input: Json) -> Result<Json, JobError> {
    let payload = match input["wait"] == json!(true) {
        true => ctx.wait_signal("go").await?,
        false => Json::Null,
    };
    Ok(json!({ "given": input, "payload": payload }))
}

/// Numbers as sent and as returned.
const KEPT: [(&str, &str); 13] = [
    ("9007199254740993", "9007199254740993"),
    ("-9007199254740993", "-9007199254740993"),
    ("9223372036854775807", "9223372036854775807"),
    ("9223372036854775808", "9223372036854775808"),
    ("18446744073709551615", "18446744073709551615"),
    ("-9223372036854775808", "-9223372036854775808"),
    ("0.1", "0.1"),
    ("1.10", "1.1"),
    ("3.10", "3.1"),
    ("2.0", "2.0"),
    ("1e300", "1e+300"),
    ("100000000000000000000.0", "1e+20"),
    (r#""007""#, r#""007""#),
];

const LOST: [(&str, &str); 7] = [
    ("18446744073709551616", "has more than 64 bits"),
    ("-9223372036854775809", "has more than 64 bits"),
    ("99999999999999999999", "has more than 64 bits"),
    ("1e400", "is too large for a 64-bit float"),
    ("-1e400", "is too large for a 64-bit float"),
    ("1e-400", "is too small for a 64-bit float"),
    ("99999999999999999999.5", "has more digits than a 64-bit float can hold"),
];

async fn send(client: &Client, method: Method, path: &str, body: String) -> Answer {
    let request = client.request(method, path).header(header::CONTENT_TYPE, "application/json");
    Answer::of(request.body(body)).await
}

async fn numbers_keep_their_digits(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    for (given, shown) in KEPT {
        let body = format!(r#"{{"input": {{"n": {given}, "wait": true}}}}"#);
        let path = "workflows/echo_numbers/run";
        let begun = send(&client, Method::POST, path, body).await.is(202);
        let run = format!("runs/{}", begun["run_id"].as_str().expect("an id"));
        let signal = format!(r#"{{"name": "go", "payload": [{given}]}}"#);
        send(&client, Method::POST, &format!("{run}/signal"), signal).await.is(202);
        let events = format!("{run}/events");
        let stream = client.request(Method::GET, &events).header("accept", "text/event-stream");
        let stream = Answer::of(stream).await.text;
        let result = format!(r#""given":{{"n":{shown},"wait":true}}"#);
        for events in [stream, client.get(&events).await.text] {
            assert!(events.contains(&result), "{given}: {events}");
            assert!(events.contains(&format!(r#""payload":[{shown}]"#)), "{given}: {events}");
        }
        let answer = client.get(&run).await.text;
        assert!(answer.contains(&format!(r#""input":{{"n":{shown},"wait":true}}"#)), "{answer}");
        assert!(answer.contains(&result), "{given}: {answer}");

        let change = format!(r#"{{"metadata": {{"n": {given}}}}}"#);
        send(&client, Method::PATCH, "workflows/echo_numbers", change).await.is(200);
        let workflow = client.get("workflows/echo_numbers").await.text;
        assert!(workflow.contains(&format!(r#""metadata":{{"n":{shown}}}"#)), "{workflow}");
    }
}

async fn unrepresentable_numbers_are_rejected(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let run = client.start("echo_numbers").await;
    let signal = format!("runs/{run}/signal");
    for (number, reason) in LOST {
        let told = format!("the number {number} {reason}; write it as text, in quotes");
        for (method, path, field, body) in [
            (
                Method::POST,
                "workflows/echo_numbers/run",
                "input.n[1]",
                "{\"input\": {\"n\": [1, NUMBER]}}",
            ),
            (Method::POST, &signal, "payload", "{\"name\": \"go\", \"payload\": NUMBER}"),
            (
                Method::PATCH,
                "workflows/echo_numbers",
                "metadata.a b",
                "{\"metadata\": {\"a b\": NUMBER}}",
            ),
            (
                Method::PATCH,
                "workflows/echo_numbers",
                "merge_metadata.n",
                "{\"merge_metadata\": {\"n\": NUMBER}}",
            ),
            (Method::POST, "workflows/echo_numbers/run", "body", "NUMBER"),
        ] {
            let answer = send(&client, method, path, body.replace("NUMBER", number)).await;
            let problem = answer.is_problem(422, "invalid");
            assert_eq!(problem["errors"][0], json!({ "field": field, "message": told }));
        }
        let text = json!({ "metadata": format!("{{\"n\": {number}}}") });
        let problem = client.patch("workflows/echo_numbers", text).await.is_problem(422, "invalid");
        assert!(problem.to_string().contains(&told), "{problem}");
    }
    assert_eq!(
        client.get("runs?workflow=echo_numbers").await.is(200)["items"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(client.get("workflows/echo_numbers").await.is(200)["metadata"].get("n"), None);
}

async fn versions_have_bounds(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let file = |count: u32| json!({ "yaml": format!("name: w\njobs: [{{name: a{count}, workflow: greet, with: a}}]\n") });
    client.post("workflows", file(1)).await.is(201);
    for version in [i32::MAX, 1_000_000_001, 0] {
        let patch = json!({ "version": version });
        let problem = client.patch("workflows/w", patch).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], "version");
    }
    client.patch("workflows/w", json!({ "version": 1_000_000_000 })).await.is(200);
    let changed = client.patch("workflows/w", file(2)).await.is(200);
    assert_eq!(changed["version"], 1_000_000_001);
    for version in ["2147483648", "9223372036854775807", "-9223372036854775808", "0"] {
        client.get(&format!("workflows/w/versions/{version}")).await.is_problem(404, "no_version");
    }
}
