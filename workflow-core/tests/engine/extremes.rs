//! Extreme values: endless nesting, and times that no calendar can represent.

use std::time::Duration;

use futures::executor::block_on;
use insta::assert_snapshot;
use workflow_core::RunError;
use workflow_core::prelude::*;
use workflow_core::store::MemoryStore;

/// An endlessly nested type of the host.
struct Nested(u32);

impl serde::Serialize for Nested {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => serializer.serialize_unit(),
            deep => serializer.collect_seq([Nested(deep - 1)]),
        }
    }
}

#[register_workflow(name = "extremes: no input")]
fn no_input() {}

#[register_workflow(name = "extremes: any")]
fn any(input: serde_json::Value) -> serde_json::Value {
    input
}

#[register_workflow(name = "extremes: digs")]
async fn digs(ctx: JobContext) -> Result<u32, JobError> {
    ctx.annotate("deep", Nested(5_000));
    ctx.persist("deep", Nested(5_000))?;
    Ok(1)
}

fn deep_list(deep: usize) -> serde_json::Value {
    (0..deep).fold(serde_json::Value::Null, |inner, _| serde_json::Value::Array(vec![inner]))
}

#[test]
fn deeply_nested_values() {
    let refused = |deep: usize| {
        let error = registry::run("extremes: any").input(deep_list(deep)).wait();
        error.expect_err("it is nested too deeply").to_string()
    };
    assert_snapshot!(refused(5_000), @"workflow `extremes: any`: invalid input: `Value` cannot be written as JSON: it is nested more than 120 levels deep; flatten it");
    assert_snapshot!(refused(121), @"workflow `extremes: any`: invalid input: `Value` cannot be written as JSON: it is nested more than 120 levels deep; flatten it");
    let own = registry::run("extremes: any").input(Nested(1_000_000)).wait();
    assert_snapshot!(own.expect_err("it is nested too deeply").to_string(), @"workflow `extremes: any`: invalid input: `Nested` cannot be written as JSON: it is nested more than 120 levels deep; flatten it");
    let report = registry::run("extremes: any").input(deep_list(120)).wait().expect("it completes");
    assert_eq!(report.output_json().expect("a value"), deep_list(120));

    // A value passed with `input_value` need not have a JSON form, but an output read as JSON must.
    let report = registry::run("extremes: any").input_value(deep_list(500)).wait();
    let output = report.expect("it completes").output_json().expect_err("it has no JSON form");
    assert_snapshot!(output.to_string(), @"the output of workflow `extremes: any`: `Value` cannot be written as JSON: it is nested more than 120 levels deep; flatten it");
    let engine = Engine::builder().store(MemoryStore::new()).build();
    let kept = engine.run("extremes: any").input_value(deep_list(500)).wait();
    assert_snapshot!(kept.expect_err("it cannot be kept").to_string(), @"workflow `extremes: any`: invalid input: `Value` cannot be written as JSON: it is nested more than 120 levels deep; flatten it");
    let dug = registry::run("extremes: digs").wait().expect_err("it is nested too deeply");
    assert_snapshot!(dug.report().and_then(Report::reason).expect("a reason"), @"job `extremes: digs` failed: `Nested` cannot be written as JSON: it is nested more than 120 levels deep; flatten it");
}

#[test]
fn leases_that_do_not_end() {
    let engine = |lease| Engine::builder().store(MemoryStore::new()).lease(lease).build();
    let forever = engine(Duration::MAX);
    let waited = forever.run("extremes: no input").wait().expect_err("it is too long");
    assert_snapshot!(waited.to_string(), @"workflow `extremes: no input`: the engine's lease of 213503982334601 days is too long; set at most 365 days with `.lease(..)`");
    let started = forever.run("extremes: no input").start().expect_err("it is too long");
    assert!(matches!(started, RunError::LongLease { .. }), "{started}");
    let enqueued = block_on(forever.run("extremes: no input").enqueue());
    assert!(matches!(enqueued, Err(RunError::LongLease { .. })), "{enqueued:?}");
    let copied = forever.to_builder().build().run("extremes: no input").wait();
    assert!(matches!(copied, Err(RunError::LongLease { .. })), "{copied:?}");
    block_on(forever.recover()).expect("there is nothing to recover");
    for lease in [Duration::ZERO, Duration::from_secs(365 * 24 * 3600)] {
        engine(lease).run("extremes: no input").wait().expect("it completes");
    }
    // Without a store there are no leases.
    let storeless = Engine::builder().lease(Duration::MAX).build();
    storeless.run("extremes: no input").wait().expect("it completes");
}

#[register_workflow(name = "extremes: sleeps")]
async fn sleeps(ctx: WorkflowContext) -> Result<u32, JobError> {
    ctx.sleep(Duration::MAX).await;
    Ok(1)
}

/// A crash does not end an endless sleep.
#[test]
fn a_sleep_without_end() {
    let clock = workflow_core::engine::ManualClock::new();
    let store = std::sync::Arc::new(MemoryStore::new());
    let engine = |store: &std::sync::Arc<MemoryStore>| {
        let clock = clock.clone();
        Engine::builder().clock(clock).lease(Duration::ZERO).store(store.clone()).build()
    };
    let (first, second) = (engine(&store), engine(&store));
    let run = first.run("extremes: sleeps").start().expect("it starts");
    block_on(async {
        use futures::StreamExt as _;
        let events: Vec<_> = run.events().take(3).collect().await;
        let slept = events[2].kind.to_string();
        assert!(slept.starts_with("extremes: sleeps sleeps for"), "{slept}");
        drop(run);
        let recovery = second.recover().await.expect("memory can be read");
        let [taken] = &recovery.runs[..] else { panic!("{:?}", recovery.refused) };
        let years = clock.until_next();
        assert!(years > Some(Duration::from_secs(99 * 365 * 24 * 3600)), "{years:?}");
        assert_eq!(taken.status(), Status::Running);
        taken.cancel();
        clock.drive(taken.outcome()).await.expect_err("it was cancelled");
    });
}
