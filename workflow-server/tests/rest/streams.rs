//! Streams of events and logs.

use futures::StreamExt as _;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value as Json, json};
use workflow_core::prelude::*;
use workflow_core::run_log::RunLog;
use workflow_files::WorkflowFile;
use workflow_files::command::{Command, Shell};

use crate::support::{Client, Kind, Site, until, with_both};

with_both!(
    all_events_arrive_in_order,
    a_stream_continues_after_the_last_event,
    a_disconnected_client_closes_its_stream,
    a_stream_reports_a_deleted_run,
    logs_are_streamed,
    output_of_rust_jobs_is_streamed,
    a_damaged_log_is_reported,
);

/// An event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    id: Option<u64>,
    pub(crate) event: String,
    data: Json,
}

/// Reads a stream to its end, or up to `most` events.
pub(crate) async fn listen(
    client: &Client,
    path: &str,
    last: Option<u64>,
    most: usize,
) -> Vec<Piece> {
    let mut request = client.request(Method::GET, path).header("accept", "text/event-stream");
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let (mut bytes, mut text, mut pieces) = (answer.bytes_stream(), String::new(), Vec::new());
    while let Some(more) = bytes.next().await {
        text.push_str(std::str::from_utf8(&more.expect("bytes")).expect("a text"));
        while let Some((frame, rest)) = text.split_once("\n\n") {
            pieces.extend(piece(frame));
            text = rest.to_owned();
            if pieces.len() == most {
                return pieces;
            }
        }
    }
    assert!(text.is_empty(), "{text}");
    pieces
}

/// Parses a frame; `None` for a comment.
fn piece(frame: &str) -> Option<Piece> {
    let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
    Some(Piece {
        id: field("id: ").map(|id| id.parse().expect("a number")),
        event: field("event: ")?.to_owned(),
        data: serde_json::from_str(field("data: ")?).expect("JSON"),
    })
}

/// Asserts that the events are complete from `first` on, with the end event.
#[track_caller]
fn assert_complete(pieces: &[Piece], from: u64, status: &str) {
    let (end, events) = pieces.split_last().expect("pieces");
    assert_eq!((end.event.as_str(), &end.data["status"]), ("end", &json!(status)));
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event.id, Some(from + number as u64), "{event:?}");
        assert_eq!(event.data["sequence"], json!(event.id));
        assert_eq!(event.data["event"], event.event.as_str());
    }
    assert_eq!(events.last().expect("events").event, "run_completed");
}

async fn all_events_arrive_in_order(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let early = client.start("gated").await;
    let path = format!("runs/{early}/events");
    let many = join_all((0..20).map(|_| listen(&client, &path, None, usize::MAX)));
    let tell = async {
        let streams = "workflow_http_streams 20";
        let all = async || client.get("metrics").await.text.contains(streams);
        until("all listen", all).await;
        client.post(&format!("runs/{early}/signal"), json!({ "name": "go", "payload": 1 })).await
    };
    let (many, _) = futures::future::join(many, tell).await;
    for pieces in &many {
        assert_complete(pieces, 0, "completed");
        assert_eq!(pieces, &many[0]);
    }
    // For a run with many events, during and after the run.
    let busy = client.start("busy").await;
    let path = format!("runs/{busy}/events");
    let live = listen(&client, &path, None, usize::MAX).await;
    assert_complete(&live, 0, "completed");
    assert!(live.len() > 300, "{}", live.len());
    assert_eq!(listen(&client, &path, None, usize::MAX).await, live);
    let page = client.get(&format!("{path}?from=5&limit=3")).await.is(200);
    assert_eq!(page["items"][0], live[5].data);
    assert_eq!(page["next"], 8);
}

