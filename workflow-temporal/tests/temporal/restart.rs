//! A server that is killed and started again.

use std::time::Duration;

use workflow_core::event::EventKind;
use workflow_core::id::RunId;
use workflow_core::prelude::*;
use workflow_temporal::{RunEvents, TemporalClient, TemporalOptions, TemporalWorker};

use crate::support::until;

#[job]
async fn stage(number: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(100)).await;
    number + 1
}

#[register_workflow(name = "stages")]
async fn stages(ctx: WorkflowContext, count: u64) -> Result<u64, JobError> {
    let mut number = 0;
    while number < count {
        number = ctx.run(stage, number).await?;
    }
    ctx.sleep(Duration::from_secs(1)).await;
    let by: u64 = ctx.wait_signal("add").await?;
    Ok(number + by)
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_survive_a_restart_of_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("temporal.db");
    let server = test_temporal::Server::start(Some(&file));
    let options = TemporalOptions::new().address(server.address());
    let client = TemporalClient::connect(&options).await.expect("the server is there");
    let prefix = format!("restart-{}", RunId::random());
    let client = client.queue_prefix(prefix.clone());
    let engine = Engine::builder().queue_prefix(prefix).build();
    let worker = TemporalWorker::new(client.clone(), engine);
    let worker = tokio::spawn(worker.run(std::future::pending()));
    let mut runs = Vec::new();
    for _ in 0..20 {
        let run = client.run("stages").input(8).start().await.expect("it starts");
        run.signal("add", 100_u64).await.expect("it is running");
        runs.push(run);
    }
    let completed = |run: &workflow_temporal::TemporalRun| {
        let run = run.clone();
        async move {
            let events = run.events(0).await.map(RunEvents::into_vec).unwrap_or_default();
            let is_end = |kind: &EventKind| matches!(kind, EventKind::JobCompleted { .. });
            events.iter().filter(|event| is_end(&event.kind)).count()
        }
    };
    until(|| async { completed(&runs[0]).await > 2 }).await;

    let port = server.port();
    // It is killed, while activities run.
    drop(server);
    let _server = test_temporal::Server::start_on(port, Some(&file));
    for run in &runs {
        let result = run.result::<u64>();
        let result = tokio::time::timeout(Duration::from_secs(90), result).await.expect("in time");
        assert_eq!(result.expect("it completes"), 108);
        // Eight stages and the function, each with one outcome.
        assert_eq!(completed(run).await, 9);
    }
    assert!(!worker.is_finished(), "the worker continues");
    worker.abort();
}
