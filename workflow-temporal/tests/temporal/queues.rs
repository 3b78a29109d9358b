//! Jobs with a task queue of their own are activities of that queue.

use workflow_core::engine::Engine;
use workflow_core::job::closure;
use workflow_core::prelude::*;
use workflow_temporal::{CallError, TemporalWorker};

use crate::support::{PREFIX, Rate, bare_client, client, until_started};

/// Set for calls, so that the worker of all tests does not serve it.
const QUEUE: &str = "gpu-cards";

#[job]
async fn rate(rate: State<Rate>) -> u64 {
    rate.0
}

#[job]
async fn both(rate: State<Rate>, there: u64) -> u64 {
    rate.0 * 10 + there
}

#[register_workflow(name = "queued_job")]
fn queued_job(flow: &mut Flow) -> Handle<u64> {
    let there = flow.job(rate().task_queue(QUEUE));
    flow.job(both(there))
}

#[register_workflow(name = "queued_call")]
async fn queued_call(ctx: WorkflowContext) -> Result<u64, JobError> {
    let there = ctx.run(|| rate().task_queue(QUEUE), ()).await?;
    ctx.run(both, there).await
}

#[register_workflow(name = "queued_closure")]
async fn queued_closure(ctx: WorkflowContext) -> Result<u64, JobError> {
    let double = |number| {
        closure("double", number, |number: u64| async move { Ok::<_, JobError>(number * 2) })
            .task_queue(QUEUE)
    };
    ctx.run(double, 4_u64).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_an_activity_of_its_queue() {
    let client = client().await;
    let graph = client.run("queued_job").start().await.expect("it starts");
    let function = client.run("queued_call").start().await.expect("it starts");
    until_started(&graph, "rate").await;
    // It waits for this worker.
    let engine = Engine::builder().queue_prefix(PREFIX).state(Rate(9)).build();
    let cards = TemporalWorker::new(bare_client().await, engine).task_queues([QUEUE]);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(cards.run(async { drop(stopped.await) }));
    assert_eq!(graph.result::<u64>().await.expect("a number"), 39);
    assert_eq!(function.result::<u64>().await.expect("a number"), 39);
    drop(stop);
    serving.await.expect("no panic").expect("it served");
}

#[tokio::test]
async fn a_closure_cannot_be_found_by_another_queue() {
    let run = client().await.run("queued_closure").start().await.expect("it starts");
    let error = run.outcome().await.expect_err("it fails");
    let CallError::Run(RunError::Failed(report)) = error else { panic!("{error:?}") };
    let message = report.reason().expect("a reason");
    assert!(message.contains("make it a function with `#[job]`"), "{message}");
}
