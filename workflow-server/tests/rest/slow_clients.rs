//! Slow clients.

use std::time::Duration;

use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Answer, Kind, Site};

/// Connects and sends a text.
async fn send(site: &Site, text: &str) -> TcpStream {
    let address = site.base.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(text.as_bytes()).await.expect("sent");
    stream
}

/// Reads until the server closes the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut said = String::new();
    let read = stream.read_to_string(&mut said);
    tokio::time::timeout(Duration::from_secs(60), read).await.expect("closed").expect("a text");
    said
}

#[tokio::test]
async fn an_incomplete_request_times_out() {
    let site = Site::with(Kind::Sqlite, |it| it.timeout(Duration::from_millis(200))).await;
    let head = send(&site, "GET /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-").await;
    let nothing = send(&site, "").await;
    let host = site.base.strip_prefix("http://").expect("an address");
    let post = format!(
        "POST /api/v1/workflows HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    let body = rest(send(&site, &post).await).await;
    assert!(body.starts_with("HTTP/1.1 408 "), "{body}");
    assert!(body.contains("application/problem+json"), "{body}");
    assert_eq!(rest(nothing).await, "");
    let head = rest(head).await;
    assert!(head.is_empty() || head.starts_with("HTTP/1.1 408 "), "{head}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_does_not_block_others() {
    let site = Site::open(Kind::Sqlite).await;
    let client = site.nobody();
    let run = client.run("busy", serde_json::json!(null)).await;
    let path = format!("/api/v1/runs/{}/events", run["run_id"].as_str().expect("an id"));
    let host = site.base.strip_prefix("http://").expect("an address");
    let ask = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n");
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(send(&site, &ask).await);
    }
    let events = client.request(Method::GET, &path).header("accept", "text/event-stream");
    let events = Answer::of(events).await;
    assert_eq!(events.status, 200);
    let ends = events.text.matches("event: ").count();
    assert!(ends > 150, "{ends} events");
    client.get("runs").await.is(200);
    drop(idle);
}
