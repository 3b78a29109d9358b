//! Finding registered workflows by their metadata, and adding one at run time.
//!
//! ```sh
//! cargo run --example registry_filter
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use serde_json::json;
use workflow_core::definition::Metadata;
use workflow_core::prelude::*;
use workflow_core::registry::Listing;
use workflow_core::workflow::FunctionWorkflow;

#[register_workflow(name = "daily_sales", description = "Adds up the day", metadata = {
    "project": "web-shop", "domain": "sales", "tags": ["report", "nightly"],
    "team": { "name": "blue", "size": 3 },
})]
async fn daily_sales() {}

#[register_workflow(name = "refunds", description = "Pays money back", metadata = {
    "project": "web-shop", "domain": "finance", "tags": ["nightly"],
    "team": { "name": "green", "size": 5 },
})]
async fn refunds() {}

#[register_workflow(name = "stock_count", description = "Counts what is there", metadata = {
    "project": "warehouse", "domain": "sales", "tags": ["report"],
    "team": { "name": "blue", "size": 3 },
})]
async fn stock_count() {}

#[job]
async fn answer() -> u32 {
    42
}

fn show(title: &str, found: Listing, expected: &[&str]) {
    println!("{title}:");
    for entry in &found {
        let text = entry.description().unwrap_or("-");
        println!("  {:12} {text} ({})", entry.name(), entry.location());
    }
    assert_eq!(found.iter().map(|entry| entry.name()).collect::<Vec<_>>(), expected);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    show("all", registry::list()?, &["daily_sales", "refunds", "stock_count"]);
    show("of a project", registry::list()?.project("web-shop"), &["daily_sales", "refunds"]);
    show("of a domain", registry::list()?.domain("sales"), &["daily_sales", "stock_count"]);
    show("with a tag", registry::list()?.tag("nightly"), &["daily_sales", "refunds"]);
    let blue = registry::list()?.metadata("team.name", "blue").metadata("team.size", 3);
    show("by a path of metadata", blue, &["daily_sales", "stock_count"]);
    let both =
        registry::list()?.project("web-shop").filter(|entry| entry.domain() != Some("sales"));
    show("by a test of your own", both, &["refunds"]);

    let error = registry::get("refund").err().ok_or("there is no such workflow")?.to_string();
    println!("\na typo: {error}\n");
    assert!(error.contains("did you mean `refunds`?"));

    let metadata =
        Metadata::new(json!({ "domain": "sales", "description": "Made while it runs" }))?;
    let late = FunctionWorkflow::new("latecomer", |flow: &mut Flow| flow.job(answer()))?;
    registry::register(late.with_metadata(metadata))?;
    let sales = registry::list()?.domain("sales");
    show("with a latecomer", sales, &["daily_sales", "latecomer", "stock_count"]);
    assert_eq!(registry::run("latecomer").wait()?.output::<u32>()?, 42);
    Ok(())
}
