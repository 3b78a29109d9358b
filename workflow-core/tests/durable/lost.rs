//! Lost runs: another engine drives them by now, or the store rejected them. They have no further
//! effects.

use std::sync::atomic::{AtomicU32, Ordering};

use futures::StreamExt as _;
use workflow_core::engine::{Clock as _, ManualClock};
use workflow_core::event::EventKind;
use workflow_core::store::{Lease, MessageKind, StoreError};

use super::*;

static AFTER: AtomicU32 = AtomicU32::new(0);

#[job]
fn first() -> u32 {
    1
}

#[job]
fn count(number: &u32) -> u32 {
    AFTER.fetch_add(1, Ordering::SeqCst) + number
}

#[job]
async fn count_later(number: &u32) -> u32 {
    AFTER.fetch_add(1, Ordering::SeqCst) + number
}

#[job]
fn clean_up() {
    AFTER.fetch_add(1, Ordering::SeqCst);
}

#[register_workflow(name = "lost: counts")]
fn counts(flow: &mut Flow) {
    let number = flow.job(first::draw());
    flow.job(count(number));
    flow.job(count_later(number));
    flow.job(clean_up::draw().after(number).trigger(TriggerRule::Always));
}

#[test]
fn no_job_starts_after_the_store_refuses() {
    let store = Arc::new(MemoryStore::new());
    // The first job starts, and its outcome is rejected.
    let ended = engine_for(1, &store).run("lost: counts").wait();
    assert!(matches!(ended, Err(RunError::Store { .. })), "{ended:?}");
    assert_eq!(AFTER.load(Ordering::SeqCst), 0);
}

static KEYED: AtomicU32 = AtomicU32::new(0);

#[job]
fn count_keyed() -> u32 {
    KEYED.fetch_add(1, Ordering::SeqCst)
}

#[register_workflow(name = "lost: keyed")]
fn keyed(flow: &mut Flow) -> Handle<u32> {
    flow.job(count_keyed::draw())
}

#[test]
fn a_repeated_request_runs_no_jobs() {
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder().store(store).build();
    let first = engine.run("lost: keyed").idempotency_key("k").wait().expect("it completes");
    let again = engine.run("lost: keyed").idempotency_key("k").wait().expect("it completed");
    assert_eq!(again.id(), first.id());
    assert_eq!(KEYED.load(Ordering::SeqCst), 1);
}

#[test]
fn the_recorded_end_has_the_output() {
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder().store(store.clone()).build();
    let run = engine.run("durable: etl").wait().expect("it completes").id();
    let last = events(&store, run).pop().map(|event| event.kind);
    let output = Some(Arc::new("6 [2, 4, 6]".into()));
    assert_eq!(last, Some(EventKind::RunCompleted { output }));
}

static PAID: AtomicU32 = AtomicU32::new(0);

#[job]
async fn pay() {
    PAID.fetch_add(1, Ordering::SeqCst);
}

#[register_workflow(name = "lost: pays later")]
async fn pays_later(ctx: WorkflowContext) -> Result<(), JobError> {
    ctx.sleep(Duration::from_secs(3600)).await;
    ctx.run(pay, ()).await
}

fn sleeper(clock: &ManualClock, lease: Duration, store: &Arc<MemoryStore>) -> Engine {
    let builder = Engine::builder().store(store.clone()).lease(lease);
    builder.clock(clock.clone()).threads(1).build()
}

/// Pauses an engine at this event of a run, lets another take the run over, and then lets the first
/// continue: it must not count further. Returns the time of the other engine at the end of the run.
fn takes_over(
    workflow: &'static str,
    paused_at: fn(&EventKind) -> bool,
    count: &AtomicU32,
) -> Duration {
    let store = Arc::new(MemoryStore::new());
    let (stopped, other) = (ManualClock::new(), ManualClock::new());
    let first = sleeper(&stopped, Duration::ZERO, &store);
    let run = first.run(workflow).start().expect("it starts");
    let mut seen = futures::executor::block_on_stream(run.events());
    assert!(seen.any(|event| paused_at(&event.kind)));
    let before = count.load(Ordering::SeqCst);
    let second = sleeper(&other, Duration::from_secs(60), &store);
    let taken = block_on(second.recover()).expect("memory can be read");
    assert_eq!(taken.runs.len(), 1);
    let ended = block_on(stopped.drive(run.outcome()));
    let Err(RunError::Store { error, .. }) = ended else { panic!("{ended:?}") };
    assert!(matches!(*error, StoreError::LeaseLost { .. }), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), before);
    block_on(other.drive(taken.runs[0].outcome())).expect("it completes");
    assert_eq!(count.load(Ordering::SeqCst), before + 1);
    other.now()
}

#[test]
fn a_paused_engine_starts_no_jobs_of_runs_it_lost() {
    // The paused engine continues when its sleep is over.
    let paused_at = |kind: &EventKind| matches!(kind, EventKind::SleepStarted { .. });
    let ended = takes_over("lost: pays later", paused_at, &PAID);
    assert_eq!((PAID.load(Ordering::SeqCst), ended), (1, Duration::from_secs(3600)));
}

