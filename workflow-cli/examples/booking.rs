//! A function workflow that waits for signals, both itself and in its jobs. The tests of the page serve
//! it.
//!
//! ```sh
//! cargo run -p workflow-cli --example booking -- serve
//! ```

use std::process::ExitCode;
use std::time::Duration;

use futures::future::try_join;
use serde_json::Value as Json;
use workflow_core::prelude::*;

#[job]
async fn hold(seats: u32) -> Vec<u32> {
    (1..=seats).collect()
}

#[job]
async fn ask(ctx: &JobContext) -> Result<Json, JobError> {
    ctx.wait_signal("answer").await
}

#[job]
async fn pay(_answer: Json) {}

/// Holds seats, asks the guest while it waits for an approval, and then sleeps for an hour.
#[register_workflow(name = "seats/book", description = "Books seats for a guest")]
async fn book(ctx: WorkflowContext, seats: Option<u32>) -> Result<u32, JobError> {
    let held = ctx.run(hold, seats.unwrap_or(2)).await?;
    ctx.sleep(Duration::from_millis(10)).await;
    let (answer, _) = try_join(ctx.run(ask, ()), ctx.wait_signal::<Json>("go")).await?;
    ctx.run(pay, answer).await?;
    ctx.sleep(Duration::from_secs(3600)).await;
    Ok(held.iter().sum())
}

fn main() -> ExitCode {
    workflow_cli::main()
}
