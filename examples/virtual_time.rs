//! Virtual time: a test of several hours takes no time, because the engine's clock moves whenever all
//! runs are idle.
//!
//! ```sh
//! cargo run --example virtual_time
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::{Duration, Instant};

use workflow_core::engine::{Clock as _, ManualClock};
use workflow_core::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);

#[job(retry(maximum_attempts = 3, initial_interval = "1h", jitter = 0.0))]
async fn fetch(ctx: &JobContext) -> Result<u32, JobError> {
    if ctx.attempt() < 3 { Err("the server is down".into()) } else { Ok(ctx.attempt()) }
}

#[job(start_to_close = "2h")]
async fn convert(ctx: &JobContext, pages: u32) -> u32 {
    // Jobs wait on the engine's clock, which is the system clock unless a test sets another.
    ctx.sleep(HOUR).await;
    pages * 10
}

#[register_workflow(name = "import")]
async fn import(ctx: WorkflowContext) -> Result<u32, JobError> {
    let pages = ctx.run(fetch, ()).await?;
    ctx.sleep(24 * HOUR).await;
    ctx.run(convert, pages).await
}

/// This would be a `#[tokio::test]`.
async fn waits_for_the_server_and_for_the_night() -> Result<(), Box<dyn std::error::Error>> {
    let clock = ManualClock::new();
    let engine = Engine::builder().clock(clock.clone()).build();
    let report = clock.drive(engine.run("import").into_future()).await?;
    assert_eq!(report.output::<u32>()?, 30);
    // Two retries after 1 h and 2 h, a day, and an hour of work.
    assert_eq!(clock.now(), 28 * HOUR);
    assert_eq!(report.duration(), 28 * HOUR);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    waits_for_the_server_and_for_the_night().await?;
    assert!(began.elapsed() < Duration::from_secs(60));
    println!("28 hours have passed");
    Ok(())
}
