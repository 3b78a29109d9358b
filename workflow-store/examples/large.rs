//! Measures questions to a large store: `cargo run --release -p workflow-store --example large`.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::future::try_join_all;
use serde_json::{Value as Json, json};
use workflow_core::Status;
use workflow_core::definition::Metadata;
use workflow_core::event::Event;
use workflow_core::id::RunId;
use workflow_core::store::{NewRun, WorkflowSnapshot};
use workflow_store::{Catalog, NewWorkflow, RunQuery, WorkflowQuery, WorkflowSort, open};

type Failed = Box<dyn std::error::Error + Send + Sync>;

const WORKFLOWS: usize = 100_000;
const RUNS: usize = 1_000_000;
/// How many are asked for at once.
const TOGETHER: usize = 1000;

fn new(at: usize) -> Result<NewWorkflow, Failed> {
    let metadata = json!({ "tags": [format!("t{}", at % 2), format!("rare{}", at / 10)],
        "team": { "size": at % 7 }, "description": format!("Loads the orders of shop {at}") });
    let mut new = NewWorkflow::new(format!("workflow {at}"));
    new.project = Some(format!("project-{}", at % 20));
    new.metadata = Metadata::new(metadata)?;
    Ok(new)
}

fn event(sequence: u64, millis: usize, mut kind: Json) -> Event {
    kind["sequence"] = sequence.into();
    kind["at"] = format!("2026-01-02T03:04:{:02}.{:03}Z", millis / 1000, millis % 1000).into();
    serde_json::from_value(kind).expect("an event")
}

fn run(at: usize, graph: &Arc<Json>) -> (NewRun, Vec<Event>) {
    let workflow = WorkflowSnapshot {
        name: format!("workflow {}", at % 2),
        metadata: Metadata::default(),
        fingerprint: "f1".into(),
        source: None,
        graph: graph.clone(),
    };
    let new = NewRun::new(workflow);
    let end = match at % 10 {
        0 => json!({ "event": "run_failed", "reason": "job `load` failed" }),
        _ => json!({ "event": "run_completed" }),
    };
    let took = at.wrapping_mul(2_654_435_761) % 59_000;
    (new, vec![event(0, 0, json!({ "event": "run_started" })), event(1, took, end)])
}

async fn fill(store: &dyn Catalog) -> Result<(), Failed> {
    let from = Instant::now();
    for start in (0..WORKFLOWS).step_by(TOGETHER) {
        let new = (start..start + TOGETHER).map(new).collect::<Result<Vec<_>, _>>()?;
        try_join_all(new.into_iter().map(|new| store.create_workflow(new))).await?;
    }
    println!("{WORKFLOWS} workflows in {:.1?}", from.elapsed());
    let from = Instant::now();
    let graph = Arc::new(json!({ "nodes": [], "edges": [] }));
    for start in (0..RUNS).step_by(TOGETHER) {
        let runs = (start..start + TOGETHER).map(|at| run(at, &graph));
        try_join_all(runs.map(|(run, events)| store.begin(run, events))).await?;
    }
    println!("{RUNS} runs in {:.1?}", from.elapsed());
    Ok(())
}

async fn ask(store: &dyn Catalog) -> Result<(), Failed> {
    let text = |text: &str| Some(text.to_owned());
    let all = WorkflowQuery::default;
    let queries = [
        ("all", all()),
        ("a project of 5,000", WorkflowQuery { project: text("project-7"), ..all() }),
        ("a tag of 50,000", WorkflowQuery { tag: text("t1"), ..all() }),
        ("a tag of 10", WorkflowQuery { tag: text("rare77"), ..all() }),
        ("a word of all", WorkflowQuery { text: text("orders"), ..all() }),
        ("a word of one", WorkflowQuery { text: text("shop 77777"), ..all() }),
        (
            "a value and a project, most executed first",
            WorkflowQuery {
                metadata: vec![("team.size".to_owned(), json!(3))],
                project: text("project-3"),
                sort: WorkflowSort::MostExecuted,
                ..all()
            },
        ),
    ];
    for (name, query) in queries {
        store.workflows(query.clone()).await?;
        let from = Instant::now();
        let count = store.workflows(query).await?.items.len();
        println!("workflows, {name}: {count} in {:.2?}", from.elapsed());
    }
    let failed =
        RunQuery { workflow: text("0"), status: Some(Status::Failed), ..Default::default() };
    let since = SystemTime::now() - Duration::from_secs(1);
    let queries = [
        ("all", RunQuery::default()),
        ("failed of one workflow", RunQuery { workflow: text("workflow-0"), ..failed }),
        ("since", RunQuery { since: Some(since), ..Default::default() }),
    ];
    for (name, query) in queries {
        store.runs(query.clone()).await?;
        let from = Instant::now();
        let count = store.runs(query).await?.items.len();
        println!("runs, {name}: {count} in {:.2?}", from.elapsed());
    }
    let from = Instant::now();
    let statistics = store.statistics(Some("workflow-0")).await?;
    println!("statistics: {:?} in {:.2?}", statistics[0].runs, from.elapsed());
    Ok(())
}

fn main() -> Result<(), Failed> {
    futures::executor::block_on(async {
        let folder = std::env::temp_dir().join(format!("large-{}", RunId::random()));
        std::fs::create_dir(&folder)?;
        let address = match std::env::args().nth(1) {
            Some(address) => address,
            None => folder.join("workflows.db").display().to_string(),
        };
        let store = open(&address).await?;
        fill(&*store).await?;
        ask(&*store).await?;
        drop(store);
        std::fs::remove_dir_all(&folder)?;
        Ok(())
    })
}
