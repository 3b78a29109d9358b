//! Signals, durable sleeps, cancellation.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use workflow_core::event::EventKind;
use workflow_core::prelude::*;
use workflow_temporal::CallError;

use crate::support::{client, until_awaited, until_started};

#[register_workflow(name = "offer")]
async fn offer(ctx: WorkflowContext) -> Result<String, JobError> {
    let by: String = ctx.wait_signal("approved").await?;
    ctx.sleep(Duration::from_secs(1)).await;
    Ok(format!("approved by {by}"))
}

#[tokio::test]
async fn a_function_waits_for_a_signal_and_sleeps() {
    let run = client().await.run("offer").start().await.expect("it starts");
    until_awaited(&run, "approved").await;
    run.signal("approved", "Ada").await.expect("it is running");
    assert_eq!(run.result::<String>().await.expect("a text"), "approved by Ada");
    let slept = |kind: &EventKind| matches!(kind, EventKind::SleepStarted { .. });
    let events = run.events(0).await.expect("a worker answers").into_vec();
    assert!(events.iter().any(|event| slept(&event.kind)));
}

/// A job that is no function workflow, and waits for two signals.
#[job]
pub(crate) async fn ask(ctx: &JobContext, question: String) -> Result<String, JobError> {
    let first: String = ctx.wait_signal("answer").await?;
    let second: String = ctx.wait_signal("answer").await?;
    Ok(format!("{question} {first} {second}"))
}

#[register_workflow(name = "question")]
fn question(flow: &mut Flow) -> Handle<String> {
    let question = flow.value("why?".to_owned());
    flow.job(ask(question))
}

#[tokio::test]
async fn a_job_waits_for_signals_and_an_update_is_checked() {
    let run = client().await.run("question").start().await.expect("it starts");
    until_awaited(&run, "answer").await;
    let error = run.deliver("other", "x").await.expect_err("nobody waits for it");
    let text = format!("{error:?}");
    assert!(text.contains("no job waits for signal `other`; awaited: answer"), "{text}");
    run.deliver("answer", "because").await.expect("it is awaited");
    run.signal("answer", "of that").await.expect("it is running");
    assert_eq!(run.result::<String>().await.expect("a text"), "why? because of that");
}

static CLEANED: AtomicU32 = AtomicU32::new(0);

#[job(grace = "5s")]
async fn careful(ctx: &JobContext) -> Result<(), JobError> {
    ctx.cancelled().await;
    CLEANED.fetch_add(1, Ordering::SeqCst);
    Err(JobError::terminal("stopped"))
}

#[job]
async fn endless() {
    std::future::pending().await
}

#[register_workflow(name = "endless")]
fn endless_flow(flow: &mut Flow) {
    flow.job(careful());
    flow.job(endless());
}

#[register_workflow(name = "outer")]
fn outer(flow: &mut Flow) {
    let nothing = flow.value(());
    flow.job(registry::call::<_, ()>("endless", nothing));
}

#[tokio::test]
async fn a_cancelled_run_stops_its_jobs_first() {
    let run = client().await.run("endless").start().await.expect("it starts");
    until_started(&run, "careful").await;
    until_started(&run, "endless").await;
    run.cancel().await.expect("it is running");
    let error = run.outcome().await.expect_err("it is cancelled");
    let CallError::Run(RunError::Cancelled(report)) = error else { panic!("{error:?}") };
    let error = |job| report.job(job).and_then(|job| job.error).expect("an error").message;
    assert_eq!(error("careful"), "cancelled: stopped");
    assert_eq!(CLEANED.load(Ordering::SeqCst), 1);
    assert_eq!(run.status().await.expect("it answers"), Status::Cancelled);
}

#[tokio::test]
async fn a_cancelled_run_cancels_its_child() {
    let client = client().await;
    let run = client.run("offers").start().await.expect("it starts");
    until_started(&run, "offer").await;
    let id = format!("{}/offer", run.workflow_id());
    crate::support::until(|| async { client.find(&id).await.is_ok() }).await;
    run.cancel().await.expect("it is running");
    assert!(matches!(run.output().await, Err(CallError::Cancelled { .. })));
    let child = client.find(&id).await.expect("it is there");
    assert_eq!(child.status().await.expect("it answers"), Status::Cancelled);
}

#[register_workflow(name = "offers")]
fn offers(flow: &mut Flow) -> Handle<String> {
    let nothing = flow.value(());
    flow.job(registry::call::<_, String>("offer", nothing))
}

#[register_workflow(name = "impatient")]
async fn impatient(_ctx: WorkflowContext) -> Result<(), JobError> {
    tokio::time::sleep(Duration::from_secs(3600)).await;
    Ok(())
}

#[tokio::test]
async fn waiting_for_anything_else_names_the_cure() {
    let run = client().await.run("impatient").start().await.expect("it starts");
    let error = run.output().await.expect_err("it waits for a timer of tokio").to_string();
    assert!(error.contains("on Temporal, move it into a job"), "{error}");
}