static TRIED: AtomicU32 = AtomicU32::new(0);

#[job(retry(maximum_attempts = 2, initial_interval = "1h"))]
fn pay_again(ctx: &JobContext) -> Result<(), JobError> {
    TRIED.fetch_add(1, Ordering::SeqCst);
    if ctx.attempt() == 1 { Err(std::io::Error::other("closed").into()) } else { Ok(()) }
}

#[register_workflow(name = "lost: pays on a condition")]
fn pays_on_a_condition(flow: &mut Flow) {
    let number = flow.job(first::draw());
    flow.job(pay_again::draw().when(number, |number| *number > 0));
}

#[test]
fn conditions_are_not_evaluated_for_a_lost_run() {
    // The paused engine continues when the second attempt is due.
    let paused_at = |kind: &EventKind| matches!(kind, EventKind::AttemptFailed { .. });
    takes_over("lost: pays on a condition", paused_at, &TRIED);
    assert_eq!(TRIED.load(Ordering::SeqCst), 2);
}

#[test]
fn an_engine_does_not_take_over_its_own_run() {
    let store = Arc::new(MemoryStore::new());
    let clock = ManualClock::new();
    let slow = sleeper(&clock, Duration::ZERO, &store);
    let run = slow.run("durable: patient").start().expect("it starts");
    let mut seen = futures::executor::block_on_stream(run.events());
    assert!(seen.any(|event| matches!(event.kind, EventKind::SleepStarted { .. })));
    let recovery = block_on(slow.recover()).expect("memory can be read");
    assert!(recovery.runs.is_empty() && recovery.refused.is_empty(), "{recovery:?}");
    block_on(clock.drive(run.outcome())).expect("it completes");
}

#[job]
async fn await_approval(ctx: &JobContext) -> Result<u32, JobError> {
    ctx.wait_signal("approved").await
}

#[register_workflow(name = "lost: inner")]
fn inner(flow: &mut Flow) -> Handle<u32> {
    flow.job(await_approval::draw())
}

#[register_workflow(name = "lost: outer")]
fn outer(flow: &mut Flow) -> Handle<u32> {
    let nothing = flow.value(());
    flow.job(registry::call("lost: inner", nothing))
}

/// The inner run, once it waits for its signal.
fn await_inner(store: &MemoryStore, outer: RunId) -> RunId {
    loop {
        let runs = store.runs();
        let mut inner = runs.iter().map(|(run, _)| *run).filter(|run| *run != outer);
        if let Some(inner) = inner.next().filter(|inner| events(store, *inner).len() > 1) {
            return inner;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Takes a run away from the engine that drives it.
fn take_away(store: &MemoryStore, run: RunId) {
    let stored = block_on(store.run(run)).expect("memory can be read").expect("it is there");
    let owner = stored.owner.expect("somebody drives it");
    block_on(store.release(&[Lease { run, owner, token: 1 }])).expect("memory can be written");
}

fn approve(store: &MemoryStore, run: RunId) {
    let kind = MessageKind::Signal { name: "approved".to_owned(), payload: 7.into() };
    block_on(store.send(run, kind)).expect("it waits");
}

fn engines(store: &Arc<MemoryStore>) -> [Engine; 2] {
    let lease = Duration::from_millis(300);
    [(); 2].map(|()| Engine::builder().store(store.clone()).lease(lease).build())
}

#[test]
fn the_child_of_a_lost_run_continues() {
    let store = Arc::new(MemoryStore::new());
    let [first, second] = engines(&store);
    let run = first.run("lost: outer").start().expect("it starts");
    block_on(run.events().take(2).for_each(|_| async {}));
    let inner = await_inner(&store, run.id());
    take_away(&store, run.id());
    let taken = std::thread::spawn({
        let (second, run) = (second.clone(), run.id());
        move || block_on(second.follow(run))
    });
    let ended = run.wait();
    assert!(matches!(ended, Err(RunError::Store { .. })), "{ended:?}");
    approve(&store, inner);
    let report = taken.join().expect("no panic").expect("it completes");
    assert_eq!(report.output::<u32>().expect("a number"), 7);
}

#[test]
fn a_lost_child_run_is_followed() {
    let store = Arc::new(MemoryStore::new());
    let [first, second] = engines(&store);
    let run = first.run("lost: outer").start().expect("it starts");
    block_on(run.events().take(2).for_each(|_| async {}));
    let inner = await_inner(&store, run.id());
    take_away(&store, inner);
    let taken = std::thread::spawn(move || block_on(second.follow(inner)));
    while block_on(store.run(inner)).expect("readable").expect("there").owner.is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    // By then, the first engine knows that it has lost the run.
    std::thread::sleep(Duration::from_millis(500));
    approve(&store, inner);
    taken.join().expect("no panic").expect("it completes");
    let report = run.wait().expect("it completes");
    assert_eq!(report.output::<u32>().expect("a number"), 7);
}
