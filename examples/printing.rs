//! Output of jobs: shown while they run, and saved in the log of the run.
//!
//! ```sh
//! cargo run --example printing
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use workflow_core::prelude::*;
use workflow_core::run_log::{LogPosition, RunLog};

/// Functions that jobs call import the macros. Jobs need no import.
mod helper {
    use workflow_core::printing::println;

    pub(super) fn tell(page: u32) {
        println!("page {page} is there");
    }
}

#[job(retry(maximum_attempts = 2, initial_interval = "1ms"))]
async fn fetch(ctx: &JobContext) -> Result<u32, JobError> {
    println!("attempt {}", ctx.attempt());
    if ctx.attempt() == 1 {
        eprintln!("the line is busy");
        return Err(JobError::from("busy"));
    }
    for page in 1..=3 {
        ctx.sleep(Duration::from_millis(1)).await;
        helper::tell(page);
    }
    // An annotation, which the report shows.
    ctx.annotate("pages", 3);
    Ok(3)
}

#[register_workflow(name = "fetching")]
fn fetching(flow: &mut Flow) -> Handle<u32> {
    flow.job(fetch())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let engine = Engine::builder().runs_dir(folder.path()).capture_output(true).build();
    let run = engine.run("fetching").start()?;
    let report = run.outcome().await?;
    println!("{report}");

    let log = run.log().ok_or("the engine has a folder for it")?;
    for record in RunLog::read_from(&log, LogPosition::default())? {
        let record = record?;
        let text = String::from_utf8_lossy(&record.chunk.bytes);
        print!("{} {}: {text}", record.job, record.attempt);
    }
    Ok(())
}
