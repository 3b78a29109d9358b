//! Runs that lose their driver, and jobs and runs that outlive their outer job or run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::channel::{mpsc, oneshot};
use futures::executor::block_on;
use futures::{FutureExt as _, StreamExt as _};
use tokio::runtime::{Builder, Handle as TokioHandle, Runtime, RuntimeFlavor};
use workflow_core::engine::RunHandle;
use workflow_core::event::{Event, EventKind};
use workflow_core::job::JobErrorKind;
use workflow_core::prelude::*;
use workflow_core::store::{MemoryStore, Store as _};
use workflow_core::workflow::FunctionWorkflow;

use crate::support::{turns, until_started, workflow};

static CHARGED: AtomicU32 = AtomicU32::new(0);

#[job]
async fn charge() {
    CHARGED.fetch_add(1, Ordering::Relaxed);
}

/// Sends its context to the test, and then runs until it is stopped.
fn hands_out(contexts: mpsc::UnboundedSender<WorkflowContext>) -> FunctionWorkflow {
    workflow(move |flow| {
        let contexts = flow.value(contexts.clone());
        flow.job(lends(contexts));
    })
}

#[job]
async fn lends(ctx: WorkflowContext, contexts: mpsc::UnboundedSender<WorkflowContext>) {
    contexts.unbounded_send(ctx).expect("somebody takes it");
    std::future::pending().await
}

const OVER: &str = "the run ended before the job did";

/// What a context answers after the end of its run, whether a handle holds the run or not.
async fn is_over(ctx: &WorkflowContext) {
    assert!(ctx.is_cancelled());
    ctx.cancelled().await;
    let before = CHARGED.load(Ordering::Relaxed);
    let error = ctx.run(charge, ()).await.expect_err("nothing runs any more");
    assert_eq!((error.kind(), error.to_string()), (JobErrorKind::Cancelled, OVER.to_owned()));
    assert_eq!(CHARGED.load(Ordering::Relaxed), before);
    assert_eq!(ctx.persist("key", 1).expect_err("nothing is kept").to_string(), OVER);
    assert_eq!(ctx.persisted::<u32>("key").expect_err("nothing was kept").to_string(), OVER);
    let signal = ctx.wait_signal::<u32>("go").await;
    assert_eq!(signal.expect_err("nothing is sent").to_string(), OVER);
    // Neither takes an hour.
    ctx.sleep(Duration::from_secs(3600)).await;
    JobContext::sleep(ctx, Duration::from_secs(3600)).await;
}

pub(crate) async fn a_context_that_outlives_its_run_starts_no_jobs() {
    for (holds, kept) in [(true, false), (false, false), (true, true), (false, true)] {
        let (contexts, mut lent) = mpsc::unbounded();
        let engine = Engine::builder().cancel_grace(Duration::ZERO);
        let engine = if kept { engine.store(MemoryStore::new()) } else { engine }.build();
        let mut run = Some(engine.run(hands_out(contexts)).start().expect("it starts"));
        let ctx = lent.next().await.expect("a context");
        assert!(!ctx.is_cancelled());
        ctx.persist("key", 1).expect("it runs");
        let handle = run.as_ref().expect("held");
        handle.cancel();
        handle.outcome().await.expect_err("it was cancelled");
        if !holds {
            run = None;
        }
        is_over(&ctx).await;
        drop(run);
    }
}

/// A completed job leaves a task behind while the run continues.
pub(crate) async fn a_context_that_outlives_its_attempt_starts_no_jobs() {
    let (contexts, mut lent) = mpsc::unbounded();
    let (go_on, wait) = oneshot::channel::<()>();
    let wait = wait.shared();
    let run = workflow(move |flow| {
        let lent = flow.value((contexts.clone(), wait.clone()));
        let leaves = flow.job(leaves(lent));
        flow.job(waits(leaves, lent));
    });
    let run = Engine::default().run(run).start().expect("it starts");
    let ctx = lent.next().await.expect("a context");
    until_started(&run, "waits").await;
    ctx.cancelled().await;
    assert!(ctx.is_cancelled());
    let error = ctx.run(charge, ()).await.expect_err("nothing runs any more").to_string();
    assert_eq!(error, "the attempt has already ended");
    go_on.send(()).expect("it waits");
    run.outcome().await.expect("it completes");
}

type Lent =
    (mpsc::UnboundedSender<WorkflowContext>, futures::future::Shared<oneshot::Receiver<()>>);

#[job]
async fn leaves(ctx: WorkflowContext, lent: &Lent) -> u32 {
    lent.0.unbounded_send(ctx).expect("somebody takes it");
    1
}

#[job]
async fn waits(_after: u32, lent: &Lent) {
    lent.1.clone().await.expect("told to continue");
}

