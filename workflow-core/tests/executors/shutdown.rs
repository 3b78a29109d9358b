//! Shutdown of engines: no job starts, running jobs have a grace period, and persisted runs
//! continue with the next engine.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use futures::channel::oneshot;
use futures::future::{Either, join, select};
use workflow_core::TriggerRule;
use workflow_core::job::closure;
use workflow_core::prelude::*;
use workflow_core::store::{MemoryStore, WorkflowSnapshot};
use workflow_core::workflow::FunctionWorkflow;

use crate::support::{turns, until_started, workflow};

const LONG: Duration = Duration::from_secs(3600);

fn on(store: &Arc<MemoryStore>) -> Engine {
    Engine::builder().store(store.clone()).build()
}

/// An engine that resolves this workflow, which is not registered.
fn on_with(store: &Arc<MemoryStore>, workflow: &Arc<dyn Workflow>) -> Engine {
    let workflow = Arc::clone(workflow);
    let find = move |_: &WorkflowSnapshot| Ok(Arc::clone(&workflow));
    Engine::builder().store(store.clone()).resolver(find).build()
}

/// A workflow with a job that waits for `gate`, and a job after it. Counts how often each ran.
fn gated(gate: oneshot::Receiver<()>) -> (FunctionWorkflow, [Arc<AtomicU32>; 2]) {
    let counts = [Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0))];
    let gate = Arc::new(Mutex::new(Some(gate)));
    let [first, second] = counts.clone();
    let workflow = workflow(move |flow| {
        let start = flow.value(1_u32);
        let (gate, first, second) = (gate.clone(), first.clone(), second.clone());
        let waits = move |number: u32| {
            let (gate, first) = (gate.lock().expect("no panic").take(), first.clone());
            async move {
                first.fetch_add(1, Ordering::SeqCst);
                if let Some(gate) = gate {
                    _ = gate.await;
                }
                Ok::<_, JobError>(number + 1)
            }
        };
        let waited = flow.job(closure("waits", start, waits));
        let follows = move |number: u32| {
            second.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, JobError>(number + 1) }
        };
        flow.job(closure("follows", waited, follows))
    });
    (workflow, counts)
}

fn count(counts: &[Arc<AtomicU32>; 2]) -> [u32; 2] {
    [counts[0].load(Ordering::SeqCst), counts[1].load(Ordering::SeqCst)]
}

pub(crate) async fn shutdown_waits_for_running_jobs_and_starts_none() {
    let store = Arc::new(MemoryStore::new());
    let (open, gate) = oneshot::channel();
    let (workflow, counts) = gated(gate);
    let workflow: Arc<dyn Workflow> = Arc::new(workflow);
    let engine = on(&store);
    let run = engine.run(workflow.clone()).start().expect("it starts");
    until_started(&run, "waits").await;
    // The start of a job is published before its function is called.
    while count(&counts) == [0, 0] {
        turns(1).await;
    }
    let mut shutdown = Box::pin(engine.shutdown(LONG));
    let shutdown = match select(&mut shutdown, futures::future::ready(())).await {
        Either::Left(_) => panic!("the job is running"),
        Either::Right(_) => {
            open.send(()).expect("the job waits");
            shutdown.await
        }
    };
    assert_eq!(shutdown.released, [run.id()]);
    assert!(matches!(run.outcome().await, Err(RunError::ShutDown { run: Some(_), .. })));
    assert_eq!(count(&counts), [1, 0]);
    // Completed jobs do not run again, and nobody waits for a lease.
    let next = on_with(&store, &workflow);
    let recovery = next.recover().await.expect("memory can be read");
    let [again] = &recovery.runs[..] else { panic!("{recovery:?}") };
    let report = again.outcome().await.expect("it completes");
    assert_eq!((report.output::<u32>(), count(&counts)), (Ok(3), [1, 1]));
}

