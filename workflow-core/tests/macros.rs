//! What the attributes make of functions, without an engine.

use futures::executor::block_on;
use workflow_core::__private::{JobEntry, WorkflowEntry, inventory};
use workflow_core::prelude::*;

#[derive(Debug, Clone)]
struct Order(u32);
struct Report(Vec<u32>);

/// Extracts.
#[job]
async fn extract() -> Vec<Order> {
    vec![Order(1), Order(2)]
}

#[job]
fn transform(orders: &[Order]) -> Report {
    Report(orders.iter().map(|order| order.0).collect())
}

#[job(name = "loading", retry(maximum_attempts = 3, initial_interval = "200ms"), limit = "db")]
async fn load(ctx: &JobContext, report: &Report, limit: u32) -> Result<usize, JobError> {
    assert_eq!(ctx.attempt(), 1);
    Ok(report.0.len().min(limit as usize))
}

#[job(inline, priority = -1)]
fn total(parts: Each<'_, usize>, extra: Option<&usize>, _: &str) -> usize {
    parts.iter().sum::<usize>() + extra.copied().unwrap_or(0)
}

#[register_workflow(name = "etl", metadata = { "tags": ["a"], "n": -1.5, "x": null, "nested": { "a": [true], }, })]
fn etl(flow: &mut Flow, limit: Handle<u32>) -> Handle<usize> {
    let orders = flow.job(extract());
    let report = flow.job(transform(orders));
    let loaded = flow.job(load(report, limit));
    let again = flow.job(load(report, 3).name("again"));
    let label = flow.value("x");
    flow.job(total([loaded, again], again, label))
}

#[register_workflow(owner = "me")]
async fn greet(ctx: WorkflowContext, name: &str) -> Result<String, JobError> {
    let n = ctx.run(extract, ()).await?.len();
    Ok(format!("hello {name} {n}"))
}

#[register_workflow(workflow_id = "fan")]
fn fan(flow: &mut Flow, parts: &[u32]) -> Result<Handle<usize>, JobError> {
    let orders = flow.job(extract());
    let report = flow.job(transform(orders));
    let loaded: Vec<_> = parts.iter().map(|part| flow.job(load(report, *part))).collect();
    let label = flow.value(String::new());
    Ok(flow.job(total(&loaded, loaded[0], label)))
}

#[test]
fn plain_calls_run() -> Result<(), JobError> {
    let orders = block_on(extract().into_future())?;
    let report = transform(&orders);
    assert_eq!(block_on(load(&report, 1))?, 1);
    assert_eq!(block_on(load::call(&JobContext::detached(), &report, 9))?, 2);
    assert_eq!(total(Each::from(&[1, 2][..]), Some(&3), "x"), 6);
    Ok(())
}

#[test]
fn entries() {
    for entry in inventory::iter::<JobEntry> {
        println!("{} {} {}", entry.name, entry.location, entry.module);
    }
    for entry in inventory::iter::<WorkflowEntry> {
        println!("{} {} {} {}", entry.name, entry.location, entry.module, entry.metadata);
    }
    let x: usize =
        workflow_core::registry::run("etl").input(1u32).wait().unwrap().output().unwrap();
    assert_eq!(x, 5);
    let x: String =
        workflow_core::registry::run("greet").input("Ada").wait().unwrap().output().unwrap();
    assert_eq!(x, "hello Ada 2");
    let x: usize =
        workflow_core::registry::run("fan").input(vec![1u32, 2]).wait().unwrap().output().unwrap();
    assert_eq!(x, 4);
}
