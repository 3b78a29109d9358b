//! Recovery: a process is killed in the middle of a run, and the next one finishes the run without
//! repeating completed jobs.
//!
//! ```sh
//! cargo run --example crash_and_resume
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use workflow_core::prelude::*;
use workflow_store::SqliteStore;

/// Prints its step. In the first process, hangs at the third step.
fn step(name: &str) {
    println!("  {name} runs");
    if name == "load" && std::env::var_os(CHILD).is_some() {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

#[job]
fn extract() -> Vec<u32> {
    step("extract");
    vec![1, 2, 3]
}

#[job]
fn transform(numbers: &[u32]) -> u32 {
    step("transform");
    numbers.iter().sum()
}

#[job]
fn load(sum: &u32) -> String {
    step("load");
    format!("loaded {sum}")
}

#[register_workflow(name = "etl")]
fn etl(flow: &mut Flow) -> Handle<String> {
    let numbers = flow.job(extract::draw());
    let sum = flow.job(transform(numbers));
    flow.job(load(sum))
}

const CHILD: &str = "CRASH_AND_RESUME_FILE";

async fn engine(file: &std::path::Path) -> anyhow::Result<Engine> {
    let store = SqliteStore::open(file).await?;
    Ok(Engine::builder().store(store).lease(Duration::from_millis(300)).build())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if let Some(file) = std::env::var_os(CHILD) {
        let run = engine(file.as_ref()).await?.run("etl").start()?;
        println!("{}", run.id());
        return Ok(run.outcome().await.map(drop)?);
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("workflows.db");
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.env(CHILD, &file).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?;
    let lines = BufReader::new(output).lines().map_while(Result::ok);
    let lines: Vec<String> = lines.inspect(|line| println!("{line}")).take(4).collect();
    child.kill()?;
    child.wait()?;
    println!("killed; another process takes over:");
    let id = lines.iter().find_map(|line| line.parse().ok()).ok_or_else(|| anyhow::anyhow!("?"))?;
    let report = engine(&file).await?.follow(id).await?;
    println!("{report}");
    assert_eq!(report.output::<String>()?, "loaded 6");
    Ok(())
}
