//! Workers: what they tell the store, and what wakes them.

use std::future::poll_fn;
use std::task::Poll;

use workflow_core::engine::ManualClock;
use workflow_core::store::{Queues, StoredWorker};
use workflow_core::worker::Worker;

use super::*;

#[job]
async fn wait_for_go(context: JobContext) -> Result<u32, JobError> {
    context.wait_signal("go").await
}

#[register_workflow(name = "workers: waits", domain = "booking")]
fn waits(flow: &mut Flow) -> Handle<u32> {
    flow.job(wait_for_go())
}

#[register_workflow(name = "workers: answers")]
fn answers() -> u32 {
    42
}

/// Polls until a condition holds, while others continue.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    while !holds().await {
        let mut yielded = false;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

async fn workers(store: &MemoryStore) -> Vec<StoredWorker> {
    store.workers().await.expect("memory can be read").expect("it knows its workers")
}

async fn status(store: &MemoryStore, run: RunId) -> Status {
    store.run(run).await.expect("memory can be read").expect("the run is there").status
}

#[test]
fn a_run_wakes_a_worker_that_waits() {
    let store = Arc::new(MemoryStore::new());
    // On this clock, the time to look for runs never comes.
    let engine = Engine::builder().store(store.clone()).clock(ManualClock::new()).build();
    let queue = Engine::builder().store(store.clone()).build();
    let worker = Worker::new(engine);
    let completed = worker.run_until(async {
        until(async || !workers(&store).await.is_empty()).await;
        for _ in 0..3 {
            let run = queue.run("workers: answers").enqueue().await.expect("queued");
            until(async || status(&store, run).await == Status::Completed).await;
        }
    });
    block_on(completed).expect("memory can be read");
}

#[test]
fn a_worker_is_listed_while_it_works() {
    let store = Arc::new(MemoryStore::new());
    let clock = ManualClock::new();
    let engine = Engine::builder()
        .store(store.clone())
        .clock(clock.clone())
        .queue_prefix("shop")
        .max_parallel(7)
        .build();
    let worker = Worker::new(engine.clone())
        .name("left")
        .queues(Queues::named(["shop-booking"]))
        .max_concurrent_workflows(2);
    let worked = worker.run_until(async {
        until(async || !workers(&store).await.is_empty()).await;
        let [idle] = workers(&store).await.try_into().expect("one worker");
        assert_eq!((idle.report.workflows, idle.report.waiting, idle.report.activities), (0, 0, 0));
        assert!(idle.serves("shop-booking") && !idle.serves("shop-workflows"));
        assert_eq!(idle.report.max_concurrent_workflows, Some(2));
        let program = idle.report.program.as_ref().expect("the engine has no resolver");
        assert!(program.registered.iter().any(|name| name == "workers: waits"), "{program:?}");
        assert!(!idle.is_late());
        assert_eq!((idle.report.max_concurrent_activities, &*idle.report.name), (Some(7), "left"));
        engine.run("workers: waits").enqueue().await.expect("queued");
        let mut busy = idle.clone();
        until(async || {
            // Heartbeats are due every few seconds.
            clock.advance(Duration::from_secs(1));
            busy = workers(&store).await.remove(0);
            busy.report.waiting == 1
        })
        .await;
        assert_eq!((busy.report.workflows, busy.report.activities), (0, 1));
        assert_eq!((busy.report.id, busy.since), (idle.report.id, idle.since));
        assert!(busy.is_alive);
    });
    block_on(worked).expect("memory can be read");
    assert_eq!(block_on(workers(&store)), []);
}

#[test]
fn workers_of_one_engine_are_listed_apart() {
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder().store(store.clone()).build();
    let (left, right) =
        (Worker::new(engine.clone()).name("left"), Worker::new(engine).name("right"));
    block_on(left.run_until(async {
        right
            .run_until(until(async || workers(&store).await.len() == 2))
            .await
            .expect("memory can be read");
        until(async || workers(&store).await.len() == 1).await;
        assert_eq!(workers(&store).await[0].report.name, "left");
    }))
    .expect("memory can be read");
}
