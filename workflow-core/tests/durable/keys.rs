//! Idempotency keys: requests with the same key share one run, at any time and from any engine.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures::StreamExt as _;
use tokio::runtime::Builder;
use workflow_core::engine::{Enqueued, RunHandle, RunRequest};
use workflow_core::event::EventKind;
use workflow_core::store::*;
use workflow_core::{Run as _, Status};

use super::*;
use crate::over_memory::store_over_memory;

#[register_workflow(name = "keys: waits")]
async fn waits(ctx: WorkflowContext, add: u32) -> Result<u32, JobError> {
    let number: u32 = ctx.wait_signal("go").await?;
    Ok(number + add)
}

#[register_workflow(name = "keys: other")]
fn other(add: u32) -> u32 {
    add
}

fn engine(store: &Arc<MemoryStore>) -> Engine {
    Engine::builder().store(store.clone()).build()
}

fn ask(store: &Arc<MemoryStore>) -> RunRequest {
    engine(store).run("keys: waits").input(1).idempotency_key("k")
}

/// An active run of a separate engine.
fn under_way(store: &Arc<MemoryStore>) -> RunHandle {
    let run = ask(store).start().expect("it starts");
    block_on(run.persisted()).expect("it is kept");
    run
}

#[test]
fn the_same_key_waits_for_the_run_of_another_engine() {
    let store = Arc::new(MemoryStore::new());
    let first = under_way(&store);
    let second = ask(&store).start().expect("it starts");
    assert_eq!(block_on(second.persisted()).expect("it is there"), first.id());
    assert_eq!((first.existing(), second.existing()), (None, Some((first.id(), SharedBy::Key))));
    assert_eq!((second.id(), second.status()), (first.id(), Status::Running));
    let waited = std::thread::spawn({
        let store = store.clone();
        move || ask(&store).wait()
    });
    block_on(second.signal("go", 6)).expect("it is sent");
    let output = |report: Result<Report, RunError>| report.map(|it| it.output::<u32>());
    assert_eq!(output(second.wait()).expect("it completes"), Ok(7));
    assert_eq!(output(waited.join().expect("no panic")).expect("it completes"), Ok(7));
    assert_eq!(output(block_on(ask(&store).into_future())).expect("it completes"), Ok(7));
    assert_eq!(second.status(), Status::Completed);
    assert_eq!(store.runs().len(), 1);
}

#[test]
fn events_are_those_of_the_existing_run() {
    let store = Arc::new(MemoryStore::new());
    let first = under_way(&store);
    let second = ask(&store).start().expect("it starts");
    block_on(first.signal("go", 6)).expect("it is sent");
    let of = |run: &RunHandle| -> Vec<EventKind> {
        futures::executor::block_on_stream(run.events()).map(|event| event.kind).collect()
    };
    assert_eq!(of(&second), of(&first));
}

#[test]
fn both_handles_can_cancel_the_existing_run() {
    let store = Arc::new(MemoryStore::new());
    let first = under_way(&store);
    let second = ask(&store).start().expect("it starts");
    second.cancel();
    assert!(matches!(first.wait(), Err(RunError::Cancelled(_))));
    assert!(matches!(second.wait(), Err(RunError::Cancelled(_))));
}

/// A store that refuses the first message.
struct Hesitant {
    store: Arc<MemoryStore>,
    has_refused: AtomicBool,
}

store_over_memory!(Hesitant, only send {
    async fn send(&self, run: RunId, message: MessageKind) -> Result<u64, StoreError> {
        if !self.has_refused.swap(true, Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the connection is gone".into()));
        }
        self.store.send(run, message).await
    }
});

#[test]
fn an_unreachable_store_receives_the_cancellation_later() {
    let store = Arc::new(MemoryStore::new());
    let first = under_way(&store);
    let hesitant = Hesitant { store, has_refused: AtomicBool::new(false) };
    let engine = Engine::builder().store(hesitant).build();
    let second = engine.run("keys: waits").input(1).idempotency_key("k").start();
    second.expect("it starts").cancel();
    assert!(matches!(first.wait(), Err(RunError::Cancelled(_))));
}

/// A runtime that can be paused: its clock stands still, and its tasks are not polled any more.
#[test]
fn a_handle_outlives_its_runtime() {
    let builders = || [Builder::new_multi_thread(), Builder::new_current_thread()];
    for (mut builder, paused) in builders().into_iter().zip([false, true]) {
        let store = Arc::new(MemoryStore::new());
        let first = under_way(&store);
        let runtime = builder.enable_time().start_paused(paused).build().expect("a runtime");
        let second = runtime.block_on(async {
            let run = ask(&store).start().expect("it starts");
            run.persisted().await.expect("it is there");
            run
        });
        drop(runtime);
        let mut events = second.events();
        let elsewhere = Builder::new_current_thread().build().expect("a runtime");
        assert!(elsewhere.block_on(events.next()).is_some());
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || tell.send(elsewhere.block_on(events.collect::<Vec<_>>())));
        second.cancel();
        let events = told.recv_timeout(Duration::from_secs(30)).expect("the run ends");
        assert_eq!(events.last().map(|event| &event.kind), Some(&EventKind::RunCancelled));
        assert!(matches!(first.wait(), Err(RunError::Cancelled(_))));
    }
}