pub(crate) async fn a_job_that_outlasts_the_shutdown_restarts_elsewhere() {
    let store = Arc::new(MemoryStore::new());
    let (_open, gate) = oneshot::channel();
    let (workflow, counts) = gated(gate);
    let workflow: Arc<dyn Workflow> = Arc::new(workflow);
    let engine = on(&store);
    let run = engine.run(workflow.clone()).start().expect("it starts");
    until_started(&run, "waits").await;
    let shutdown = engine.shutdown(Duration::ZERO).await;
    assert_eq!(shutdown.released, [run.id()]);
    let report = on_with(&store, &workflow).follow(run.id()).await;
    assert_eq!(report.expect("it completes").output::<u32>(), Ok(3));
    assert_eq!(count(&counts), [2, 1]);
}

#[job]
async fn charge(amount: u32) -> u32 {
    amount
}

#[register_workflow(name = "shutdown: waits")]
async fn waits(ctx: WorkflowContext) -> Result<u32, JobError> {
    let charged = ctx.run(charge, 1).await?;
    ctx.sleep(LONG).await;
    Ok(charged)
}

#[register_workflow(name = "shutdown: nests")]
fn nests(flow: &mut Flow) -> Handle<u32> {
    let nothing = flow.value(());
    flow.job(registry::call("shutdown: waits", nothing))
}

pub(crate) async fn shutdown_does_not_wait_for_sleeping_jobs() {
    for name in ["shutdown: waits", "shutdown: nests"] {
        let store = Arc::new(MemoryStore::new());
        let engine = on(&store);
        let run = engine.run(name).start().expect("it starts");
        let sleeps = async {
            let mut events = run.events();
            while let Some(event) = events.next().await {
                if event.kind.to_string().contains("sleeps") {
                    return;
                }
            }
        };
        if name == "shutdown: waits" {
            sleeps.await;
        } else {
            until_started(&run, "shutdown: waits").await;
        }
        let shutdown = engine.shutdown(LONG).await;
        assert!(shutdown.released.contains(&run.id()), "{name}: {shutdown:?}");
    }
}

pub(crate) async fn shutdown_cancels_runs_without_a_store() {
    let cleaned = Arc::new(AtomicU32::new(0));
    let seen = cleaned.clone();
    let workflow = workflow(move |flow| {
        let start = flow.value(1_u32);
        let hangs = |_: u32| async { std::future::pending::<Result<u32, JobError>>().await };
        let hangs = flow.job(closure("hangs", start, hangs));
        let seen = seen.clone();
        let cleans = move |_: u32| {
            seen.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, JobError>(()) }
        };
        flow.job(closure("cleans", start, cleans).after(hangs).trigger(TriggerRule::Always));
    });
    let engine = Engine::default();
    let run = engine.run(workflow).start().expect("it starts");
    until_started(&run, "hangs").await;
    let shutdown = engine.shutdown(Duration::ZERO).await;
    assert_eq!(shutdown.cancelled, [run.id()]);
    assert!(matches!(run.outcome().await, Err(RunError::Cancelled(_))));
    assert_eq!(cleaned.load(Ordering::SeqCst), 1);
}

pub(crate) async fn an_engine_that_is_shut_down_refuses_runs() {
    let engine = on(&Arc::new(MemoryStore::new()));
    let shutdown = engine.shutdown(LONG).await;
    assert!(shutdown.ended.is_empty() && shutdown.released.is_empty(), "{shutdown:?}");
    let refused = engine.run("shutdown: waits").await.expect_err("it is shut down");
    assert_eq!(
        refused.to_string(),
        "workflow `shutdown: waits`: the engine starts no more runs because it was shut down"
    );
    engine.serve(std::future::pending()).await.expect("it ends by itself");
    assert!(engine.recover().await.expect("memory can be read").runs.is_empty());
}

pub(crate) async fn shutdown_stops_awaited_runs() {
    let store = Arc::new(MemoryStore::new());
    let engine = on(&store);
    let run = engine.run("shutdown: waits").into_future();
    let stop = async {
        while store.runs().is_empty() {
            engine.recover().await.expect("memory can be read");
            futures_timer::Delay::new(Duration::from_millis(1)).await;
        }
        engine.shutdown(LONG).await
    };
    let (ended, shutdown) = join(run, stop).await;
    assert!(matches!(ended, Err(RunError::ShutDown { .. })), "{ended:?}");
    assert_eq!(shutdown.released.len(), 1);
}
