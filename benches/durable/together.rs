//! Runs of three jobs, 64 at a time, compared with other engines and with a bare writer thread.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use workflow_core::Engine;
use workflow_store::{Durability, open};

use crate::bare::{Callers, grouped};
use crate::peers::runs_per_second;
use crate::table::{Figure, Row};
use crate::workflows::{engine, run_three};
use crate::{Failure, Options};

pub(crate) const TOGETHER: usize = 64;
/// The number of our runs in a round, and of those of the slower engines.
const RUNS: usize = 6400;
const RUNS_OF_PEERS: usize = 320;
/// The number of commits of the bare thread in a round.
const COMMITS: usize = 32_000;

pub(crate) fn sqlite(folder: &Path, options: &Options) -> Result<Vec<Row>, Failure> {
    std::fs::create_dir_all(folder)?;
    let full = engine(&folder.join("full.db"), Durability::Full)?;
    let normal = engine(&folder.join("normal.db"), Durability::Normal)?;
    let (mut ours, mut fast, mut peer) = (vec![], vec![], vec![]);
    let (mut threads, mut futures) = (vec![], vec![]);
    let bare = folder.join("bare.db");
    for round in 0..options.rounds {
        threads.push(grouped(&bare, Callers::Threads, TOGETHER, COMMITS)?);
        futures.push(grouped(&bare, Callers::Futures, TOGETHER, COMMITS)?);
        ours.push(rate(&full)?);
        fast.push(rate(&normal)?);
        let file = folder.join(format!("duroxide-{round}.db"));
        let file = file.display().to_string();
        peer.extend(runs_per_second(options, "duroxide", &file, RUNS_OF_PEERS)?);
    }
    let name = "64 at a time, SQLite `full`";
    let mut rows = vec![
        Row::plain(format!("runs of 3 jobs, {name}"), figure(&ours).show("/s")),
        Row::plain("the same, `normal`", figure(&fast).show("/s")),
        Row::plain("grouped commits of a bare thread for 64 threads", figure(&threads).show("/s")),
        Row::at_least("runs `full` for each of them", &ratio(&ours, &threads), 0.2, " x"),
        Row::plain("grouped commits of a bare thread for 64 futures", figure(&futures).show("/s")),
        Row::at_least("runs `full` for each of them", &ratio(&ours, &futures), 0.2, " x"),
    ];
    rows.extend(beside("duroxide 0.1, SQLite (`synchronous` is normal)", &ours, &peer, Some(20.0)));
    Ok(rows)
}

pub(crate) fn postgres(options: &Options) -> Result<Vec<Row>, Failure> {
    let Some(url) = &options.postgres else {
        return Ok(vec![Row::plain("the same on PostgreSQL", "no `--postgres`")]);
    };
    let store = pollster::block_on(open(url))?;
    let engine =
        Engine::builder().store(store as std::sync::Arc<dyn workflow_core::store::Store>).build();
    let (mut ours, mut dbos, mut duroxide) = (vec![], vec![], vec![]);
    for _ in 0..options.rounds {
        ours.push(rate(&engine)?);
        dbos.extend(runs_per_second(options, "dbos", url, RUNS_OF_PEERS * 2)?);
        duroxide.extend(runs_per_second(options, "duroxide-pg", url, RUNS_OF_PEERS)?);
    }
    let name = "runs of 3 jobs, 64 at a time, PostgreSQL";
    let mut rows = vec![Row::plain(name, figure(&ours).show("/s"))];
    rows.extend(beside("dbos 0.5", &ours, &dbos, Some(5.0)));
    rows.extend(beside("duroxide-pg 0.1", &ours, &duroxide, None));
    Ok(rows)
}

fn beside(name: &str, ours: &[f64], peer: &[f64], least: Option<f64>) -> Vec<Row> {
    if peer.is_empty() {
        return vec![Row::plain(name, "not built: see `--peers`")];
    }
    let (measure, ratio) = (format!("ours beside {name}"), ratio(ours, peer));
    let compared = match least {
        Some(least) => Row::at_least(&measure, &ratio, least, " x"),
        None => Row::plain(measure, ratio.show(" x")),
    };
    vec![Row::plain(name, figure(peer).show("/s")), compared]
}

fn figure(rates: &[f64]) -> Figure {
    rates.iter().copied().collect()
}

/// One value per round.
fn ratio(ours: &[f64], theirs: &[f64]) -> Figure {
    ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect()
}

/// Runs per second.
fn rate(engine: &Engine) -> Result<f64, Failure> {
    let next = AtomicU64::new(0);
    let line = |_| async {
        while let number = next.fetch_add(1, Ordering::Relaxed)
            && number < RUNS as u64
        {
            run_three(engine, number).await?;
        }
        Ok::<_, Failure>(())
    };
    let begun = Instant::now();
    pollster::block_on(futures::future::try_join_all((0..TOGETHER).map(line)))?;
    Ok(RUNS as f64 / begun.elapsed().as_secs_f64())
}
