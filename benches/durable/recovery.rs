//! A process is killed with unfinished runs, and another one resumes them.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use workflow_core::prelude::*;
use workflow_store::SqliteStore;

use crate::table::{Figure, Row};
use crate::{Failure, print};

/// The first argument of the process that is killed.
pub(crate) const CHILD: &str = "leave-unfinished";

const RUNS: usize = 1000;
const JOBS: u64 = 20;
const LEASE: Duration = Duration::from_secs(1);
/// The maximum time until all runs have ended, in seconds.
const MOST: f64 = 2.0;

/// Whether the jobs of the second half hang.
static HANGS: AtomicBool = AtomicBool::new(false);
/// The number of hanging jobs.
static HANGING: AtomicUsize = AtomicUsize::new(0);

#[job]
async fn step(number: u64) -> u64 {
    if number == JOBS / 2 && HANGS.load(Ordering::Relaxed) {
        if HANGING.fetch_add(1, Ordering::Relaxed) + 1 == RUNS {
            print("ready");
        }
        std::future::pending::<()>().await;
    }
    number + 1
}

#[register_workflow(name = "twenty_jobs")]
fn twenty_jobs(flow: &mut Flow) -> Handle<u64> {
    let mut number = flow.value(0);
    for _ in 0..JOBS {
        number = flow.job(step(number));
    }
    number
}

/// Starts runs that hang half-way, and waits to be killed.
pub(crate) fn leave_unfinished(file: &Path) -> Result<(), Failure> {
    HANGS.store(true, Ordering::Relaxed);
    let engine = engine(file)?;
    let runs = (0..RUNS).map(|_| engine.run("twenty_jobs").into_future());
    pollster::block_on(futures::future::try_join_all(runs))?;
    Err("nobody killed this process".into())
}

pub(crate) fn measure(folder: &Path, rounds: usize) -> Result<Vec<Row>, Failure> {
    std::fs::create_dir_all(folder)?;
    let mut taken = Vec::new();
    for round in 0..rounds {
        let file = folder.join(format!("{round}.db"));
        leave(&file)?;
        taken.push(recover(&file)?.map(|took| took.as_secs_f64()));
    }
    let of = |which: usize| taken.iter().map(move |took| took[which]).collect::<Figure>();
    let name = "1,000 unfinished runs of 20 jobs, ten done: until all are taken up";
    Ok(vec![
        Row::at_most(name, &of(0), MOST, " s"),
        Row::at_most("until all have ended", &of(1), MOST, " s"),
    ])
}

/// Leaves unfinished runs in a file.
fn leave(file: &Path) -> Result<(), Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.arg(CHILD).arg(file).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let word = BufReader::new(output).lines().next();
    child.kill()?;
    child.wait()?;
    match word {
        Some(Ok(word)) if word == "ready" => Ok(()),
        other => Err(format!("runs did not come half-way: {other:?}").into()),
    }
}

fn engine(file: &Path) -> Result<Engine, Failure> {
    let store = pollster::block_on(SqliteStore::open(file))?;
    Ok(Engine::builder().store(store).lease(LEASE).build())
}

/// The times until the runs are resumed, and until they have ended.
fn recover(file: &Path) -> Result<[Duration; 2], Failure> {
    std::thread::sleep(LEASE);
    let engine = engine(file)?;
    let begun = Instant::now();
    let recovery = pollster::block_on(engine.recover())?;
    let taken_up = begun.elapsed();
    let count = recovery.runs.len();
    let ends = recovery.runs.iter().map(|run| run.outcome());
    let reports = pollster::block_on(futures::future::try_join_all(ends))?;
    let ended = begun.elapsed();
    let right = reports.iter().filter(|report| report.output::<u64>().ok() == Some(JOBS)).count();
    match (count, right) {
        (RUNS, RUNS) => Ok([taken_up, ended]),
        _ => Err(format!("{count} runs resumed, {right} correct").into()),
    }
}
