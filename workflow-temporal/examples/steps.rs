//! A worker with slow steps, for trying what happens when it dies: `cargo run --example steps --
//! 127.0.0.1:7233 prefix`.
#![expect(clippy::print_stdout, reason = "it shows what it does")]

use std::time::Duration;

use workflow_core::prelude::*;
use workflow_temporal::{TemporalClient, TemporalOptions, TemporalWorker};

#[job]
async fn step(ctx: &JobContext, number: u64) -> u64 {
    println!("step {number} attempt {}", ctx.attempt());
    ctx.sleep(Duration::from_millis(if number == 2 { 6000 } else { 50 })).await;
    number + 1
}

#[register_workflow(name = "four_steps")]
async fn four_steps(ctx: WorkflowContext) -> Result<u64, JobError> {
    let mut number = 0;
    for _ in 0..4 {
        number = ctx.run(step, number).await?;
    }
    Ok(number)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("expected the address of a Temporal server")?;
    let prefix = arguments.next().ok_or("expected the prefix of the task queues")?;
    let client = TemporalClient::connect(&TemporalOptions::new().address(address)).await?;
    let engine = Engine::builder().queue_prefix(prefix).build();
    let worker = TemporalWorker::new(client, engine);
    println!("serving {}", worker.served_queues()?.join(", "));
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let stop = async move {
        terminated.recv().await;
    };
    worker.run(stop).await?;
    println!("stopped");
    Ok(())
}
