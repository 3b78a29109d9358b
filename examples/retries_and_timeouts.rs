//! Retries and timeouts: jobs that fail, hang, or send no heartbeat.
//!
//! The engine has a manual clock, so that minutes of waiting take no time. A real program omits
//! `.clock(..)`.
//!
//! ```sh
//! cargo run --example retries_and_timeouts
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::future::IntoFuture;
use std::time::Duration;

use workflow_core::engine::{Clock as _, ManualClock};
use workflow_core::prelude::*;

#[job(retry(maximum_attempts = 4, initial_interval = "10s", jitter = 0.0))]
async fn flaky(ctx: &JobContext) -> Result<u32, JobError> {
    match ctx.attempt() {
        attempt if attempt < 3 => Err(JobError::from("the line is busy")),
        attempt => Ok(attempt),
    }
}

// Gets time to clean up after its timeout. Without `grace` it is dropped at once.
#[job(start_to_close = "30s", grace = "5s", retry(maximum_attempts = 2, jitter = 0.0))]
async fn hangs_once(ctx: &JobContext) -> Result<u32, JobError> {
    if ctx.attempt() == 1 {
        ctx.cancelled().await;
        return Err(JobError::from("put everything back"));
    }
    Ok(ctx.attempt())
}

// Half an hour of work, with a heartbeat every minute.
#[job(heartbeat = "90s", retry(maximum_attempts = 2, jitter = 0.0))]
async fn silent_once(ctx: &JobContext) -> Result<u32, JobError> {
    if ctx.attempt() == 1 {
        std::future::pending::<()>().await;
    }
    for _ in 0..30 {
        ctx.sleep(Duration::from_secs(60)).await;
        ctx.heartbeat();
    }
    Ok(ctx.attempt())
}

#[register_workflow(name = "bad_day")]
fn bad_day(flow: &mut Flow) {
    flow.job(flaky());
    flow.job(hangs_once());
    flow.job(silent_once());
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = ManualClock::new();
    let engine = Engine::builder().clock(clock.clone()).build();
    // Whenever the run is idle, the clock moves to the next deadline.
    let report = futures::executor::block_on(clock.drive(engine.run("bad_day").into_future()))?;
    report.events().for_each(|event| println!("  {}", event.kind));
    println!("\n{report}");
    let attempts: Vec<u32> = report.jobs().iter().map(|job| job.attempts).collect();
    assert_eq!(attempts, [3, 2, 2]);
    assert_eq!(clock.now(), Duration::from_secs(90 + 1 + 30 * 60));
    Ok(())
}
