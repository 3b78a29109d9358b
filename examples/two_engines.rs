//! Two engines share the queued runs of one database.
//!
//! With `DATABASE_URL=postgres://user@host/database` this is PostgreSQL, and the engines may run on two
//! machines. Without it, this is a SQLite file.
//!
//! ```sh
//! cargo run --example two_engines
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::path::Path;
use std::sync::Arc;

use futures::channel::oneshot;
use workflow_core::prelude::*;
use workflow_core::store::Store;
use workflow_store::{PostgresStore, SqliteStore};

#[job]
async fn square(number: &u64) -> u64 {
    number * number
}

#[register_workflow(name = "squares")]
fn squares(flow: &mut Flow, number: &u64) -> Handle<u64> {
    let number = flow.value(*number);
    flow.job(square(number))
}

async fn open(folder: &Path) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match std::env::var("DATABASE_URL") {
        Ok(url) => Arc::new(PostgresStore::open(&url).await?),
        Err(_) => Arc::new(SqliteStore::open(folder.join("workflows.db")).await?),
    })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if std::env::var_os("DATABASE_URL").is_none() {
        println!("no DATABASE_URL (postgres://user@host/database): using a SQLite file");
    }
    let folder = tempfile::tempdir()?;
    let mut engines = Vec::new();
    for _ in 0..2 {
        let store = open(folder.path()).await?;
        let engine = Engine::builder().store(store).build();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = engine.clone();
        let served = tokio::spawn(async move {
            serving
                .serve(async {
                    stopped.await.ok();
                })
                .await
        });
        engines.push((engine, stop, served));
    }
    let mut runs = Vec::new();
    for number in 1..=20_u64 {
        runs.push(engines[0].0.run("squares").input(number).enqueue().await?);
    }
    let mut sum = 0;
    for run in runs {
        sum += engines[1].0.follow(run).await?.output_json()?.as_u64().unwrap_or_default();
    }
    for (_, stop, served) in engines {
        drop(stop);
        served.await??;
    }
    println!("20 runs by 2 engines: the sum of the squares is {sum}");
    assert_eq!(sum, 2870);
    Ok(())
}
