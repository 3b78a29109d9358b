//! Cancelling a run: jobs stop gracefully, and cleanup jobs still run.
//!
//! ```sh
//! cargo run --example cancellation
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use futures::StreamExt as _;
use workflow_core::event::EventKind;
use workflow_core::prelude::*;

#[job]
async fn open() -> u32 {
    7
}

// Takes an hour. On cancellation, its sleep ends and it has five seconds to clean up.
#[job(grace = "5s")]
async fn upload(ctx: &JobContext, connection: u32) -> Result<u32, JobError> {
    ctx.sleep(Duration::from_secs(3600)).await;
    if ctx.is_cancelled() {
        return Err(JobError::from(format!("deleted the half upload on {connection}")));
    }
    Ok(connection)
}

#[job]
async fn publish(_upload: u32) {}

#[job]
async fn close(connection: Option<&u32>) -> String {
    format!("closed connection {connection:?}")
}

#[register_workflow(name = "release")]
fn release(flow: &mut Flow) -> Handle<String> {
    let connection = flow.job(open());
    let uploaded = flow.job(upload(connection));
    let published = flow.job(publish(uploaded));
    // Also depends on the upload: `publish` is skipped while the upload is still cleaning up.
    let close = close(connection).after(uploaded).after(published);
    flow.job(close.trigger(TriggerRule::Always))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let run = registry::run("release").start()?;
    let mut events = run.events();
    while let Some(event) = events.next().await {
        println!("  {}", event.kind);
        // The first event of the job to interrupt.
        if matches!(&event.kind, EventKind::JobStarted { job, .. } if job == "upload") {
            run.cancel();
        }
    }
    let RunError::Cancelled(report) = run.outcome().await.err().ok_or("it was not cancelled")?
    else {
        return Err("it ended in another way".into());
    };
    println!("\n{report}\nit came this far: {}", report.progress());

    let status = |job| report.job(job).map(|job| job.status);
    assert_eq!(status("upload"), Some(Status::Cancelled));
    assert_eq!(status("publish"), Some(Status::Skipped));
    assert_eq!(status("close"), Some(Status::Completed));
    assert_eq!(report.progress(), "2 of 4 jobs completed");
    assert_eq!(report.output_ref::<String>()?, "closed connection Some(7)");
    Ok(())
}
