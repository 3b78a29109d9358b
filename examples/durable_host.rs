//! A durable program: killed or stopped, it continues its run when it is started again in the same
//! directory.
//!
//! ```sh
//! cargo run --example durable_host
//! ```

use std::path::Path;
use std::time::Duration;

use workflow_core::prelude::*;
use workflow_store::SqliteStore;

#[job]
fn extract() -> Vec<u32> {
    println!("extract runs");
    vec![3, 4, 5]
}

#[job]
async fn transform(prices: &[u32]) -> u32 {
    println!("transform runs");
    // Leaves time to watch the program, and to kill it.
    while Path::new("hold").exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    prices.iter().sum()
}

#[job]
async fn load(total: &u32) -> String {
    println!("load runs");
    format!("{total} in all")
}

#[register_workflow(name = "daily_etl")]
fn daily_etl(flow: &mut Flow) -> Handle<String> {
    let prices = flow.job(extract());
    let total = flow.job(transform(prices));
    flow.job(load(total))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let store = SqliteStore::open("workflows.db").await?;
    let engine = Engine::builder().store(store).build();
    let serving = tokio::spawn({
        let engine = engine.clone();
        // Takes up what a crash left behind, now and later.
        async move { engine.serve(std::future::pending()).await }
    });
    // Started again, the program waits for the same run.
    let run = engine.run("daily_etl").idempotency_key("2026-11-23").start()?;
    tokio::select! {
        report = run.outcome() => println!("{}", report?),
        _ = tokio::signal::ctrl_c() => {}
    }
    // Running jobs have 10 s to end; the next process resumes the run at once.
    engine.shutdown(Duration::from_secs(10)).await;
    serving.await??;
    Ok(())
}
