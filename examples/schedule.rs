//! Scheduled workflows inside a program.
//!
//! The engine has a manual clock, so that a day takes no time. A real program omits `.clock(..)`, and
//! stops with the process instead of after a day.
//!
//! ```sh
//! cargo run --example schedule
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use workflow_core::engine::{Clock as _, ManualClock};
use workflow_core::prelude::*;

#[derive(Default)]
struct Counts {
    backups: AtomicU32,
    reports: AtomicU32,
}

#[register_workflow(name = "backup", schedule = "0 */6 * * *")]
fn backup(counts: State<Arc<Counts>>) {
    let number = counts.backups.fetch_add(1, Ordering::SeqCst) + 1;
    println!("backup {number}");
}

#[register_workflow(
    name = "report",
    schedule = "30 7 * * *",
    metadata = { "timezone": "Europe/Berlin" },
)]
async fn report(counts: State<Arc<Counts>>) {
    counts.reports.fetch_add(1, Ordering::SeqCst);
    println!("report");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = ManualClock::new();
    let counts = Arc::new(Counts::default());
    let engine = Engine::builder().clock(clock.clone()).state(Arc::clone(&counts)).build();
    // A real program passes its stop signal: `tokio::signal::ctrl_c()`.
    let a_day = clock.sleep(Duration::from_secs(24 * 3600 + 60));
    clock.drive(engine.run_schedules(a_day)).await?;
    let (backups, reports) = (&counts.backups, &counts.reports);
    let (backups, reports) = (backups.load(Ordering::SeqCst), reports.load(Ordering::SeqCst));
    println!("a day: {backups} backups, {reports} report");
    assert_eq!((backups, reports), (4, 1));
    Ok(())
}
