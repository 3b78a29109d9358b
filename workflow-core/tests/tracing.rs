//! Tracing spans: one for each run, job and attempt.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use workflow_core::engine::ManualClock;
use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;

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