async fn a_stream_continues_after_the_last_event(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let run = client.start("busy").await;
    let path = format!("runs/{run}/events");
    let mut seen: Vec<Piece> = Vec::new();
    while seen.last().is_none_or(|piece| piece.event != "end") {
        let last = seen.last().and_then(|piece| piece.id);
        seen.extend(listen(&client, &path, last, 37).await);
    }
    assert_complete(&seen, 0, "completed");
    // After the last event, only the end event follows; beyond it as well.
    let last = seen[seen.len() - 2].id;
    for last in [last, Some(1_000_000), Some(u64::MAX)] {
        let rest = listen(&client, &path, last, usize::MAX).await;
        assert_eq!(rest.len(), 1, "{rest:?}");
        assert_eq!(rest[0].event, "end");
    }
    let request = client.request(Method::GET, &path).header("accept", "text/event-stream");
    let answer = request.header("last-event-id", "x").send().await.expect("an answer");
    assert_eq!(answer.status(), 422);
    client.get(&format!("{path}?from={}", u64::MAX)).await.is(200);
}

async fn a_disconnected_client_closes_its_stream(kind: Kind) {
    let site = Site::with(kind, |server| server.streams(2)).await;
    let client = site.nobody();
    let run = client.start("gated").await;
    let path = format!("runs/{run}/events");
    let open = async || {
        let request = client.request(Method::GET, &path).header("accept", "text/event-stream");
        request.send().await.expect("an answer")
    };
    let (first, second) = (open().await, open().await);
    let third = open().await;
    assert_eq!(
        (third.status().as_u16(), &third.headers()["retry-after"]),
        (429, &"5".parse().expect(""))
    );
    drop((first, second));
    let none = async || client.get("metrics").await.text.contains("workflow_http_streams 0");
    until("no stream is left", none).await;
    assert_eq!(open().await.status(), 200);
}

async fn a_stream_reports_a_deleted_run(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let run = client.start("gated").await;
    let (events, logs) = (format!("runs/{run}/events"), format!("runs/{run}/logs"));
    let listeners = join_all([
        listen(&client, &events, None, usize::MAX),
        listen(&client, &events, None, usize::MAX),
        listen(&client, &logs, None, usize::MAX),
    ]);
    let delete = async {
        let all = async || client.get("metrics").await.text.contains("workflow_http_streams 3");
        until("all listen", all).await;
        site.store.delete_workflow("gated").await.expect("deleted")
    };
    let (heard, deleted) = futures::future::join(listeners, delete).await;
    assert_eq!(deleted, 1);
    for pieces in heard {
        let end = pieces.last().expect("an end");
        assert_eq!((end.event.as_str(), &end.data), ("end", &json!({ "deleted": true })));
    }
    for path in [events, logs] {
        let request = client.request(Method::GET, &path).header("accept", "text/event-stream");
        assert_eq!(request.send().await.expect("an answer").status(), 404, "{path}");
    }
}

