//! Many connections that ask again and again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::Failure;
use crate::client::{Client, Question};

/// What came of it.
#[derive(Default)]
pub(crate) struct Load {
    /// How long each answer took, in milliseconds, the quickest first.
    latencies: Vec<f64>,
    /// How long all took, in seconds.
    took: f64,
    /// How many connections were lost.
    pub(crate) lost: usize,
}

impl Load {
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took
    }

    /// What so many of a hundred answers did not exceed, in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let at = (self.latencies.len() * percent / 100).min(self.latencies.len().max(1) - 1);
        self.latencies.get(at).copied().unwrap_or(f64::INFINITY)
    }
}

/// Asks over so many connections for so long; what is answered is heard.
///
/// Each connection asks for its own questions in turns, and for the next once the answer before
/// has come. One that is lost is not made again.
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
