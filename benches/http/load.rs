//! Load from many connections.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::Failure;
use crate::client::{Client, Question};

/// The result.
#[derive(Default)]
pub(crate) struct Load {
    /// The latency of each response in milliseconds, sorted.
    latencies: Vec<f64>,
    /// The total time in seconds.
    took: f64,
    /// The number of lost connections.
    pub(crate) lost: usize,
}

impl Load {
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took
    }

    /// A percentile of the latency in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let at = (self.latencies.len() * percent / 100).min(self.latencies.len().max(1) - 1);
        self.latencies.get(at).copied().unwrap_or(f64::INFINITY)
    }
}

/// Sends requests over this many connections for this long, and passes each response on.
///
/// Each connection cycles through its own requests, one at a time. A lost connection is not replaced.
pub(crate) async fn press(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    questions: impl Fn(usize) -> Vec<Question>,
    heard: impl Fn(Bytes) + Clone + Send + 'static,
) -> Result<Load, Failure> {
    let mut clients = Vec::new();
    for at in 0..connections {
        clients.push((Client::connect(address).await?, questions(at)));
    }
    let begun = Instant::now();
    let tasks = clients.into_iter().map(|(client, questions)| {
        tokio::spawn(ask_until(client, questions, begun + time, heard.clone()))
    });
    let mut load = Load::default();
    for task in tasks.collect::<Vec<_>>() {
        let (latencies, lost) = task.await??;
        load.latencies.extend(latencies);
        load.lost += usize::from(lost);
    }
    load.took = begun.elapsed().as_secs_f64();
    load.latencies.sort_unstable_by(f64::total_cmp);
    Ok(load)
}

async fn ask_until(
    mut client: Client,
    questions: Vec<Question>,
    end: Instant,
    heard: impl Fn(Bytes),
) -> Result<(Vec<f64>, bool), Failure> {
    let mut latencies = Vec::new();
    for question in questions.iter().cycle() {
        let asked = Instant::now();
        if asked >= end {
            break;
        }
        let Ok((status, body)) = client.ask(question).await else {
            return Ok((latencies, true));
        };
        latencies.push(asked.elapsed().as_secs_f64() * 1e3);
        if !status.is_success() {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
        }
        heard(body);
    }
    Ok((latencies, false))
}
