//! Tracing: a span for each run, job and attempt, and no warning about what is as it should be.

#[path = "support/broken_store.rs"]
mod broken_store;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tokio::runtime::Builder;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use workflow_core::engine::ManualClock;
use workflow_core::prelude::*;
use workflow_core::worker::Worker;
use workflow_core::workflow::FunctionWorkflow;

use broken_store::Broken;

/// Collects the names of spans in the order of their creation.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<&'static str>>>, Arc<AtomicU64>);

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.0.lock().expect("no panic").push(span.metadata().name());
        Id::from_u64(self.1.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[job(retry(maximum_attempts = 2))]
async fn flaky(ctx: &JobContext) -> Result<(), JobError> {
    if ctx.attempt() == 1 { Err("not yet".into()) } else { Ok(()) }
}

#[test]
fn a_run_a_job_and_each_attempt_have_a_span() {
    let spans = Spans::default();
    let clock = ManualClock::new();
    let engine = Engine::builder().clock(clock.clone()).threads(1).build();
    let workflow = FunctionWorkflow::new("traced", |flow: &mut Flow| flow.job(flaky()));
    let run = engine.run(workflow.expect("a name")).into_future();
    tracing::subscriber::with_default(spans.clone(), || {
        futures::executor::block_on(clock.drive(run)).expect("the second attempt completes");
    });
    assert_eq!(*spans.0.lock().expect("no panic"), ["run", "job", "attempt", "attempt"]);
}

/// Counts warnings, on all threads.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicU64>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_worker_warns_once_that_the_store_is_away() {
    let (warnings, clock) = (Warnings::default(), ManualClock::new());
    let engine = Engine::builder().clock(clock.clone()).threads(1).store(Broken("away")).build();
    let worker = Worker::new(engine);
    let working = worker.run_until(async {
        for _ in 0..100 {
            clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    });
    tracing::subscriber::with_default(warnings.clone(), || {
        futures::executor::block_on(working).expect("it waits for the store");
    });
    assert_eq!(warnings.0.load(Ordering::SeqCst), 1);
}

#[job]
fn works(number: u64) -> u64 {
    number
}

/// Some of the threads that were to help a run are gone with its runtime before they began.
#[test]
fn a_runtime_may_be_shut_down_after_a_run() {
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).expect("it is the first");
    for _ in 0..20 {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let (release, released) = mpsc::channel::<()>();
        runtime.spawn_blocking(move || released.recv());
        let workflow = FunctionWorkflow::new("wide", |flow: &mut Flow| {
            for number in 0..20 {
                let number = flow.value(number);
                flow.job(works(number));
            }
        });
        let state = Arc::new(());
        let engine = Engine::builder().threads(4).state(Arc::clone(&state)).build();
        let run = engine.run(workflow.expect("a name"));
        runtime.block_on(run.into_future()).expect("it completes");
        drop(engine);
        runtime.shutdown_background();
        drop(release);
        while Arc::strong_count(&state) > 1 {
            std::thread::yield_now();
        }
    }
    assert_eq!(warnings.0.load(Ordering::SeqCst), 0);
}
