//! A worker with slow steps, for trying what happens when it dies: `cargo run --example steps --
//! 127.0.0.1:7233 prefix`. With the argument `changed`, its workflows have another definition. Numbers
//! are its lease and its grace period in seconds.
#![expect(clippy::print_stdout, reason = "it shows what it does")]

use std::sync::OnceLock;
use std::time::Duration;

use workflow_core::prelude::*;
use workflow_temporal::{TemporalClient, TemporalOptions, TemporalWorker};

#[job]
async fn step(ctx: &JobContext, number: u64) -> u64 {
    println!("step {number} attempt {}", ctx.attempt());
    ctx.sleep(Duration::from_millis(if number == 2 { 3000 } else { 50 })).await;
    number + 1
}

#[job]
async fn other_step(number: u64) -> u64 {
    number + 1
}

/// Whether the definitions are the other ones.
static CHANGED: OnceLock<()> = OnceLock::new();

#[register_workflow(name = "four_steps")]
async fn four_steps(ctx: WorkflowContext) -> Result<u64, JobError> {
    let mut number = 0;
    if CHANGED.get().is_some() {
        number = ctx.run(other_step, number).await?;
    }
    while number < 4 {
        number = ctx.run(step, number).await?;
    }
    Ok(number)
}

#[job]
async fn part(ctx: &JobContext, number: u64) -> u64 {
    ctx.sleep(Duration::from_millis(200)).await;
    println!("made {}", ctx.idempotency_key());
    number + 1
}

/// Six short parts, for many runs at once.
#[register_workflow(name = "six_parts")]
async fn six_parts(ctx: WorkflowContext) -> Result<u64, JobError> {
    let mut number = 0;
    if CHANGED.get().is_some() {
        number = ctx.run(other_step, number).await?;
    }
    while number < 6 {
        number = ctx.run(part, number).await?;
    }
    Ok(number)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("expected the address of a Temporal server")?;
    let prefix = arguments.next().ok_or("expected the prefix of the task queues")?;
    let (changed, seconds): (Vec<_>, Vec<_>) = arguments.partition(|text| text == "changed");
    if !changed.is_empty() {
        CHANGED.get_or_init(|| ());
    }
    let mut seconds = seconds.iter().map(|text| text.parse().map(Duration::from_secs));
    let client = TemporalClient::connect(&TemporalOptions::new().address(address)).await?;
    let engine = Engine::builder().queue_prefix(prefix).build();
    let mut worker = TemporalWorker::new(client, engine);
    if let Some(lease) = seconds.next() {
        worker = worker.lease(lease?);
    }
    if let Some(grace) = seconds.next() {
        worker = worker.shutdown_grace(grace?);
    }
    println!("serving {}", worker.served_queues()?.join(", "));
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let stop = async move {
        terminated.recv().await;
    };
    worker.run(stop).await?;
    println!("stopped");
    Ok(())
}
