//! Idempotent start: a request that arrives twice, as from a webhook, starts one run.
//!
//! ```sh
//! cargo run --example idempotent_start
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::sync::atomic::{AtomicU32, Ordering};

use workflow_core::engine::Enqueued;
use workflow_core::prelude::*;
use workflow_store::SqliteStore;

#[derive(Default)]
struct Bank {
    charges: AtomicU32,
}

// Requests to other systems carry a key that is the same for each attempt of this job.
#[job]
async fn charge(ctx: &JobContext, bank: State<Bank>, amount: u32) -> u32 {
    assert!(ctx.idempotency_key().ends_with("/charge"));
    bank.charges.fetch_add(1, Ordering::SeqCst);
    amount
}

#[register_workflow(name = "payment")]
fn payment(flow: &mut Flow, amount: Handle<u32>) -> Handle<u32> {
    flow.job(charge(amount))
}

/// Handles a webhook delivery.
async fn deliver(engine: &Engine, delivery: &str, amount: u32) -> Result<Report, RunError> {
    engine.run("payment").input(amount).idempotency_key(delivery).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("runs.db")).await?;
    let engine = Engine::builder().store(store).state(Bank::default()).build();

    let first = deliver(&engine, "delivery 17", 30).await?;
    let again = deliver(&engine, "delivery 17", 30).await?;
    assert_eq!((first.id(), first.output::<u32>()?), (again.id(), again.output::<u32>()?));
    println!("delivered twice, charged once");

    // Another amount with the same key is an error, and never a second charge.
    let conflict = deliver(&engine, "delivery 17", 99).await.err().ok_or("it must not run")?;
    assert!(matches!(conflict, RunError::KeyConflict { .. }));
    println!("{}", conflict.to_string().replace(&first.id().to_string(), "<id>"));

    // `enqueue` leaves the run to any serving engine, and tells whether it is new.
    let request = || engine.run("payment").input(5_u32).idempotency_key("delivery 18");
    let (one, two) = (request().enqueue_once().await?, request().enqueue_once().await?);
    assert!(matches!((one, two), (Enqueued::New(one), Enqueued::Existing(two, _)) if one == two));
    println!("enqueued twice, there once");
    Ok(())
}
