//! A program with registered workflows and the command line.
//!
//! ```sh
//! cargo run -p workflow-cli --example host -- list
//! cargo run -p workflow-cli --example host -- run orders/report --param day=2026-01-02
//! ```

use std::process::ExitCode;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::prelude::*;

/// The input of the report.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Wanted {
    /// The day, as 2026-01-02.
    day: String,
    /// How many orders to look at.
    #[serde(default = "few")]
    orders: u32,
}

fn few() -> u32 {
    3
}

/// Fetches the orders of the day.
///
/// The host makes them up.
#[job(domain = "orders", start_to_close = "30s")]
async fn fetch(wanted: &Wanted) -> Vec<u32> {
    (1..=wanted.orders).collect()
}

#[job]
async fn price(order: &u32) -> u32 {
    order * 10
}

#[job]
fn total(prices: &[u32]) -> u32 {
    prices.iter().sum()
}

#[job]
async fn write(wanted: &Wanted, total: u32) -> String {
    format!("{}: {total}", wanted.day)
}

#[register_workflow(
    name = "orders/report",
    description = "Adds up the orders of a day",
    domain = "orders",
    project = "web-shop",
    tags = ["nightly", "report"],
    schedule = "0 3 * * *",
    metadata = { "owner": "ada" },
)]
fn report(flow: &mut Flow, wanted: Handle<Wanted>) -> Handle<String> {
    let orders = flow.job(fetch(wanted));
    let prices = flow.job(map(orders, price));
    let total = flow.job(total(prices));
    flow.job(write(wanted, total))
}

#[job(domain = "orders", retry(maximum_attempts = 2, initial_interval = "1ms", jitter = 0.0))]
async fn connect(ctx: &JobContext) -> Result<(), JobError> {
    match ctx.attempt() {
        1 => Err(JobError::from("the line is busy")),
        _ => Ok(()),
    }
}

#[job]
async fn send(_connected: ()) -> Result<(), JobError> {
    Err(JobError::terminal("no paper in the printer"))
}

#[job]
async fn archive(_sent: ()) {}

#[register_workflow(name = "orders/print", description = "Fails at the printer", domain = "orders")]
fn print(flow: &mut Flow) {
    let connected = flow.job(connect());
    let sent = flow.job(send(connected));
    flow.job(archive(sent));
}

/// Options of the watch.
#[derive(Debug, Default, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Watch {
    /// Whether the job ignores a request to stop.
    deaf: bool,
}

#[job(domain = "stock", grace = "5s")]
async fn watch(ctx: &JobContext, watch: &Option<Watch>) -> Result<(), JobError> {
    ctx.cancelled().await;
    if watch.as_ref().is_some_and(|watch| watch.deaf) {
        std::future::pending::<()>().await;
    }
    Err(JobError::from("asked to stop"))
}

#[register_workflow(
    name = "stock/watch",
    description = "Goes on until it is cancelled",
    domain = "stock"
)]
fn watch_stock(flow: &mut Flow, how: Handle<Option<Watch>>) {
    flow.job(watch(how));
}

/// The answer to an approval.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Approval {
    by: String,
}

#[job]
async fn approve(ctx: &JobContext) -> Result<Approval, JobError> {
    println!("who approves?");
    let approval: Approval = ctx.wait_signal("approved").await?;
    ctx.annotate("approved_by", &approval.by);
    eprintln!("thank you, {}", approval.by);
    Ok(approval)
}

#[register_workflow(name = "orders/approve", description = "Waits for a signal", domain = "orders")]
fn wait_for_approval(flow: &mut Flow) -> Handle<Approval> {
    flow.job(approve())
}

#[job]
async fn wait_with_tokio() -> String {
    tokio::time::sleep(Duration::from_millis(1)).await;
    "waited".to_owned()
}

#[register_workflow(name = "stock/count", description = "Needs a tokio runtime", domain = "stock")]
fn count(flow: &mut Flow) -> Handle<String> {
    flow.job(wait_with_tokio())
}

fn main() -> ExitCode {
    workflow_cli::main()
}
