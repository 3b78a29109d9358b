//! A busy run with a thousand event listeners.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use serde_json::{Value as Json, json};

use crate::child::Serving;
use crate::client::{Client, Question};
use crate::table::{Figure, Row};
use crate::{Failure, Options, fresh};

const LISTENERS: usize = 1000;
/// KiB per listener.
const MOST: f64 = 50.0;

/// The events of one listener.
#[derive(Default)]
struct Heard {
    /// The number of events received in order.
    next: u64,
    /// Whether an event arrived out of order.
    is_disordered: bool,
    /// Whether the stream ended with its end marker.
    has_ended: bool,
    line: Vec<u8>,
}

impl Heard {
    /// Reads more bytes.
    fn hear(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&bytes[..end]);
            self.read_line();
            self.line.clear();
            bytes = &bytes[end + 1..];
        }
        self.line.extend_from_slice(bytes);
    }

    fn read_line(&mut self) {
        if self.line == b"event: end" {
            self.has_ended = true;
        } else if let Some(id) = self.line.strip_prefix(b"id: ") {
            let id = std::str::from_utf8(id).ok().and_then(|id| id.parse::<u64>().ok());
            self.is_disordered |= id != Some(self.next);
            self.next += 1;
        }
    }
}

/// The result of one round.
struct Round {
    events: u64,
    /// The number of listeners that received all events in order and the end.
    complete: usize,
    /// KiB per listener.
    memory: f64,
    /// Seconds from the first event with all listeners connected to the last event of the last listener.
    took: f64,
}

pub(crate) async fn measure(folder: &Path, options: &Options) -> Result<Vec<Row>, Failure> {
    let mut rounds = Vec::new();
    for _ in 0..options.rounds.min(3) {
        rounds.push(round(folder).await?);
    }
    let events = rounds[0].events;
    let complete: Figure = rounds.iter().map(|round| round.complete as f64).collect();
    let memory: Figure = rounds.iter().map(|round| round.memory).collect();
    let took: Figure = rounds.iter().map(|round| round.took).collect();
    let name = format!("1,000 listeners to a run of {events} events: had all, in order");
    Ok(vec![
        Row::at_least(&name, &complete, LISTENERS as f64, ""),
        Row::at_most("the server's memory for each of them, at its most", &memory, MOST, " KiB"),
        Row::plain("from the first of these events to the last one's last", took.show(" s")),
    ])
}

async fn round(folder: &Path) -> Result<Round, Failure> {
    let file = fresh(folder, "events")?;
    let server = Arc::new(Serving::start(&file)?);
    let gate = file.with_file_name("all-listen");
    let run = begin(&server, &gate).await?;
    let before = server.memory()?;
    let ready = Arc::new(AtomicUsize::new(0));
    let listening = (0..LISTENERS).map(|_| {
        tokio::spawn(listen(server.clone(), format!("/api/v1/runs/{run}/events"), ready.clone()))
    });
    let listening: Vec<_> = listening.collect();
    let asked = Instant::now();
    while ready.load(Ordering::Relaxed) < LISTENERS {
        if asked.elapsed() > Duration::from_secs(30) {
            return Err("not all could listen".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (over, begun) = (Arc::new(AtomicBool::new(false)), Instant::now());
    let watching = tokio::spawn(watch(server.clone(), over.clone()));
    std::fs::write(&gate, "")?;
    let mut heard = Vec::new();
    for one in listening {
        heard.push(one.await??);
    }
    let took = begun.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    let most = watching.await??;
    let events = count(&server, &run).await?;
    let is_complete = |one: &&Heard| one.has_ended && !one.is_disordered && one.next == events;
    let memory = most.saturating_sub(before) as f64 / 1024.0 / LISTENERS as f64;
    Ok(Round { events, complete: heard.iter().filter(is_complete).count(), memory, took })
}

/// Starts the busy run, which waits for its gate file.
async fn begin(server: &Serving, gate: &Path) -> Result<String, Failure> {
    let body = json!({ "input": gate.display().to_string() }).to_string();
    let question = Question::post("/api/v1/workflows/busy/run", body);
    let (_, body) = Client::connect(server.address).await?.ask(&question).await?;
    let answer: Json = serde_json::from_slice(&body)?;
    let run = answer["run_id"].as_str().map(str::to_owned);
    run.ok_or_else(|| format!("no run: {answer}").into())
}

/// Listens until the stream ends.
async fn listen(
    server: Arc<Serving>,
    path: String,
    ready: Arc<AtomicUsize>,
) -> Result<Heard, Failure> {
    let question = Question { accept: "text/event-stream", ..Question::get(path) };
    let mut client = Client::connect(server.address).await?;
    let mut body = client.begin(&question).await?.into_body();
    ready.fetch_add(1, Ordering::Relaxed);
    let mut heard = Heard::default();
    while let Some(frame) = body.frame().await {
        if let Ok(bytes) = frame?.into_data() {
            heard.hear(&bytes);
        }
    }
    Ok(heard)
}

/// The peak memory of the server until the end.
async fn watch(server: Arc<Serving>, over: Arc<AtomicBool>) -> Result<u64, Failure> {
    let mut most = 0;
    while !over.load(Ordering::Relaxed) {
        most = most.max(server.memory()?);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(most)
}

/// The number of persisted events of the run.
async fn count(server: &Serving, run: &str) -> Result<u64, Failure> {
    let mut client = Client::connect(server.address).await?;
    let mut from = 0;
    loop {
        let path = format!("/api/v1/runs/{run}/events?limit=1000&from={from}");
        let (_, body) = client.ask(&Question::get(path)).await?;
        let page: Json = serde_json::from_slice(&body)?;
        let items = page["items"].as_array().ok_or_else(|| format!("no events: {page}"))?;
        from += items.len() as u64;
        if items.len() < 1000 {
            return Ok(from);
        }
    }
}
