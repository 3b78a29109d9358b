//! Histories that a server recorded are replayed with the engine as it is now. A change of the
//! engine that breaks this needs workers of both versions side by side.
//!
//! `RECORD_HISTORIES=1 cargo test -p workflow-temporal --test replay` records them again.

use std::path::{Path, PathBuf};

use workflow_core::job::closure;
use workflow_core::prelude::*;
use workflow_temporal::{
    Placement, ReplayError, TemporalClient, TemporalOptions, TemporalRun, TemporalWorker, replay,
};

#[job]
async fn numbers(count: usize) -> Vec<u64> {
    (0..count as u64).collect()
}

#[job]
async fn square(number: &u64) -> u64 {
    number * number
}

#[job(retry(maximum_attempts = 3, initial_interval = "10ms"))]
async fn flaky_sum(ctx: &JobContext, numbers: &[u64]) -> Result<u64, JobError> {
    if ctx.attempt() < 2 { Err("not yet".into()) } else { Ok(numbers.iter().sum()) }
}

#[job]
async fn praise(sum: u64) -> String {
    format!("{sum}!")
}

/// A map, a retry, a condition.
#[register_workflow(name = "replay: graph")]
fn graph(flow: &mut Flow, count: Handle<usize>) -> Handle<String> {
    let numbers = flow.job(numbers(count));
    let squares = flow.job(map(numbers, square).concurrency(2));
    let sum = flow.job(flaky_sum(squares));
    flow.job(praise(sum).when(sum, |sum| *sum > 1))
}

/// A signal, a sleep, a child workflow, a closure.
#[register_workflow(name = "replay: function")]
async fn function(ctx: WorkflowContext) -> Result<u64, JobError> {
    let number: u64 = ctx.wait_signal("number").await?;
    ctx.sleep(std::time::Duration::from_millis(10)).await;
    let squared = ctx.run(square, number).await?;
    ctx.run(
        |number| {
            closure("add one", number, |number: u64| async move { Ok::<_, JobError>(number + 1) })
        },
        squared,
    )
    .await
}

#[job]
async fn refuse(_squared: u64) -> Result<(), JobError> {
    Err(JobError::terminal("no"))
}

#[job]
async fn take_back(_squared: u64) {}

/// A child workflow, a failure, a compensation.
#[register_workflow(name = "replay: compensation")]
fn compensation(flow: &mut Flow, number: Handle<u64>) {
    let squared = flow.job(square(number).compensate(take_back));
    let count: Handle<usize> = flow.value(3);
    let child = flow.job(registry::call::<_, String>("replay: graph", count));
    flow.job(refuse(squared).after(child));
}

fn histories() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay/histories")
}

#[test]
fn recorded_histories_replay() {
    if std::env::var_os("RECORD_HISTORIES").is_some() {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(record());
    }
    for name in ["graph", "function", "compensation"] {
        let history = std::fs::read(histories().join(name).with_extension("json"));
        let history = history.unwrap_or_else(|error| panic!("{name}: {error}"));
        let replayed = replay(&Engine::default(), &history, Placement::Activities);
        replayed.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn another_definition_does_not_replay() {
    let history = std::fs::read(histories().join("graph.json")).expect("it is recorded");
    // The history of a workflow of another shape.
    let other =
        String::from_utf8(history).expect("text").replace("replay: graph", "replay: compensation");
    let error = replay(&Engine::default(), other.as_bytes(), Placement::Activities);
    assert!(matches!(error, Err(ReplayError::Diverged(_))), "{error:?}");
    let error = replay(&Engine::default(), b"{", Placement::Activities);
    assert!(matches!(error, Err(ReplayError::History(_))), "{error:?}");
}

/// Records the histories with a server.
async fn record() {
    let options = TemporalOptions::new().address(test_temporal::server().address());
    let client = TemporalClient::connect(&options).await.expect("the server is there");
    let worker = TemporalWorker::new(client.clone(), Engine::default());
    let worker = tokio::spawn(worker.run(std::future::pending()));
    let start = async |name: &str, input: Option<u64>| -> TemporalRun {
        let request = client.run(name).workflow_id(name);
        let request = match input {
            Some(input) => request.input(input),
            None => request,
        };
        request.start().await.expect("it starts")
    };
    let graph = start("replay: graph", Some(4)).await;
    let function = start("replay: function", None).await;
    let compensation = start("replay: compensation", Some(7)).await;
    function.signal("number", 6).await.expect("it is running");
    assert_eq!(graph.result::<String>().await.expect("a text"), "14!");
    assert_eq!(function.result::<u64>().await.expect("a number"), 37);
    compensation.output().await.expect_err("it is refused");
    for (name, run) in [("graph", graph), ("function", function), ("compensation", compensation)] {
        let history = run.history().await.expect("the server has it");
        let mut history = serde_json::from_slice(&history).expect("JSON");
        without_identity(&mut history);
        let path = histories().join(name).with_extension("json");
        std::fs::write(path, format!("{history}\n")).expect("a writable folder");
    }
    worker.abort();
}

/// Removes what names this machine and process.
fn without_identity(history: &mut serde_json::Value) {
    use serde_json::Value;
    match history {
        Value::Array(values) => values.iter_mut().for_each(without_identity),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "identity" => "worker".clone_into(text),
                    other => without_identity(other),
                }
            }
        }
        _ => {}
    }
}
