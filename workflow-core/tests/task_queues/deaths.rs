//! Engines of runs and workers that die or stop.

use super::*;
use crate::cut_off::CutOff;

/// An engine that dies after this many batches of events.
fn dying(batches: usize, store: &Arc<MemoryStore>) -> Engine {
    let store = CutOff::after(batches, store);
    Engine::builder().store(store).lease(Duration::ZERO).state(Place("dying")).build()
}

#[job(task_queue = "gpu")]
async fn counted(ctx: JobContext, name: &str) -> usize {
    let count = note(name);
    // The first attempt waits until the test lets it go.
    while ran(&format!("{name}: go")) == 0 && !ctx.is_cancelled() {
        ctx.sleep(Duration::from_millis(2)).await;
    }
    count
}

#[register_workflow(name = "queues: counted")]
fn counts(flow: &mut Flow, name: Handle<String>) -> Handle<usize> {
    flow.job(counted(name))
}

#[test]
fn the_next_owner_of_the_run_waits_for_the_same_task() {
    let mut deaths = 0;
    for batches in 1..4 {
        let store = Arc::new(MemoryStore::new());
        let _gpu = Serving::gpu(&store);
        let dying = dying(batches, &store);
        let name = format!("owner {batches}");
        let run = dying.run("queues: counted").input(&*name).start().expect("it starts");
        until("the attempt", || ran(&name) == 1 || run.status().is_final());
        let next = engine(&store, "next");
        let recovered = match run.status().is_final() {
            // It died before the outcome.
            true => Some(block_on(next.recover()).expect("memory can be read")),
            false => None,
        };
        note(&format!("{name}: go"));
        let report = match (recovered, run.wait()) {
            (Some(recovery), _) => recovery.runs[0].wait(),
            (None, Ok(report)) => Ok(report),
            (None, Err(_)) => {
                // It died when it wanted to record the outcome.
                deaths += 1;
                block_on(next.recover()).expect("memory can be read").runs[0].wait()
            }
        };
        assert_eq!((report.expect("it completes").output::<usize>(), ran(&name)), (Ok(1), 1));
    }
    assert!(deaths > 0);
}

#[test]
fn a_run_that_is_released_leaves_its_task_open() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let first = engine(&store, "first");
    let run = first.run("queues: counted").input("released").start().expect("it starts");
    until("the attempt", || ran("released") == 1);
    // The shutdown does not wait for it.
    let shutdown = block_on(first.shutdown(Duration::from_secs(60)));
    assert_eq!(shutdown.released, [run.id()]);
    let next = engine(&store, "next");
    let recovery = block_on(next.recover()).expect("memory can be read");
    note("released: go");
    let report = recovery.runs[0].wait().expect("it completes");
    assert_eq!((report.output::<usize>(), ran("released")), (Ok(1), 1));
}

/// Claims the task of the queue for a worker that dies at once.
fn die_with(store: &MemoryStore) {
    let dead = Owner { id: OwnerId::random(), lifetime: Duration::ZERO };
    let request = ClaimRequest { queues: Queues::named(["gpu"]), except: Vec::new(), limit: 1 };
    until("the claim", || {
        !block_on(store.claim_tasks(dead, &request)).expect("memory can be read").is_empty()
    });
}

#[test]
fn the_death_of_a_worker_costs_no_attempt() {
    let store = Arc::new(MemoryStore::new());
    let driver = engine(&store, "driver");
    let run = driver.run("queues: retried").start().expect("it starts");
    die_with(&store);
    let _gpu = Serving::gpu(&store);
    assert_eq!(run.wait().expect("it completes").output::<u32>(), Ok(3));
}