#[test]
fn dropping_a_request_does_not_cancel_the_existing_run() {
    let store = Arc::new(MemoryStore::new());
    let first = under_way(&store);
    let mut again = Box::pin(ask(&store).into_future());
    let seen = engine(&store);
    block_on(async {
        // Polled until it follows the existing run.
        for _ in 0..20 {
            let turn = futures::future::select(again.as_mut(), Box::pin(seen.recover())).await;
            assert!(matches!(turn, futures::future::Either::Right(_)), "it waits");
        }
    });
    drop(again);
    block_on(first.signal("go", 6)).expect("it is sent");
    first.wait().expect("it completes");
}

#[test]
fn reusing_a_key_for_another_input_or_workflow_fails() {
    let store = Arc::new(MemoryStore::new());
    let first = under_way(&store);
    let other_input = engine(&store).run("keys: waits").input(2).idempotency_key("k").wait();
    let other_workflow = engine(&store).run("keys: other").input(1).idempotency_key("k").wait();
    let of_user = engine(&store).run("keys: other").input(1).user("ada").idempotency_key("k");
    let texts = [other_input, other_workflow].map(|ended| {
        assert!(matches!(ended, Err(RunError::KeyConflict { .. })), "{ended:?}");
        ended.map_err(|error| error.to_string().replace(&first.id().to_string(), "<run>"))
    });
    assert_eq!(
        texts.map(|text| text.expect_err("it conflicts")),
        [
            "workflow `keys: waits`: idempotency key `k` was already used for run <run> with \
             another input; use a new key for a different request",
            "workflow `keys: other`: idempotency key `k` was already used for run <run> of \
             workflow `keys: waits`; use a new key for a different request",
        ]
    );
    let enqueued = engine(&store).run("keys: waits").input(2).idempotency_key("k").enqueue();
    assert!(matches!(block_on(enqueued), Err(RunError::KeyConflict { .. })));
    // The same key of another user is another run.
    of_user.wait().expect("it completes");
    first.cancel();
    assert!(first.wait().is_err());
}

#[test]
fn an_invalid_key_starts_no_run() {
    let store = Arc::new(MemoryStore::new());
    for (key, wanted) in [
        (String::new(), "it is empty; use 1 to 255 characters, or no key"),
        ("k".repeat(256), "it has 256 characters; the limit is 255"),
        ("a\0b".to_owned(), "it contains a NUL character; use printable text"),
    ] {
        let ask = || engine(&store).run("keys: other").input(1).idempotency_key(key.as_str());
        let wanted = format!("workflow `keys: other`: invalid idempotency key: {wanted}");
        assert_eq!(ask().start().err().map(|error| error.to_string()), Some(wanted.clone()));
        assert_eq!(ask().wait().err().map(|error| error.to_string()), Some(wanted.clone()));
        assert_eq!(block_on(ask().enqueue()).err().map(|error| error.to_string()), Some(wanted));
    }
    assert_eq!(store.runs(), []);
}

#[test]
fn enqueue_once_says_whether_the_run_existed() {
    let store = Arc::new(MemoryStore::new());
    let ask = |user: &'static str| {
        let request = engine(&store).run("keys: other").input(1).user(user);
        block_on(request.idempotency_key("k").enqueue_once()).expect("it is kept")
    };
    let Enqueued::New(run) = ask("ada") else { panic!("nothing was there") };
    assert_eq!(ask("ada"), Enqueued::Existing(run, SharedBy::Key));
    assert!(matches!(ask("bob"), Enqueued::New(other) if other != run));
}

static PAID: AtomicU32 = AtomicU32::new(0);

#[job]
fn pay(amount: &u32) -> u32 {
    PAID.fetch_add(1, Ordering::SeqCst);
    *amount
}

#[job]
fn receipt(paid: &u32) -> String {
    format!("paid {paid}")
}

#[register_workflow(name = "keys: pays")]
fn pays(flow: &mut Flow, amount: u32) -> Handle<String> {
    let amount = flow.value(amount);
    let paid = flow.job(pay(amount));
    flow.job(receipt(paid))
}

#[test]
fn a_restarted_program_resumes_its_run() {
    let store = Arc::new(MemoryStore::new());
    let ask = |engine: &Engine| engine.run("keys: pays").input(9).idempotency_key("invoice 9");
    let died = ask(&engine_for(2, &store)).wait();
    assert!(matches!(died, Err(RunError::Store { .. })), "{died:?}");
    let report = ask(&engine(&store)).wait().expect("it completes");
    assert_eq!(report.output::<String>().as_deref(), Ok("paid 9"));
    assert_eq!(PAID.load(Ordering::SeqCst), 1);
    assert_eq!(report.id(), only(&store).expect("it is there"));
}
