//! Workflows with smol instead of tokio, without configuration: an awaited run runs on the caller's
//! executor, and jobs may use it.
//!
//! ```sh
//! cargo run --example smol_host
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use futures::StreamExt as _;
use workflow_core::prelude::*;

#[job]
async fn weigh(fruit: String) -> usize {
    smol::Timer::after(Duration::from_millis(20)).await;
    fruit.len() * 10
}

#[job(inline)]
fn pack(weights: Each<'_, usize>) -> Result<String, JobError> {
    match weights.iter().sum() {
        0..=200 => Ok(format!("{} pieces in one box", weights.len())),
        total => Err(JobError::terminal(format!("{total} g do not fit into a box"))),
    }
}

#[register_workflow(name = "pack_fruit")]
fn pack_fruit(flow: &mut Flow, fruits: &[String]) -> Handle<String> {
    let mut weights = Vec::new();
    for fruit in fruits {
        weights.push(flow.job(weigh::draw(fruit.clone()).name(format!("weigh {fruit}"))));
    }
    flow.job(pack(weights))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        // Awaited: runs here, and is cancelled when the future is dropped.
        let report = registry::run("pack_fruit").input(["apple", "pear", "plum"]).await?;
        println!("{report}");
        assert_eq!(report.output::<String>()?, "3 pieces in one box");

        // Started: runs in the background, and is watched from a smol task.
        let run = registry::run("pack_fruit").input(["fig"]).start()?;
        let mut events = run.events();
        let watcher = smol::spawn(async move {
            let mut count = 0;
            while let Some(event) = events.next().await {
                println!("  {}", event.kind);
                count += 1;
            }
            count
        });
        let report = run.outcome().await?;
        assert_eq!(watcher.await, 6);
        println!("\n{}", report.output::<String>()?);
        assert_eq!(report.output::<String>()?, "1 pieces in one box");
        Ok(())
    })
}