#[test]
fn an_attempt_that_kills_its_workers_fails() {
    let store = Arc::new(MemoryStore::new());
    let driver = engine(&store, "driver");
    let run = driver.run("queues: retried").start().expect("it starts");
    (0..5).for_each(|_| die_with(&store));
    let _gpu = Serving::gpu(&store);
    let ended = run.wait();
    let Err(RunError::Failed(report)) = &ended else { panic!("{ended:?}") };
    let failure = failure(report);
    assert_eq!(failure.error_type, "WorkersDied", "{}", failure.message);
}

#[test]
fn a_worker_that_stops_leaves_its_task_to_others() {
    let store = Arc::new(MemoryStore::new());
    let driver = engine(&store, "driver");
    let run = driver.run("queues: counted").input("handed on").start().expect("it starts");
    let first = Serving::gpu(&store);
    until("the attempt", || ran("handed on") == 1);
    block_on(first.engine.shutdown(Duration::from_millis(10)));
    note("handed on: go");
    let _second = Serving::gpu(&store);
    assert_eq!(run.wait().expect("it completes").output::<usize>(), Ok(2));
    // An attempt that ends within the grace period is kept.
    let run = driver.run("queues: counted").input("in time").start().expect("it starts");
    until("the attempt", || ran("in time") == 1);
    note("in time: go");
    block_on(_second.engine.shutdown(Duration::from_secs(60)));
    assert_eq!(run.wait().expect("it completes").output::<usize>(), Ok(1));
}

/// Every number of batches after which the engine of the run dies.
#[test]
fn a_run_is_the_same_wherever_its_engine_dies() {
    for batches in 1..12 {
        let store = Arc::new(MemoryStore::new());
        let _gpu = Serving::gpu(&store);
        let dying = dying(batches, &store);
        let run: RunHandle = dying.run("queues: function").input(3_u64).start().expect("it starts");
        let ended = run.wait();
        let report = match ended {
            Ok(report) => report,
            Err(_) => {
                let next = engine(&store, "next");
                let recovery = block_on(next.recover()).expect("memory can be read");
                recovery.runs[0].wait().expect("it completes")
            }
        };
        assert_eq!(report.output::<u64>(), Ok(81), "after {batches} batches");
        let all: Vec<Event> =
            block_on(store.events(report.id(), 0, usize::MAX)).expect("memory can be read");
        let completed = all.iter().filter(|event| {
            matches!(&event.kind, EventKind::JobCompleted { job, .. } if job.starts_with("square"))
        });
        assert_eq!(completed.count(), 2, "after {batches} batches");
    }
}

#[test]
fn deaths_of_its_engine_are_not_counted_against_a_job_elsewhere() {
    let store = Arc::new(MemoryStore::new());
    let builder = |place| builder(&store, place).lease(Duration::ZERO).poison_after(2);
    let first = builder("first").build();
    let run = first.run("queues: graph").start().expect("it starts");
    block_on(run.persisted()).expect("stored");
    until_open(&store, run.id());
    until("the start of the attempt", || {
        events(&store, run.id()).iter().any(|kind| matches!(kind, EventKind::JobStarted { .. }))
    });
    // Each engine counts as dead at once.
    let engines: Vec<Engine> = (0..4).map(|_| builder("next").build()).collect();
    for (deaths, engine) in (1..).zip(&engines) {
        let recovery = block_on(engine.recover()).expect("memory can be read");
        assert!(recovery.refused.is_empty(), "{:?}", recovery.refused);
        let id = recovery.runs[0].id();
        let restarts = || {
            let is_start = |kind: &EventKind| matches!(kind, EventKind::JobStarted { .. });
            events(&store, id).iter().filter(|kind| is_start(kind)).count()
        };
        // The first start is the one of the first engine.
        until("the start of the attempt", || restarts() == deaths + 1);
    }
    let _gpu = Serving::gpu(&store);
    let last = engine(&store, "last");
    let recovery = block_on(last.recover()).expect("memory can be read");
    let report = recovery.runs[0].wait().expect("it completes");
    assert_eq!(report.output::<String>(), Ok("gpu, then last".to_owned()));
}
