//! `tracing` spans for runs, jobs and attempts.
//!
//! ```sh
//! cargo run --example traced
//! ```

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use workflow_core::prelude::*;

#[job(retry(maximum_attempts = 2, initial_interval = "1ms"))]
async fn fetch(ctx: &JobContext) -> Result<Vec<u32>, JobError> {
    // Events of the job are inside the spans of run, job and attempt.
    tracing::info!(attempt = ctx.attempt(), "asking the server");
    if ctx.attempt() == 1 { Err("not yet".into()) } else { Ok(vec![3, 4, 5]) }
}

#[job]
fn total(numbers: &[u32]) -> u32 {
    let total = numbers.iter().sum();
    tracing::info!(total, "added up");
    total
}

#[register_workflow(name = "sums")]
fn sums(flow: &mut Flow) -> Handle<u32> {
    let numbers = flow.job(fetch());
    flow.job(total(numbers))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A host with OpenTelemetry adds its layer here. Child workflows have nested spans.
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::INFO)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .without_time()
        .with_writer(io::stdout)
        .init();
    let report = registry::run("sums").await?;
    assert_eq!(report.output::<u32>()?, 12);
    Ok(())
}
