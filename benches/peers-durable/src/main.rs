//! Durable runs of three jobs in other engines: `peers-durable <engine> <place> <runs> <together>`
//! prints the time of that many runs in seconds.
//!
//! Engines are `duroxide` (the place is a SQLite file), `duroxide-pg` and `dbos` (a PostgreSQL URL).
//! Each job adds one to a number, and every result is checked.

mod dbos;
mod duroxide;

use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The number of runs, and how many run at a time.
#[derive(Clone, Copy)]
struct Load {
    runs: usize,
    together: usize,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [engine, place, runs, together] = arguments.as_slice() else {
        return Err("usage: peers-durable <engine> <place> <runs> <together>".into());
    };
    let load = Load { runs: runs.parse()?, together: together.parse()? };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let took = runtime.block_on(async {
        match engine.as_str() {
            "duroxide" => duroxide::sqlite(place, load).await,
            "duroxide-pg" => duroxide::postgres(place, load).await,
            "dbos" => dbos::postgres(place, load).await,
            other => Err(format!("there is no engine `{other}` here").into()),
        }
    })?;
    println!("{}", took.as_secs_f64());
    Ok(())
}

/// Measures `one` for all runs, after a few warm-up runs.
async fn time<F>(load: Load, one: impl Fn(usize) -> F) -> Result<Duration, Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    futures::future::try_join_all((0..load.together.min(8)).map(&one)).await?;
    let begun = Instant::now();
    let line = |first: usize| {
        let one = &one;
        async move {
            for run in (first..load.runs).step_by(load.together) {
                one(load.together + run).await?;
            }
            Ok::<_, Failure>(())
        }
    };
    futures::future::try_join_all((0..load.together).map(line)).await?;
    Ok(begun.elapsed())
}
