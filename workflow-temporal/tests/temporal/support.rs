//! The server, and a worker of this process for all tests.

use std::sync::OnceLock;
use std::time::Duration;

use workflow_core::engine::Engine;
use workflow_core::event::EventKind;
use workflow_temporal::{
    Attributes, RunEvents, TemporalClient, TemporalOptions, TemporalRun, TemporalWorker,
};

/// State that the worker's engine has.
pub(crate) struct Rate(pub(crate) u64);

pub(crate) const PREFIX: &str = "tests";

pub(crate) fn options() -> TemporalOptions {
    TemporalOptions::new().address(test_temporal::server().address()).namespace("default")
}

/// A client, with the worker running.
pub(crate) async fn client() -> TemporalClient {
    static WORKER: OnceLock<()> = OnceLock::new();
    WORKER.get_or_init(|| {
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let engine = Engine::builder().queue_prefix(PREFIX).state(Rate(3)).build();
                let worker = TemporalWorker::new(bare_client().await, engine);
                worker.run(std::future::pending()).await.expect("it serves");
            });
        });
    });
    bare_client().await
}

/// A client without a worker.
pub(crate) async fn bare_client() -> TemporalClient {
    let client = TemporalClient::connect(&options()).await.expect("the server is there");
    client.queue_prefix(PREFIX).search_attributes(Attributes::Search)
}

/// Waits until a job of the run waits for the signal.
pub(crate) async fn until_awaited(run: &TemporalRun, signal: &str) {
    until(|| async {
        run.awaited_signals().await.is_ok_and(|it| it.iter().any(|it| it == signal))
    })
    .await;
}

/// Waits until the job has started.
pub(crate) async fn until_started(run: &TemporalRun, job: &str) {
    let is_start =
        |kind: &EventKind| matches!(kind, EventKind::JobStarted { job: of, .. } if of == job);
    until(|| async {
        let events = run.events(0).await.map(RunEvents::into_vec).unwrap_or_default();
        events.iter().any(|event| is_start(&event.kind))
    })
    .await;
}

/// Asks again until it holds, for a minute at most.
pub(crate) async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let began = std::time::Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
