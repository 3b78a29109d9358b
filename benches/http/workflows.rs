//! The workflows that the server runs and lists.

use std::time::Duration;

use futures::future::try_join_all;
use serde_json::{Value as Json, json};
use workflow_core::definition::Metadata;
use workflow_core::prelude::*;
use workflow_store::{Catalog, NewWorkflow};

use crate::Failure;

#[job]
async fn answer() -> u64 {
    42
}

#[register_workflow(name = "trivial")]
fn trivial(flow: &mut Flow) -> Handle<u64> {
    flow.job(answer())
}

/// The number of jobs in the chain of the busy run. Each has two events.
const STEPS: usize = 2000;

/// Waits for a file that means that all listeners are connected.
#[job]
async fn gate(file: String) -> u64 {
    while !std::fs::exists(&file).unwrap_or(true) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    0
}

#[job]
async fn step(number: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    number + 1
}

#[register_workflow(name = "busy")]
fn busy(flow: &mut Flow, file: Handle<String>) -> Handle<u64> {
    (0..STEPS).fold(flow.job(gate(file)), |number, _| flow.job(step(number)))
}

/// The number of stored workflows, and of their projects.
pub(crate) const WORKFLOWS: usize = 100_000;
pub(crate) const PROJECTS: usize = 20;
/// The number of workflows stored at once.
const TOGETHER: usize = 1000;

/// Stores the workflows.
pub(crate) async fn fill(store: &dyn Catalog) -> Result<(), Failure> {
    let drawing = drawing();
    for start in (0..WORKFLOWS).step_by(TOGETHER) {
        let new = (start..start + TOGETHER).map(|at| new(at, &drawing));
        let new = new.collect::<Result<Vec<_>, _>>()?;
        try_join_all(new.into_iter().map(|new| store.create_workflow(new))).await?;
    }
    Ok(())
}

fn new(at: usize, drawing: &Json) -> Result<NewWorkflow, Failure> {
    let metadata = json!({ "tags": [format!("t{}", at % 2), format!("rare{}", at / 10)],
        "team": { "size": at % 7 }, "description": format!("Loads the orders of shop {at}") });
    let mut new = NewWorkflow::new(format!("workflow {at}"));
    new.project = Some(format!("project-{}", at % PROJECTS));
    new.metadata = Metadata::new(metadata)?;
    new.dag_spec = drawing.clone();
    Ok(new)
}

/// Ten nodes with positions, as a canvas stores them.
fn drawing() -> Json {
    let nodes = (0..10).map(|at| {
        json!({ "id": format!("node-{at}"), "type": "molecule",
            "position": { "x": at * 120, "y": at % 3 * 80 } })
    });
    let edges = (1..10)
        .map(|at| json!({ "source": format!("node-{}", at - 1), "target": format!("node-{at}") }));
    json!({ "nodes": nodes.collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>() })
}
