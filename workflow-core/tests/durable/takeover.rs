//! Runs that start or move to another engine: messages that are sent meanwhile are not lost,
//! followers continue, and the driving engine renews its leases.

use std::sync::atomic::Ordering;
use std::time::Instant;

use workflow_core::engine::RunHandle;
use workflow_core::event::EventKind;
use workflow_core::store::{Message, MessageKind};

use super::gated::Gated;
use super::*;

#[register_workflow(name = "hands: waits")]
async fn waits(ctx: WorkflowContext) -> Result<u32, JobError> {
    ctx.wait_signal("go").await
}

fn engine(store: &Arc<Gated>, lease: Duration) -> Engine {
    Engine::builder().store(store.clone()).lease(lease).build()
}

const LONG: Duration = Duration::from_secs(60);

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Sends both kinds of messages, one to each run, and waits until `reader` has received them.
fn send(store: &MemoryStore, reader: &Gated, signalled: RunId, cancelled: RunId) {
    let before = reader.delivered.load(Ordering::SeqCst);
    let signal = MessageKind::Signal { name: "go".to_owned(), payload: 7.into() };
    block_on(store.send(signalled, signal)).expect("kept");
    block_on(store.send(cancelled, MessageKind::Cancel)).expect("kept");
    until("the delivery", || reader.delivered.load(Ordering::SeqCst) >= before + 2);
}

/// The results of the runs that got the messages.
fn check(signalled: &RunHandle, cancelled: &RunHandle) {
    assert_eq!(signalled.wait().expect("it completes").output::<u32>(), Ok(7));
    let ended = cancelled.wait();
    assert!(matches!(ended, Err(RunError::Cancelled(_))), "{ended:?}");
}

#[test]
fn messages_to_starting_runs_are_not_lost() {
    let store = Arc::new(MemoryStore::new());
    let gated = Gated::over(&store);
    let engine = engine(&gated, LONG);
    gated.begun.shut();
    let start = || engine.run("hands: waits").start().expect("it starts");
    let (signalled, cancelled) = (start(), start());
    until("the beginning", || store.runs().len() == 2);
    // The store has the runs, but their engine does not know yet.
    send(&store, &gated, signalled.id(), cancelled.id());
    gated.begun.open();
    check(&signalled, &cancelled);
}

#[test]
fn messages_are_not_lost_when_a_run_changes_owner() {
    let store = Arc::new(MemoryStore::new());
    let queue = engine(&Gated::over(&store), LONG);
    let enqueue = || block_on(queue.run("hands: waits").enqueue()).expect("it is kept");
    let (signalled, cancelled) = (enqueue(), enqueue());
    let gated = Gated::over(&store);
    let engine = engine(&gated, LONG);
    // The engine looks for messages as long as it drives something.
    let other = engine.run("hands: waits").start().expect("it starts");
    gated.claimed.shut();
    let recovering = std::thread::spawn({
        let engine = engine.clone();
        move || block_on(engine.recover()).expect("memory can be read")
    });
    let owned =
        |run| block_on(store.run(run)).is_ok_and(|run| run.is_some_and(|it| it.owner.is_some()));
    until("the claim", || owned(signalled) && owned(cancelled));
    // In the store the engine owns the runs, but it does not know yet.
    send(&store, &gated, signalled, cancelled);
    gated.claimed.open();
    let recovery = recovering.join().expect("no panic");
    let taken = |id| recovery.runs.iter().find(|run| run.id() == id).expect("taken up");
    check(taken(signalled), taken(cancelled));
    block_on(other.signal("go", 7)).expect("kept");
    other.wait().expect("it completes");
}

#[test]
fn messages_to_a_dead_engine_reach_the_next_owner() {
    let store = Arc::new(MemoryStore::new());
    // Its store takes the start and then nothing more: messages that it receives die with it.
    let run = engine_for(1, &store).run("hands: waits").start().expect("it starts");
    until("the beginning", || only(&store).is_some());
    let signal = MessageKind::Signal { name: "go".to_owned(), payload: 7.into() };
    block_on(store.send(run.id(), signal)).expect("kept");
    let ended = run.wait();
    assert!(matches!(ended, Err(RunError::Store { .. })), "{ended:?}");
    assert_eq!(take_up(&store).expect("it completes").output::<u32>(), Ok(7));
    let sent: Vec<Message> = block_on(store.messages(run.id())).expect("memory can be read");
    assert_eq!(sent.len(), 1);
}

