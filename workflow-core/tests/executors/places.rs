//! Places of limits: released exactly once, whatever happens to the jobs that hold them or wait for
//! them.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use workflow_core::engine::{LimitScope, LimitUsage, RunHandle};
use workflow_core::job::closure;
use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;

use crate::support::{turns, workflow};

pub(crate) fn usage(engine: &Engine, name: &str) -> LimitUsage {
    let is_it = |limit: &LimitUsage| limit.name == name && limit.scope != LimitScope::Machine;
    engine.limits().into_iter().find(is_it).expect("a limit")
}

/// Waits until this many jobs wait for places.
pub(crate) async fn until_waiting(engine: &Engine, limit: &str, jobs: usize) {
    while usage(engine, limit).waiting != jobs {
        futures_timer::Delay::new(Duration::from_micros(100)).await;
    }
}

/// Asserts that nobody holds or waits for a place of the engine.
pub(crate) fn assert_free(engine: &Engine) {
    for limit in engine.limits().into_iter().filter(|limit| limit.scope == LimitScope::Engine) {
        assert_eq!((limit.in_use, limit.waiting), (0, 0), "{limit:?}");
    }
}

#[job]
pub(crate) async fn waits(ctx: &JobContext) -> Result<(), JobError> {
    ctx.wait_signal::<()>("go").await
}

#[job]
pub(crate) async fn number(value: u64) -> u64 {
    value
}

/// A run whose only job holds this much of the limit until it gets the signal `go`.
pub(crate) async fn holder(engine: &Engine, limit: &'static str, amount: usize) -> RunHandle {
    let holds = workflow(move |flow| {
        flow.job(waits().limit_by(limit, amount));
    });
    let before = usage(engine, limit).in_use;
    let run = engine.run(holds).start().expect("it starts");
    while usage(engine, limit).in_use == before {
        futures_timer::Delay::new(Duration::from_micros(100)).await;
    }
    run
}

pub(crate) async fn let_go(run: &RunHandle) {
    run.signal("go", ()).await.expect("it has a job that waits");
    run.outcome().await.expect("it completes");
}

/// A workflow with one job that counts against the limit.
pub(crate) fn one(limit: &'static str) -> FunctionWorkflow {
    workflow(move |flow| {
        let value = flow.value(7);
        flow.job(number(value).limit(limit))
    })
}

pub(crate) async fn a_failed_map_releases_all_permits() {
    let engine = Engine::builder().max_parallel(2).limit("db", 1).build();
    for (elements, concurrency) in [(2_u64, 9), (5, 9), (5, 2)] {
        let fails = workflow(move |flow| {
            let list = flow.value((0..elements).collect::<Vec<_>>());
            let element = |number| {
                let fails = |number: u64| async move {
                    turns(3).await;
                    Err::<u64, _>(JobError::terminal(format!("no {number}")))
                };
                closure("failing", number, fails).limit("db")
            };
            flow.job(map(list, element).concurrency(concurrency));
        });
        engine.run(fails).await.expect_err("an element fails");
        assert_free(&engine);
        engine.run(one("db")).await.expect("there is a place");
    }
}

#[job(limit = "db")]
async fn never(ctx: &JobContext) {
    ctx.cancelled().await;
}

#[job(limit = "db")]
async fn deaf() {
    std::future::pending::<()>().await;
}

#[job]
async fn gives_up(ctx: WorkflowContext) -> Result<u64, JobError> {
    for round in 0..20 {
        // Dropped before it starts, while it runs, and while it waits for another job.
        let listens = pin!(ctx.run(never, ()));
        let Either::Right(_) = select(listens, pin!(turns(round))).await else {
            return Err(JobError::terminal("it ended"));
        };
        let both = pin!(futures::future::join(ctx.run(deaf, ()), ctx.run(never, ())));
        let Either::Right(_) = select(both, pin!(turns(round))).await else {
            return Err(JobError::terminal("they ended"));
        };
    }
    ctx.run(|value: Handle<u64>| number(value).limit("db"), 7).await
}

pub(crate) async fn a_dropped_call_releases_its_permit() {
    let engine = Engine::builder().max_parallel(1).limit("db", 1).build();
    let drops = || workflow(|flow| flow.job(gives_up()));
    let ended = join_all((0..3).map(|_| engine.run(drops()).into_future())).await;
    for report in ended {
        assert_eq!(report.expect("it completes").output::<u64>().expect("a number"), 7);
    }
    assert_free(&engine);
}

pub(crate) async fn a_cancelled_job_leaves_the_queue_for_permits() {
    let engine = Engine::builder().limit("db", 1).build();
    let first = holder(&engine, "db", 1).await;
    let waiting = engine.run(one("db")).start().expect("it starts");
    until_waiting(&engine, "db", 1).await;
    let next = engine.run(one("db")).start().expect("it starts");
    until_waiting(&engine, "db", 2).await;
    waiting.cancel();
    waiting.outcome().await.expect_err("it is cancelled");
    assert_eq!(usage(&engine, "db").waiting, 1);
    let_go(&first).await;
    next.outcome().await.expect("it has the place");
    assert_free(&engine);
}

pub(crate) async fn a_job_that_times_out_leaves_the_queue_for_permits() {
    let engine = Engine::builder().limit("db", 1).build();
    let first = holder(&engine, "db", 1).await;
    let hurried = workflow(|flow| {
        let value = flow.value(7);
        let hurried = number(value).limit("db").schedule_to_close(Duration::from_millis(2));
        let hurried = flow.job(hurried.name("hurried"));
        // A job that must always run waits for a place too, and only once.
        flow.job(waits().limit("db").after(hurried).trigger(TriggerRule::Always));
    });
    let run = engine.run(hurried).start().expect("it starts");
    while run.events_say("hurried failed").await {}
    until_waiting(&engine, "db", 1).await;
    run.cancel();
    let_go(&first).await;
    run.signal("go", ()).await.expect("its last job waits");
    run.outcome().await.expect_err("a job failed");
    assert_free(&engine);
}

trait Says {
    /// Waits for an event with this text. Returns false once it is there.
    async fn events_say(&self, words: &str) -> bool;
}

impl Says for RunHandle {
    async fn events_say(&self, words: &str) -> bool {
        use futures::StreamExt as _;
        let mut events = self.events();
        while let Some(event) = events.next().await {
            if event.kind.to_string().starts_with(words) {
                return false;
            }
        }
        panic!("no event says {words}");
    }
}

/// Runs that lost their driver with their runtime hold nothing.
#[test]
fn a_run_whose_runtime_is_gone_releases_its_permit() {
    let engine = Engine::builder().limit("db", 1).build();
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    runtime.block_on(async {
        drop(holder(&engine, "db", 1).await);
        drop(engine.run(one("db")).start().expect("it starts"));
        until_waiting(&engine, "db", 1).await;
    });
    drop(runtime);
    engine.run(one("db")).wait().expect("there is a place");
    assert_free(&engine);
}
