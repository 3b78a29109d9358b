//! Attempts that wait for a signal give their places back, and take them again when they are woken.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{join_all, select};
use workflow_core::engine::RunHandle;
use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;

use crate::places::{assert_free, number, until_waiting, usage, waits};
use crate::support::{turns, until_started, workflow};

const SLOTS: &str = "max_parallel";

async fn until_in_use(engine: &Engine, places: usize) {
    while usage(engine, SLOTS).in_use != places {
        futures_timer::Delay::new(Duration::from_micros(100)).await;
    }
}

/// Keeps its place until it is cancelled.
#[job(grace)]
async fn busy(ctx: &JobContext) {
    ctx.cancelled().await;
}

async fn start_busy(engine: &Engine) -> RunHandle {
    let run = engine.run(workflow(|flow| flow.job(busy()))).start().expect("it starts");
    until_started(&run, "busy").await;
    run
}

async fn end_busy(run: &RunHandle) {
    run.cancel();
    run.outcome().await.expect_err("it is cancelled");
}

fn seven() -> FunctionWorkflow {
    workflow(|flow| {
        let value = flow.value(7);
        flow.job(number(value))
    })
}

static WORKING: AtomicUsize = AtomicUsize::new(0);
static MOST_WORKING: AtomicUsize = AtomicUsize::new(0);

/// Waits for two signals, and works after each.
#[job]
async fn works_twice(ctx: &JobContext) -> Result<(), JobError> {
    for _ in 0..2 {
        ctx.wait_signal::<()>("go").await?;
        MOST_WORKING.fetch_max(WORKING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        turns(3).await;
        WORKING.fetch_sub(1, Ordering::SeqCst);
    }
    Ok(())
}

pub(crate) async fn jobs_that_wait_for_signals_hold_no_place() {
    let engine = Engine::builder().max_parallel(1).build();
    let start = |_| engine.run(workflow(|flow| flow.job(works_twice()))).start();
    let runs: Vec<RunHandle> = (0..20).map(start).collect::<Result<_, _>>().expect("they start");
    join_all(runs.iter().map(|run| until_started(run, "works_twice"))).await;
    until_in_use(&engine, 0).await;
    engine.run(seven()).await.expect("there is a place");
    for _ in 0..2 {
        for run in &runs {
            run.signal("go", ()).await.expect("its job waits");
        }
    }
    for run in &runs {
        run.outcome().await.expect("it completes");
    }
    assert_eq!((WORKING.load(Ordering::SeqCst), MOST_WORKING.load(Ordering::SeqCst)), (0, 1));
    assert_free(&engine);
}

pub(crate) async fn a_woken_job_waits_for_its_place_but_not_to_be_cancelled() {
    let engine = Engine::builder().max_parallel(1).build();
    let waiting = engine.run(workflow(|flow| flow.job(waits()))).start().expect("it starts");
    let ended = engine.run(workflow(|flow| flow.job(waits().grace(Duration::from_secs(60)))));
    let ended = ended.start().expect("it starts");
    until_started(&waiting, "waits").await;
    until_started(&ended, "waits").await;
    let busy = start_busy(&engine).await;
    for run in [&waiting, &ended] {
        run.signal("go", ()).await.expect("its job waits");
    }
    until_waiting(&engine, SLOTS, 2).await;
    // It completes in its grace period, without a place.
    ended.cancel();
    ended.outcome().await.expect_err("it is cancelled");
    assert_eq!(usage(&engine, SLOTS).waiting, 1);
    end_busy(&busy).await;
    waiting.outcome().await.expect("it completes");
    assert_free(&engine);
}

#[job]
async fn waits_and_polls(ctx: &JobContext) -> Result<(), JobError> {
    let polls = pin!(async {
        loop {
            futures_timer::Delay::new(Duration::from_millis(1)).await;
        }
    });
    match select(pin!(ctx.wait_signal::<()>("go")), polls).await {
        futures::future::Either::Left((received, _)) => received,
        futures::future::Either::Right(((), _)) => Ok(()),
    }
}

pub(crate) async fn a_job_that_also_waits_for_something_else_keeps_its_place() {
    let engine = Engine::builder().max_parallel(1).build();
    let run = engine.run(workflow(|flow| flow.job(waits_and_polls()))).start().expect("it starts");
    until_started(&run, "waits_and_polls").await;
    let next = engine.run(seven()).start().expect("it starts");
    until_waiting(&engine, SLOTS, 1).await;
    turns(20).await;
    let slots = usage(&engine, SLOTS);
    assert_eq!((slots.in_use, slots.waiting), (1, 1));
    run.signal("go", ()).await.expect("its job waits");
    run.outcome().await.expect("it completes");
    next.outcome().await.expect("it has the place");
    assert_free(&engine);
}
