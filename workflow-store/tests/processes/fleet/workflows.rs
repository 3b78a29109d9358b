//! Workflows that note every execution of a job, of all kinds that the record knows.

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;
use workflow_core::prelude::*;

use super::Chance;

/// Where executions are noted. Each is one line, written at once.
pub(super) static NOTES: OnceLock<File> = OnceLock::new();

/// The signal that some wait for, and what comes with it.
pub(super) const SIGNAL: &str = "go";
pub(super) const PAYLOAD: u64 = 1000;

/// The output that an input leads to.
type Expected = fn(u64) -> Json;

/// The workflows, and what must come of them.
pub(super) const ALL: &[(&str, Expected)] = &[
    ("processes: graph", |input| graph_of(input).into()),
    ("processes: function", |input| function_of(input).into()),
    ("processes: approval", |input| (tripled(input) + PAYLOAD).into()),
    ("processes: outer", |input| (graph_of(input) + 1).into()),
    ("processes: calls", |input| (graph_of(input) + function_of(input + 1)).into()),
    (LIMITED, |input| tripled(input).into()),
];

/// The workflow whose runs have a limit for each key, which is the input, and take turns.
pub(super) const LIMITED: &str = "processes: limited";

/// The most runs of a key at once, and the number of keys.
pub(super) const LIMIT: usize = 2;
const KEYS: u64 = 3;

/// The task queues of runs with limits.
pub(super) const QUEUES: [&str; 3] = ["default-workflows", "processes-a", "processes-b"];

/// A chance input for a workflow.
pub(super) fn input_for(workflow: &str, chance: &mut Chance) -> u64 {
    chance.below(if workflow == LIMITED { KEYS } else { 100 })
}

pub(super) fn waits_for_signal(workflow: &str) -> bool {
    workflow == "processes: approval"
}

pub(super) fn note(line: &str) {
    if let Some(mut notes) = NOTES.get() {
        notes.write_all(line.as_bytes()).expect("a note is written");
    }
}

fn note_execution(ctx: &JobContext) {
    let run = ctx.run_id().expect("the job is of a run");
    let (process, attempt, job) = (std::process::id(), ctx.attempt(), ctx.job_name());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    note(&format!("run {process} {run} {now} {attempt} {job}\n"));
}

fn tripled(number: u64) -> u64 {
    3 * number + 1
}

#[job]
async fn triple(ctx: &JobContext, number: &u64) -> u64 {
    note_execution(ctx);
    ctx.sleep(Duration::from_millis(number % 11)).await;
    tripled(*number)
}

#[job]
fn spread(ctx: &JobContext, number: &u64) -> Vec<u64> {
    note_execution(ctx);
    (*number..number + 5).collect()
}

#[job]
fn gather(ctx: &JobContext, left: &[u64], right: &u64) -> u64 {
    note_execution(ctx);
    left.iter().sum::<u64>() + right
}

#[job]
async fn stubborn(ctx: &JobContext, number: &u64) -> Result<u64, JobError> {
    note_execution(ctx);
    if ctx.attempt() < 3 {
        return Err("not yet".into());
    }
    Ok(*number)
}

fn quick() -> RetryPolicy {
    RetryPolicy::attempts(3).initial_interval(Duration::from_millis(8))
}

/// Fan-out, fan-in, retries.
#[register_workflow(name = "processes: graph")]
fn graph(flow: &mut Flow, input: &u64) -> Handle<u64> {
    let number = flow.value(*input);
    let numbers = flow.job(spread(number));
    let each = flow.job(map(numbers, triple).name("each"));
    let other = flow.job(triple(number).name("other"));
    let gathered = flow.job(gather(each, other));
    let insisted = flow.job(stubborn(gathered).retry(quick()));
    flow.job(triple(insisted).name("last"))
}

/// At most two runs with the same input at once.
#[register_workflow(
    name = "processes: limited",
    concurrency(key = "${{ input }}", limit = 2),
    fairness(key = "${{ input }}")
)]
async fn limited(ctx: WorkflowContext, input: u64) -> Result<u64, JobError> {
    ctx.sleep(Duration::from_millis(10)).await;
    ctx.run(triple, input).await
}

fn graph_of(input: u64) -> u64 {
    tripled((input..input + 5).map(tripled).sum::<u64>() + tripled(input))
}

/// Jobs as a function goes: one after the other, side by side, with sleep and retries.
#[register_workflow(name = "processes: function")]
async fn function(ctx: WorkflowContext, input: u64) -> Result<u64, JobError> {
    let first: u64 = ctx.run(triple, input).await?;
    ctx.sleep(Duration::from_millis(20)).await;
    let (left, right) =
        futures::future::join(ctx.run(triple, first), ctx.run(triple, first + 1)).await;
    let insisted = ctx.run(|number: Handle<u64>| stubborn(number).retry(quick()), left?).await?;
    ctx.sleep(Duration::from_millis(10)).await;
    ctx.run(triple, insisted + right?).await
}

fn function_of(input: u64) -> u64 {
    let first = tripled(input);
    tripled(tripled(first) + tripled(first + 1))
}

/// A job before a signal, and the signal.
#[register_workflow(name = "processes: approval")]
async fn approval(ctx: WorkflowContext, input: u64) -> Result<u64, JobError> {
    let first = ctx.run(triple, input).await?;
    let payload: u64 = ctx.wait_signal(SIGNAL).await?;
    Ok(first + payload)
}

#[job]
fn increment(ctx: &JobContext, number: &u64) -> u64 {
    note_execution(ctx);
    number + 1
}

/// A workflow as a job of another.
#[register_workflow(name = "processes: outer")]
fn outer(flow: &mut Flow, input: &u64) -> Handle<u64> {
    let number = flow.value(*input);
    let inner: Handle<u64> = flow.job(registry::call("processes: graph", number));
    flow.job(increment(inner))
}

/// Workflows as jobs of a function, side by side.
#[register_workflow(name = "processes: calls")]
async fn calls(ctx: WorkflowContext, input: u64) -> Result<u64, JobError> {
    let called =
        |name: &'static str| move |input: Handle<u64>| registry::call::<_, u64>(name, input);
    let graph = ctx.run(called("processes: graph"), input);
    let (graph, function) =
        futures::future::join(graph, ctx.run(called("processes: function"), input + 1)).await;
    Ok(graph? + function?)
}
