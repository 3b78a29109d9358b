//! Limits and priorities of jobs, also with a store.

use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use workflow_core::job::closure;
use workflow_core::prelude::*;
use workflow_core::store::{MemoryStore, Store as _};
use workflow_core::workflow::FunctionWorkflow;

use crate::broken_store::Broken;
use crate::gauge::Gauge;
use crate::support::{run, workflow};

#[job]
async fn measured(gauge: &Gauge) -> u32 {
    gauge.stay().await;
    1
}

fn many(
    gauge: &Gauge,
    change: impl Fn(Call<u32>) -> Call<u32> + Send + Sync + 'static,
    most: usize,
) -> FunctionWorkflow {
    let gauge = gauge.clone();
    workflow(move |flow| {
        flow.max_parallel(most);
        let gauge = flow.value(gauge.clone());
        for _ in 0..12 {
            flow.job(change(measured(gauge)));
        }
    })
}

pub(crate) async fn a_run_respects_max_parallel() {
    let gauge = Gauge::of(3);
    run(many(&gauge, |call| call, 3)).await.expect("it completes");
    assert_eq!(gauge.most(), 3);
}

pub(crate) async fn an_engine_respects_max_parallel() {
    let gauge = Gauge::of(2);
    let engine = Engine::builder().max_parallel(2).build();
    let runs = (0..3).map(|_| engine.run(many(&gauge, |call| call, 100)).into_future());
    for report in futures::future::join_all(runs).await {
        report.expect("it completes");
    }
    assert_eq!(gauge.most(), 2);
}

pub(crate) async fn a_named_limit_is_shared_by_runs() {
    let (gauge, free) = (Gauge::of(2), Gauge::of(3));
    let engine = Engine::builder().limit("db", 2).build();
    let limited = (0..3).map(|_| engine.run(many(&gauge, |call| call.limit("db"), 100)));
    let others = (0..3).map(|_| engine.run(many(&free, |call| call, 100)));
    let runs = limited.chain(others).map(IntoFuture::into_future);
    for report in futures::future::join_all(runs).await {
        report.expect("it completes");
    }
    assert_eq!(gauge.most(), 2);
    assert!(free.most() > 2);
}

pub(crate) async fn to_builder_copies_an_engine() {
    let gauge = Gauge::of(2);
    let first = Engine::builder().limit("db", 2).limit("web", 9).build();
    let second = first.to_builder().limit("web", 3).build();
    let draw = |call: Call<u32>| call.limit("db").limit("web");
    second.run(many(&gauge, draw, 100)).await.expect("it has both limits");
    assert_eq!(gauge.most(), 2);
}

pub(crate) async fn an_unknown_limit_is_an_error() {
    let engine = Engine::builder().limit("db", 2).build();
    let workflow = many(&Gauge::default(), |call| call.limit("dv"), 1);
    let error = engine.run(workflow).await.expect_err("there is no such limit");
    assert_eq!(
        error.to_string(),
        "workflow `limits`: job `measured` names the limit `dv`, which neither the engine nor the \
         workflow has; add `.limit(\"dv\", n)` to the engine's builder, or `flow.limit(\"dv\", n)` to \
         the workflow (known limits: db)"
    );
}

#[job]
async fn line_up(order: &Arc<Mutex<Vec<i32>>>, number: i32) {
    order.lock().expect("no panic").push(number);
}

pub(crate) async fn jobs_of_higher_priority_start_first() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&order);
    let ranked = workflow(move |flow| {
        flow.max_parallel(1);
        let order = flow.value(Arc::clone(&order));
        for priority in [0, 5, -3, 9] {
            flow.job(line_up(order, priority).priority(priority));
        }
    });
    run(ranked).await.expect("it completes");
    assert_eq!(*seen.lock().expect("no panic"), [9, 5, 0, -3]);
}

pub(crate) async fn events_reach_the_store_before_subscribers() {
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder().store(store.clone()).build();
    let run = engine.run(many(&Gauge::default(), |call| call, 4)).start().expect("it starts");
    let mut events = run.events();
    while let Some(event) = events.next().await {
        let kept = store.events(run.id(), event.sequence, 1).await.expect("memory can be read");
        assert_eq!(kept[0], event);
    }
    run.outcome().await.expect("it completes");
    assert_eq!(store.events(run.id(), 0, 99).await.expect("memory can be read").len(), 26);
    assert_eq!(store.runs(), [(run.id(), "limits".to_owned())]);
}

pub(crate) async fn a_broken_store_stops_the_run() {
    let engine = Engine::builder().store(Broken("the disk is full")).build();
    let hangs = workflow(|flow| {
        let start = flow.value(());
        flow.job(closure("hangs", start, |()| std::future::pending::<Result<(), JobError>>()));
    });
    let error = engine.run(hangs).await.expect_err("nothing is kept").to_string();
    assert!(error.ends_with("the disk is full"), "{error}");
}
