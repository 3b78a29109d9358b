//! Resumed runs keep to the limits of their workflows.

use std::sync::atomic::{AtomicUsize, Ordering};

use workflow_core::engine::{LimitScope, LimitUsage};

use super::*;

static INSIDE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[job(limit = "db")]
async fn query(ctx: &JobContext, number: u64) -> u64 {
    let inside = INSIDE.fetch_add(1, Ordering::SeqCst) + 1;
    MOST.fetch_max(inside, Ordering::SeqCst);
    ctx.sleep(Duration::from_micros(200)).await;
    INSIDE.fetch_sub(1, Ordering::SeqCst);
    number
}

#[register_workflow(name = "limits: queries")]
fn queries(flow: &mut Flow) {
    flow.limit("db", 1);
    for number in 0..4 {
        let number = flow.value(number);
        flow.job(query(number));
    }
}

#[test]
fn resumed_runs_respect_the_limits_of_their_workflow() {
    for batches in 1..6 {
        let store = Arc::new(MemoryStore::new());
        for _ in 0..2 {
            let cut_off = engine_for(batches, &store).run("limits: queries").wait();
            assert!(matches!(cut_off, Err(RunError::Store { .. })), "{cut_off:?}");
        }
        INSIDE.store(0, Ordering::SeqCst);
        MOST.store(0, Ordering::SeqCst);
        let engine = Engine::builder().store(store.clone()).build();
        let recovery = block_on(engine.recover()).expect("memory can be read");
        assert!(recovery.refused.is_empty(), "{:?}", recovery.refused);
        assert_eq!(recovery.runs.len(), 2);
        for run in &recovery.runs {
            run.wait().expect("it completes");
        }
        assert_eq!(MOST.load(Ordering::SeqCst), 1, "after {batches} batches");
    }
}

#[job(limit = "db")]
async fn read(number: u64) -> u64 {
    number
}

#[register_workflow(name = "limits: reads")]
fn reads(flow: &mut Flow, number: Handle<u64>) -> Handle<u64> {
    flow.job(read(number))
}

/// The inner workflow inherits this limit, and borrows the place that the outer job holds.
#[register_workflow(name = "limits: outer")]
fn outer(flow: &mut Flow) -> Handle<u64> {
    flow.limit("db", 1);
    let number = flow.value(7);
    flow.job(registry::call("limits: reads", number).limit("db"))
}

/// Both have the limit from the engine.
#[register_workflow(name = "limits: outer of an engine")]
fn outer_of_an_engine(flow: &mut Flow) -> Handle<u64> {
    let number = flow.value(7);
    flow.job(registry::call("limits: reads", number).limit("db"))
}

#[test]
fn a_child_run_borrows_permits_after_every_interruption() {
    let with_limit = |engine: &Engine, name| match name {
        "limits: outer" => engine.clone(),
        _ => engine.to_builder().limit("db", 1).build(),
    };
    for name in ["limits: outer", "limits: outer of an engine"] {
        for batches in 1..12 {
            let store = Arc::new(MemoryStore::new());
            let ended = with_limit(&engine_for(batches, &store), name).run(name).wait();
            let engine = Engine::builder().store(store.clone()).build();
            let engine = with_limit(&engine, name);
            let ended = go_on(&engine, &store, ended);
            let report = ended.unwrap_or_else(|error| panic!("after {batches} batches: {error}"));
            assert_eq!(report.output::<u64>(), Ok(7));
            // The list also has the limits of workflows that other tests run in this process.
            let of_workflow = LimitScope::Workflow(name.to_owned());
            let limits = engine.limits().into_iter().filter(|it| it.name == "db");
            let is_its =
                |it: &LimitUsage| it.scope == LimitScope::Engine || it.scope == of_workflow;
            for limit in limits.filter(is_its) {
                assert_eq!((limit.in_use, limit.waiting), (0, 0), "{limit:?}");
            }
        }
    }
}

#[register_workflow(name = "limits: reads alone")]
fn reads_alone(flow: &mut Flow) {
    let number = flow.value(1);
    flow.job(read(number));
}

#[test]
fn an_engine_without_the_limit_does_not_resume_the_run() {
    let store = Arc::new(MemoryStore::new());
    let with_limit = engine_for(1, &store).to_builder().limit("db", 1).build();
    with_limit.run("limits: reads alone").wait().expect_err("it is cut off");
    let engine = Engine::builder().store(store.clone()).build();
    let recovery = block_on(engine.recover()).expect("memory can be read");
    let [(_, error)] = &recovery.refused[..] else { panic!("{recovery:?}") };
    assert_eq!(
        error.to_string(),
        "workflow `limits: reads alone`: job `read` names the limit `db`, which neither the engine \
         nor the workflow has; add `.limit(\"db\", n)` to the engine's builder, or \
         `flow.limit(\"db\", n)` to the workflow"
    );
    let able = engine.to_builder().limit("db", 1).build();
    let recovery = block_on(able.recover()).expect("memory can be read");
    recovery.runs[0].wait().expect("it completes");
}
