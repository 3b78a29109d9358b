//! Waiting for an approval without a running program: one process starts the run and ends, another
//! one sends the approval and finishes it.
//!
//! ```sh
//! cargo run --example approval
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::path::Path;
use std::time::Duration;

use workflow_core::id::RunId;
use workflow_core::prelude::*;
use workflow_core::store::MessageKind;
use workflow_store::SqliteStore;

#[job]
async fn draft(customer: &String) -> String {
    println!("  drafting an offer");
    format!("offer for {customer}")
}

#[job]
async fn send(offer: &String, who: &String) -> String {
    println!("  sending it");
    format!("{offer}, approved by {who}")
}

#[register_workflow(name = "offer")]
async fn offer(ctx: WorkflowContext, customer: String) -> Result<String, JobError> {
    let offer = ctx.run(draft, customer).await?;
    let who: String = ctx.wait_signal("approved").await?;
    ctx.run(send, (offer, who)).await
}

/// Builds an engine on the database file. Other engines take over its runs after the lease expires.
async fn open(file: &Path) -> anyhow::Result<Engine> {
    let store = SqliteStore::open(file).await?;
    Ok(Engine::builder().store(store).lease(Duration::from_millis(300)).build())
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Starts the run, and ends as soon as the run waits for the signal.
async fn begin(file: &Path) -> anyhow::Result<RunId> {
    let run = open(file).await?.run("offer").input("Ada").start()?;
    let mut events = run.events();
    while let Some(event) = futures::StreamExt::next(&mut events).await {
        println!("{}", event.kind);
        if event.kind.to_string() == "draft completed" {
            break;
        }
    }
    Ok(run.id())
}

/// Sends the approval, and finishes the run.
async fn finish(file: &Path, run: RunId) -> anyhow::Result<Report> {
    let engine = open(file).await?;
    let approved = MessageKind::Signal { name: "approved".to_owned(), payload: "Bob".into() };
    engine.store().ok_or_else(|| anyhow::anyhow!("no store"))?.send(run, approved).await?;
    Ok(engine.follow(run).await?)
}

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("workflows.db");
    let run = runtime()?.block_on(begin(&file))?;
    println!("the engine is gone; Bob approves, and another continues:");
    let report = runtime()?.block_on(finish(&file, run))?;
    let output = report.output::<String>()?;
    println!("{output}");
    assert_eq!(output, "offer for Ada, approved by Bob");
    Ok(())
}
