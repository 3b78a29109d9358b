//! The memory of a waiting run: starts 10,000 runs with one waiting job each, and reads the resident
//! memory of the process before and after. Linux only.

#![expect(clippy::print_stdout, reason = "the program prints its result")]

use futures::StreamExt as _;
use workflow_core::prelude::*;

const RUNS: usize = 10_000;

#[register_workflow(name = "waits")]
async fn waits() {
    std::future::pending::<()>().await;
}

/// Resident memory in bytes.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? * 1024)
}

fn start() -> Result<impl Run, RunError> {
    let run = registry::run("waits").start()?;
    // The second event means that the job has started.
    futures::executor::block_on(run.events().take(2).for_each(|_| async {}));
    Ok(run)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let warm = (0..100).map(|_| start()).collect::<Result<Vec<_>, _>>()?;
    let before = resident().ok_or("the memory can be read on Linux only")?;
    let runs = (0..RUNS).map(|_| start()).collect::<Result<Vec<_>, _>>()?;
    let after = resident().ok_or("the memory can be read on Linux only")?;
    println!("{RUNS} idle runs: {} bytes each", (after - before) / RUNS);
    for run in warm.iter().chain(&runs) {
        run.cancel();
    }
    Ok(())
}
