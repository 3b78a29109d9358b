//! Two engines in one program, each with its own limits and store, for the same workflow.
//!
//! ```sh
//! cargo run --example several_engines
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use workflow_core::prelude::*;
use workflow_core::store::{MemoryStore, Store as _};

/// Counts connections, and remembers the maximum.
struct Database(AtomicUsize, AtomicUsize);

static DATABASES: [Database; 2] = [const { Database(AtomicUsize::new(0), AtomicUsize::new(0)) }; 2];

// Counts against the limit "db" of the engine that runs it.
#[job(limit = "db")]
async fn query(ctx: &JobContext, database: usize, number: usize) -> usize {
    let Database(now, most) = &DATABASES[database];
    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    ctx.sleep(Duration::from_millis(10)).await;
    now.fetch_sub(1, Ordering::SeqCst);
    number * number
}

#[job]
async fn sum(rows: Each<'_, usize>) -> usize {
    rows.iter().sum()
}

#[register_workflow(name = "queries")]
fn queries(flow: &mut Flow, database: Handle<usize>) -> Handle<usize> {
    let rows: Vec<_> = (1..=9).map(|number| flow.job(query(database, number))).collect();
    flow.job(sum(rows))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let stores = [Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new())];
    let engine = |store: usize| Engine::builder().store(stores[store].clone());
    let careful = engine(0).max_parallel(2).limit("db", 1).build();
    let generous = engine(1).max_parallel(8).limit("db", 3).build();

    let request =
        |engine: &Engine, database: usize| engine.run("queries").input(database).into_future();
    // In parallel, and the second engine once more.
    let (one, two) = tokio::join!(request(&careful, 0), request(&generous, 1));
    let again = request(&generous, 1).await?;
    for report in [one?, two?, again] {
        assert_eq!(report.output::<usize>()?, 285);
    }

    for (name, limit, number) in [("careful", 1, 0), ("generous", 3, 1)] {
        let most = DATABASES[number].1.load(Ordering::SeqCst);
        println!("{name}: limit {limit}, at most {most} queries at once");
        assert!(most <= limit);
        for (run, workflow) in stores[number].runs() {
            let events = stores[number].events(run, 0, usize::MAX).await?.len();
            println!("  its store has {events} events of {workflow}, run {run}");
            assert_eq!(events, 1 + 10 * 2 + 1);
        }
    }
    assert_eq!(stores.map(|store| store.runs().len()), [1, 2]);
    Ok(())
}