async fn logs_are_streamed(kind: Kind) {
    let site = Site::with(kind, |server| server.allow_commands(true)).await;
    let client = site.nobody();
    let file = "name: loud\njobs:\n  - { name: say, command: 'echo one; until [ -e go ]; do \
                sleep 0.05; done; echo two' }\n";
    let id = client.create(file).await;
    let run = client.start(&id.to_string()).await;
    let path = format!("runs/{run}/logs");
    let one = listen(&client, &path, None, 1).await;
    assert_eq!(one[0].data["text"], "one\n");
    std::fs::write(site.folder.path().join("go"), "").expect("written");
    let rest = listen(&client, &path, one[0].id, usize::MAX).await;
    assert_eq!(rest[0].data["text"], "two\n", "{rest:?}");
    assert_eq!((rest[1].event.as_str(), rest.len()), ("end", 2));
    // Another engine writes a separate segment; reading continues into it.
    let stored = site.store.run(run.parse().expect("an id")).await.expect("readable");
    let stored = stored.expect("kept");
    let source = stored.workflow.source.expect("a file");
    let file = WorkflowFile::from_source(&source).expect("a file").expect("valid");
    let print = async |text: &str| {
        let log = RunLog::open(file.log_of(stored.id)).expect("the log opens");
        let command = Command::new(format!("echo {text}"));
        let run = Shell::new().log(log).run(&command, &JobContext::detached()).await;
        run.expect("it succeeds");
    };
    print("three").await;
    let more = listen(&client, &path, rest[0].id, usize::MAX).await;
    assert_eq!((&more[0].data["text"], more.len()), (&json!("three\n"), 2), "{more:?}");
    assert!(more[0].id > rest[0].id, "{more:?}");
    let page = client.get(&format!("{path}?from={}", more[0].id.expect("an id"))).await.is(200);
    assert_eq!((&page["items"], &page["ended"]), (&json!([]), &json!(true)));
    // A position inside of a record is a mistake of the client.
    let inside = format!("{path}?from={}", more[0].id.expect("an id") - 1);
    client.get(&inside).await.is_problem(422, "invalid");
    client.get(&format!("{inside}&format=text")).await.is_problem(422, "invalid");
    // The same attempt again.
    print("four").await;
    let texts = async |query: &str| {
        let page = client.get(&format!("{path}{query}")).await.is(200);
        let items = page["items"].as_array().expect("a list").iter();
        items.map(|item| item["text"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(texts("").await, ["one\n", "two\n", "three\n", "four\n"]);
    assert_eq!(texts("?job=").await, ["three\n", "four\n"]);
    assert_eq!(texts("?job=&attempt=1").await, ["four\n"]);
    assert_eq!(texts("?job=say&attempt=1").await, ["one\n", "two\n"]);
}

#[job]
async fn asks(ctx: &JobContext) -> Result<bool, JobError> {
    println!("may I?");
    let answer = ctx.wait_signal("answer").await?;
    ctx.annotate("answer", answer);
    Ok(answer)
}

#[register_workflow(name = "asking")]
fn asking(flow: &mut Flow) -> Handle<bool> {
    flow.job(asks())
}

async fn output_of_rust_jobs_is_streamed(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let run = client.start("asking").await;
    let path = format!("runs/{run}/logs");
    let one = listen(&client, &path, None, 1).await;
    assert_eq!((&one[0].data["text"], &one[0].data["job"]), (&json!("may I?\n"), &json!("asks")));
    let body = json!({ "name": "answer", "payload": true });
    client.post(&format!("runs/{run}/signal"), body).await.is(202);
    let rest = listen(&client, &path, one[0].id, usize::MAX).await;
    assert_eq!(rest[0].data["text"], "answer: true\n", "{rest:?}");
    assert_eq!((rest[1].event.as_str(), rest.len()), ("end", 2));
    let job = client.get(&format!("runs/{run}/jobs/asks")).await.is(200);
    assert_eq!(job["attempts"][0]["annotations"], json!({ "answer": true }), "{job}");
}

async fn a_damaged_log_is_reported(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let run = client.start("asking").await;
    let path = format!("runs/{run}/logs");
    let one = listen(&client, &path, None, 1).await;
    let streams = async |open: &str| client.get("metrics").await.text.contains(open);
    until("no stream is left", async || streams("workflow_http_streams 0").await).await;
    let damage = async {
        until("it listens", async || streams("workflow_http_streams 1").await).await;
        let stored = site.store.run(run.parse().expect("an id")).await.expect("readable");
        let log = stored.and_then(|run| run.log()).expect("a log");
        let mut log = std::fs::OpenOptions::new().append(true).open(log).expect("opened");
        std::io::Write::write_all(&mut log, b"no header\n").expect("written");
    };
    let heard = listen(&client, &path, one[0].id, usize::MAX);
    let (heard, ()) = futures::future::join(heard, damage).await;
    assert_eq!((heard[0].event.as_str(), heard.len()), ("error", 1), "{heard:?}");
    assert_eq!(heard[0].data["code"], "internal");
    for (accept, query) in [("text/event-stream", ""), ("*/*", ""), ("*/*", "?format=text")] {
        let request = client.request(Method::GET, &format!("{path}{query}"));
        let answer = request.header("accept", accept).send().await.expect("an answer");
        assert_eq!(answer.status(), 500, "{accept} {query}");
    }
    // Damage where a record ended is no mistake of the client.
    let end = one[0].id.expect("an id");
    assert_eq!(client.get(&format!("{path}?from={end}")).await.status, 500);
}