#[test]
fn following_continues_with_the_next_owner() {
    let store = Arc::new(MemoryStore::new());
    let gated = Gated::over(&store);
    let first = engine(&gated, Duration::ZERO).run("hands: waits").start().expect("it starts");
    until("the beginning", || only(&store).is_some());
    let (run, follower) = (first.id(), Gated::over(&store));
    let owner = || block_on(store.run(run)).ok().flatten().and_then(|run| run.owner);
    let before = owner();
    // It resumes the run, whose owner counts as dead, and then counts as dead itself.
    let following = std::thread::spawn({
        let engine = engine(&follower, Duration::ZERO);
        move || block_on(engine.follow(run))
    });
    until("the first change", || owner() != before);
    let before = owner();
    let successor = engine(&Gated::over(&store), LONG);
    let taken = block_on(successor.recover()).expect("memory can be read");
    assert_eq!(taken.runs.len(), 1);
    assert_ne!(owner(), before);
    block_on(taken.runs[0].signal("go", 7)).expect("kept");
    let followed = following.join().expect("no panic").expect("it completes");
    assert_eq!((followed.id(), followed.output::<u32>()), (run, Ok(7)));
}

#[test]
fn an_engine_that_follows_an_abandoned_run_keeps_its_lease() {
    let store = Arc::new(MemoryStore::new());
    let queue = engine(&Gated::over(&store), LONG);
    let run = block_on(queue.run("hands: waits").enqueue()).expect("it is kept");
    let gated = Gated::over(&store);
    let following = std::thread::spawn({
        let engine = engine(&gated, Duration::from_secs(3));
        move || block_on(engine.follow(run))
    });
    // A short lease is renewed again and again, too.
    let renewals = || {
        let renewed = gated.renewed.lock().expect("no panic");
        renewed.iter().filter(|leases| leases.iter().any(|lease| lease.run == run)).count()
    };
    until("the renewals", || renewals() >= 4);
    let taken = block_on(queue.recover()).expect("memory can be read");
    assert!(taken.runs.is_empty(), "{taken:?}");
    let signal = MessageKind::Signal { name: "go".to_owned(), payload: 7.into() };
    block_on(store.send(run, signal)).expect("kept");
    let followed = following.join().expect("no panic").expect("it completes");
    assert_eq!(followed.output::<u32>(), Ok(7));
}

#[test]
fn a_short_lease_is_renewed_in_time() {
    let store = Arc::new(MemoryStore::new());
    for lease in [1, 10, 100].map(Duration::from_millis) {
        let gated = Gated::over(&store);
        let run = engine(&gated, lease).run("hands: waits").start().expect("it starts");
        let began = Instant::now();
        until("the renewals", || gated.renewed.lock().expect("no panic").len() >= 6);
        // But not as fast as possible.
        assert!(began.elapsed() >= lease, "{:?} for {lease:?}", began.elapsed());
        block_on(run.signal("go", 7)).expect("kept");
        run.wait().expect("it completes");
    }
}

#[test]
fn every_engine_knows_why_a_job_was_stopped() {
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder().store(store.clone()).build();
    let waiting = engine.run("hands: waits").start().expect("it starts");
    let awaits = |event: &Event| matches!(event.kind, EventKind::SignalAwaited { .. });
    until("the wait", || events(&store, waiting.id()).iter().any(awaits));
    waiting.cancel();
    let report = waiting.wait().expect_err("it is cancelled").into_report().expect("a report");
    let error = |report: &Report| report.jobs().into_iter().find_map(|job| job.error);
    let known = error(&report).expect("it was stopped");
    assert!(known.message.starts_with("cancelled"), "{known}");
    let other = Engine::builder().store(store).build();
    let followed = block_on(other.follow(waiting.id())).expect_err("it is cancelled");
    assert_eq!(error(followed.report().expect("a report")), Some(known));
}

#[test]
fn a_retry_waits_in_the_task_queue_of_its_run() {
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder().store(store.clone()).queue_prefix("shop").build();
    let stored = |run| block_on(store.run(run)).expect("memory can be read").expect("it is there");
    let request = || engine.run("hands: waits");
    let first = block_on(request().task_queue("special").priority(7).enqueue()).expect("queued");
    let retry = block_on(request().retry_of(&stored(first)).enqueue()).expect("queued");
    let queue = |run| (stored(run).task_queue, stored(run).priority);
    assert_eq!(queue(retry), ("special".to_owned(), 7));
    let plain = block_on(request().enqueue()).expect("queued");
    assert_eq!(queue(plain), ("shop-workflows".to_owned(), 0));
    let refused = block_on(request().task_queue(" x").enqueue());
    assert!(matches!(refused, Err(RunError::InvalidQueue { .. })), "{refused:?}");
}