/// Detached contexts have no run.
pub(crate) async fn a_detached_context_runs_jobs() {
    let ctx = WorkflowContext::detached();
    let before = CHARGED.load(Ordering::Relaxed);
    ctx.run(charge, ()).await.expect("it is simply called");
    assert!(CHARGED.load(Ordering::Relaxed) > before);
    assert!(!ctx.is_cancelled());
    ctx.persist("key", 1).expect("nothing is kept, and that is no error");
    assert_eq!(ctx.persisted::<u32>("key").expect("no error"), None);
}

#[register_workflow(name = "abandoned: ping")]
fn ping(flow: &mut Flow, number: Handle<u64>) -> Handle<u64> {
    let retry = RetryPolicy::attempts(3).initial_interval(Duration::from_millis(1));
    flow.job(registry::call::<_, u64>("abandoned: pong", number).retry(retry))
}

#[register_workflow(name = "abandoned: pong")]
fn pong(flow: &mut Flow, number: Handle<u64>) -> Handle<u64> {
    flow.job(registry::call::<_, u64>("abandoned: ping", number))
}

/// The error comes from the innermost level unchanged, and no level retries.
pub(crate) async fn endless_recursion_of_workflows_fails() {
    let kept = Engine::builder().store(MemoryStore::new()).build();
    for engine in [Engine::builder().max_parallel(1).build(), kept] {
        let error = engine.run("abandoned: ping").input(1).await.expect_err("it has no end");
        let failed = error.to_string();
        let expected = "failed: job `abandoned: pong` failed: workflow `abandoned: ping` cannot be \
                        run: 100 runs are nested already, which is the limit (`abandoned: ping` -> \
                        `abandoned: pong` -> `abandoned: ping`); end one of these workflows \
                        without calling another";
        assert!(failed.ends_with(expected), "{failed}");
        let report = error.into_report().expect("it began");
        let job = report.job("abandoned: pong").expect("a job");
        assert_eq!(job.attempts, 1);
        assert_eq!(job.error.expect("an error").kind, JobErrorKind::Terminal);
    }
}

#[register_workflow(name = "abandoned: awaits itself")]
async fn awaits_itself() -> Result<(), RunError> {
    registry::run("abandoned: awaits itself").await.map(drop)
}

/// Runs that are awaited inside of each other use up the stack.
pub(crate) async fn a_run_that_awaits_itself_fails() {
    let error = registry::run("abandoned: awaits itself").await.expect_err("it has no end");
    let failed = error.to_string();
    assert!(failed.contains("100 runs are nested already"), "{failed}");
    let begun = registry::run("abandoned: awaits itself").start().expect("it starts");
    let failed = begun.outcome().await.expect_err("it has no end").to_string();
    assert!(failed.contains("100 runs are nested already"), "{failed}");
}

/// The sender that reports that the innermost level was reached.
static BOTTOMS: Mutex<BTreeMap<u64, oneshot::Sender<()>>> = Mutex::new(BTreeMap::new());

/// Calls itself this many levels deep.
#[register_workflow(name = "abandoned: down")]
fn down(flow: &mut Flow, (level, chain): (u64, u64)) {
    if level == 1 {
        flow.job(deaf::draw(chain));
    } else {
        let next = flow.value((level - 1, chain));
        flow.job(registry::call::<_, ()>("abandoned: down", next));
    }
}

#[job(grace = "300ms")]
async fn deaf(ctx: &JobContext, chain: u64) {
    assert!(!ctx.is_cancelled());
    let reached = BOTTOMS.lock().expect("no panic").remove(&chain).expect("somebody waits");
    reached.send(()).expect("somebody waits");
    std::future::pending().await
}

/// At any depth, it takes one grace period, that of the innermost job.
pub(crate) async fn a_deep_chain_is_cancelled_at_once() {
    static CHAINS: AtomicU64 = AtomicU64::new(0);
    let grace = Duration::from_millis(300);
    let engine = Engine::default();
    let chain = CHAINS.fetch_add(1, Ordering::Relaxed);
    let (bottom, reached) = oneshot::channel();
    BOTTOMS.lock().expect("no panic").insert(chain, bottom);
    let run = engine.run("abandoned: down").input((100, chain)).start().expect("it starts");
    reached.await.expect("the bottom is reached");
    let cancelled = Instant::now();
    run.cancel();
    let ended = run.outcome().await;
    assert!(matches!(ended, Err(RunError::Cancelled(_))), "{ended:?}");
    let took = cancelled.elapsed();
    assert!(took >= grace && took < 10 * grace, "{took:?}");
}

/// Whether the calling thread is the only one of its executor.
fn is_alone() -> bool {
    TokioHandle::try_current().is_ok_and(|it| it.runtime_flavor() == RuntimeFlavor::CurrentThread)
}

