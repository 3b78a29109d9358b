//! Dynamic fan-out: one job per element of a list that another job creates.
//!
//! At most two elements are processed at once. The results keep the order of the list.
//!
//! ```sh
//! cargo run --example dynamic_fan_out
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use workflow_core::prelude::*;

static AT_WORK: AtomicUsize = AtomicUsize::new(0);
static MOST_AT_WORK: AtomicUsize = AtomicUsize::new(0);

#[job]
async fn list_pages(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("page {}", "x".repeat(number))).collect()
}

// The first page takes longest, and its result still comes first.
#[job]
async fn measure(ctx: &JobContext, page: &str) -> usize {
    MOST_AT_WORK.fetch_max(AT_WORK.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    let index = ctx.map_index().unwrap_or_default();
    ctx.sleep(Duration::from_millis(if index == 0 { 40 } else { 5 })).await;
    AT_WORK.fetch_sub(1, Ordering::SeqCst);
    page.len()
}

#[job]
async fn label(length: usize) -> String {
    format!("{length} letters")
}

#[register_workflow(name = "measure_pages")]
fn measure_pages(flow: &mut Flow, count: Handle<usize>) -> Handle<Vec<String>> {
    let pages = flow.job(list_pages(count));
    let lengths = flow.job(map(pages, measure).concurrency(2));
    // Short for `flow.job(map(..))` without a limit.
    flow.job(map(lengths, label))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The graph has three jobs, whatever the length of the list.
    for count in [5, 0] {
        let report = registry::run("measure_pages").input(count).await?;
        println!("{report}");
        let labels: Vec<String> = report.output()?;
        println!("in order: {labels:?}\n");
        let expected: Vec<_> = (1..=count).map(|n| format!("{} letters", n + 5)).collect();
        assert_eq!(labels, expected);
        assert_eq!(report.graph().len(), 3);
    }
    let most = MOST_AT_WORK.load(Ordering::SeqCst);
    println!("never more than {most} pages at once");
    assert!(most <= 2);
    Ok(())
}
