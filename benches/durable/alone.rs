//! Runs of three jobs in sequence, compared with five bare commits each.

use std::path::Path;
use std::time::{Duration, Instant};

use workflow_core::Engine;
use workflow_store::Durability;

use crate::bare::Bare;
use crate::table::{Figure, Row};
use crate::workflows::{engine, run_three};
use crate::{Failure, wal};

/// Number of runs whose commits are counted.
const COUNTED: usize = 10;
/// Number of runs in a round.
const RUNS: usize = 200;

pub(crate) fn measure(folder: &Path, rounds: usize) -> Result<Vec<Row>, Failure> {
    std::fs::create_dir_all(folder)?;
    let file = folder.join("workflows.db");
    let full = engine(&file, Durability::Full)?;
    time(&full, 20)?;
    wal::empty(&file)?;
    time(&full, COUNTED)?;
    let written = wal::count(&file)?;
    let pages = written.pages.div_ceil(COUNTED) as i64;
    let (same, small) = (Bare::open(&folder.join("same.db"), pages)?, small(folder)?);
    let normal = engine(&folder.join("normal.db"), Durability::Normal)?;
    time(&normal, 20)?;
    let mut taken = Vec::new();
    for _ in 0..rounds {
        let took = [time(&full, RUNS)?, same.five(RUNS)?, small.five(RUNS)?, time(&normal, RUNS)?];
        taken.push(took.map(|took| took.as_secs_f64() / RUNS as f64));
    }
    let each = |of: usize| taken.iter().map(move |took| took[of] * 1e6).collect::<Figure>();
    let ratio = |to: usize| taken.iter().map(move |took| took[0] / took[to]).collect::<Figure>();
    let commits = std::iter::once(written.commits as f64 / COUNTED as f64).collect::<Figure>();
    let sized = format!("beside five bare commits of the same size ({pages} pages in all)");
    Ok(vec![
        Row::at_most("run of 3 jobs, alone, SQLite `full`: commits", &commits, 5.0, ""),
        Row::plain("its time", each(0).show(" us")),
        Row::plain("five bare commits of the same size", each(1).show(" us")),
        Row::at_most(&sized, &ratio(1), 1.5, " x"),
        Row::plain("beside five bare commits of one page each", ratio(2).show(" x")),
        Row::plain("its time with `normal`", each(3).show(" us")),
    ])
}

fn small(folder: &Path) -> Result<Bare, Failure> {
    Bare::open(&folder.join("small.db"), 5)
}

fn time(engine: &Engine, runs: usize) -> Result<Duration, Failure> {
    let begun = Instant::now();
    pollster::block_on(async {
        for number in 0..runs {
            run_three(engine, number as u64).await?;
        }
        Ok::<_, Failure>(())
    })?;
    Ok(begun.elapsed())
}