#[register_workflow(name = "abandoned: yields")]
async fn yields(number: u64) -> u64 {
    turns(1).await;
    number + 1
}

#[register_workflow(name = "abandoned: joins")]
async fn joins(number: u64) -> Result<u64, JobError> {
    let inner = registry::run("abandoned: yields").input(number).start()?;
    Ok(inner.wait()?.output()?)
}

/// More of them than any executor here has threads.
pub(crate) async fn jobs_may_join_runs_that_they_start() {
    if is_alone() {
        return;
    }
    let start = |number: u64| registry::run("abandoned: joins").input(number).start();
    let runs: Vec<RunHandle> = (0..64).map(|number| start(number).expect("it starts")).collect();
    for (number, run) in (0..).zip(runs) {
        let report = run.outcome().await.expect("it completes");
        assert_eq!(report.output::<u64>(), Ok(number + 1));
    }
}

fn runtimes() -> [Runtime; 2] {
    let mut builders = [Builder::new_multi_thread(), Builder::new_current_thread()];
    builders.each_mut().map(|it| it.worker_threads(2).enable_all().build().expect("a runtime"))
}

type LetGo = Arc<Mutex<std::sync::mpsc::Receiver<()>>>;

/// A job that sleeps on the timers of its runtime, one with a timeout, one that blocks a thread
/// until it is released, and one that always runs, with one that waits for it.
fn mixed(ran: &Arc<AtomicU32>, let_go: &LetGo) -> FunctionWorkflow {
    let (ran, let_go) = (Arc::clone(ran), Arc::clone(let_go));
    workflow(move |flow| {
        let (ran, let_go) = (flow.value(Arc::clone(&ran)), flow.value(Arc::clone(&let_go)));
        let (sleeps, hangs) = (flow.job(sleeps()), flow.job(hangs()));
        let blocks = flow.job(blocks(let_go));
        let counts = counts(ran).after(sleeps).after(hangs).after(blocks);
        let counts = flow.job(counts.trigger(TriggerRule::Always));
        flow.job(never(counts, ran));
    })
}

#[job]
async fn sleeps(ctx: &JobContext) {
    tokio::time::sleep(Duration::from_secs(3600)).await;
    ctx.heartbeat();
}

#[job(start_to_close = "1h")]
async fn hangs() {
    std::future::pending().await
}

#[job]
fn blocks(let_go: &LetGo) {
    // Ends with the sender.
    let _ = let_go.lock().expect("no panic").recv();
}

#[job]
async fn counts(ran: &Arc<AtomicU32>) -> u32 {
    ran.fetch_add(1, Ordering::Relaxed)
}

#[job]
async fn never(_before: &u32, ran: &Arc<AtomicU32>) {
    ran.fetch_add(10, Ordering::Relaxed);
}

#[job]
async fn harmless() -> u32 {
    7
}

/// Asserts that every place of the engine is free.
fn works_on(engine: &Engine, places: usize) {
    let many = workflow(move |flow| {
        for _ in 0..places {
            flow.job(harmless().limit_by("all", places));
        }
    });
    engine.run(many).wait().expect("the engine has its places back");
}

#[test]
fn shutting_down_the_runtime_cancels_its_runs() {
    for runtime in runtimes() {
        let builder = Engine::builder().max_parallel(3).limit("all", 3);
        let engine = builder.cancel_grace(Duration::from_millis(20)).build();
        let (ran, (held, let_go)) = (Arc::default(), std::sync::mpsc::channel::<()>());
        let mixed = mixed(&ran, &Arc::new(Mutex::new(let_go)));
        let run = runtime.block_on(async {
            let run = engine.run(mixed).start().expect("it starts");
            for job in ["sleeps", "hangs", "blocks"] {
                until_started(&run, job).await;
            }
            run
        });
        let joined = std::thread::spawn({
            let run = run.clone();
            move || run.wait()
        });
        runtime.shutdown_background();
        let error = run.wait().expect_err("it was cancelled");
        assert!(
            error.to_string().ends_with(
                "was cancelled: the runtime that drove it was shut down; 1 of 5 jobs completed"
            ),
            "{error}"
        );
        let report = error.into_report().expect("it began");
        let status = |job| report.job(job).expect("a job").status;
        assert_eq!(["sleeps", "hangs", "blocks"].map(status), [Status::Cancelled; 3]);
        assert_eq!(ran.load(Ordering::Relaxed), 1);
        joined.join().expect("no panic").expect_err("it was cancelled");
        works_on(&engine, 3);
        drop(held);
    }
}

#[test]
fn shutting_down_the_runtime_cancels_awaited_runs() {
    for runtime in runtimes() {
        let engine = Engine::builder().max_parallel(1).limit("all", 1).build();
        let (started, begun) = oneshot::channel::<()>();
        let started = Arc::new(Mutex::new(Some(started)));
        let hangs = workflow(move |flow| {
            let started = flow.value(Arc::clone(&started));
            flow.job(tells(started));
        });
        let run = engine.run(hangs);
        runtime.spawn(async move { run.await.map(drop) });
        runtime.block_on(begun).expect("it starts");
        drop(runtime);
        works_on(&engine, 1);
    }
}

#[job]
async fn tells(started: &Arc<Mutex<Option<oneshot::Sender<()>>>>) {
    let started = started.lock().expect("no panic").take().expect("once");
    started.send(()).expect("somebody waits");
    std::future::pending().await
}

/// The run uses a runtime that was shut down: neither its timers nor its threads work.
#[test]
fn a_run_works_inside_a_runtime_that_was_shut_down() {
    for runtime in runtimes() {
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        let _inside = handle.enter();
        let times_out = workflow(|flow| {
            flow.job(hangs().start_to_close(Duration::from_millis(5)));
        });
        let error = block_on(Engine::default().run(times_out).into_future());
        let error = error.expect_err("it takes too long").to_string();
        assert!(error.contains("took longer than 5ms"), "{error}");
        let threads = || {
            workflow(|flow| {
                let number = flow.job(on_a_thread());
                flow.job(passes_on(number))
            })
        };
        let report =
            block_on(Engine::default().run(threads()).into_future()).expect("it completes");
        assert_eq!(report.output::<u32>(), Ok(8));
        let run = Engine::default().run(threads()).start().expect("it starts");
        // Started on a runtime that was shut down, the run is abandoned at once.
        let ended = run.wait();
        assert!(matches!(ended, Err(RunError::Cancelled(_))), "{ended:?}");
    }
}

#[job]
fn on_a_thread() -> u32 {
    7
}

#[job]
fn passes_on(number: &u32) -> u32 {
    number + 1
}

#[register_workflow(name = "abandoned: waits")]
async fn waits_for_signal(ctx: WorkflowContext) -> Result<u32, JobError> {
    ctx.wait_signal("go").await
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Resumed after its lease was released, and not after a crash.
fn is_resumed(event: &Event) -> bool {
    event.kind == EventKind::RunResumed { after_crash: false }
}

/// Nothing more is recorded, and the next engine need not wait for the lease to expire.
#[test]
fn a_persisted_run_whose_runtime_is_shut_down_resumes_elsewhere() {
    for (runtime, awaited) in runtimes().into_iter().zip([false, true]) {
        let store = Arc::new(MemoryStore::new());
        let engine = || {
            let builder = Engine::builder().store(store.clone());
            builder.lease(Duration::from_secs(600)).cancel_grace(Duration::ZERO).build()
        };
        let (first, request) = (engine(), engine().run("abandoned: waits"));
        let started = runtime.block_on(async {
            let started = first.run("abandoned: waits").start().expect("it starts");
            until_started(&started, "abandoned: waits").await;
            if awaited {
                tokio::spawn(async move { request.await.map(drop) });
                while store.runs().len() < 2 {
                    tokio::task::yield_now().await;
                }
            }
            started
        });
        let follower = std::thread::spawn({
            let (engine, run) = (engine(), started.id());
            move || block_on(engine.follow(run))
        });
        drop(runtime);
        let ended = started.wait();
        assert!(
            matches!(&ended, Err(RunError::Abandoned { run }) if *run == started.id()),
            "{ended:?}"
        );
        for (run, _) in store.runs() {
            let stored = || block_on(store.run(run)).expect("memory can be read").expect("a run");
            assert_eq!(stored().status, Status::Running);
        }
        // The followed run is resumed by its follower, the other one by a recovery.
        let next = engine();
        until("recovery", || {
            block_on(next.recover()).expect("memory can be read");
            store.runs().iter().all(|(run, _)| {
                let events = block_on(store.events(*run, 0, usize::MAX)).expect("readable");
                events.iter().any(is_resumed)
            })
        });
        for (run, _) in store.runs() {
            let kind = workflow_core::store::MessageKind::Signal {
                name: "go".to_owned(),
                payload: 7.into(),
            };
            block_on(store.send(run, kind)).expect("it runs");
            let report = block_on(next.follow(run)).expect("it completes");
            assert_eq!(report.output::<u32>(), Ok(7));
            assert!(
                report
                    .events()
                    .all(|event| !matches!(event.kind, EventKind::CancelRequested { .. }))
            );
        }
        let followed = follower.join().expect("no panic").expect("it completes");
        assert_eq!(followed.output::<u32>(), Ok(7));
    }
}
