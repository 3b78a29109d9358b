//! Waiting runs that leave the memory of their worker, and continue when their wait ends.

mod undecided;

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use pollster::block_on;
use proptest::prelude::*;
use workflow_core::engine::{Cancellation, ManualClock};
use workflow_core::event::EventKind;
use workflow_core::retry::RetryPolicy;
use workflow_core::store::*;
use workflow_core::worker::Worker;
use workflow_core::workflow::FunctionWorkflow;
use workflow_core::{Status, Workflow};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A store and an engine whose clocks are moved together.
struct World {
    store: Arc<MemoryStore>,
    clock: ManualClock,
    engine: Engine,
}

impl World {
    fn new() -> Self {
        let (store, clock) = (Arc::new(MemoryStore::new()), ManualClock::new());
        let engine = Engine::builder().store(store.clone()).clock(clock.clone()).build();
        Self { store, clock, engine }
    }

    /// A worker that keeps this many waiting runs in memory.
    fn worker(&self, cached: usize) -> Worker {
        Worker::new(self.engine.clone()).max_cached_workflows(cached)
    }

    fn enqueue(&self, workflow: &'static str) -> RunId {
        block_on(self.engine.run(workflow).enqueue()).expect("queued")
    }

    /// Works until a condition holds. The clocks move on meanwhile, a little after each look.
    fn work_until(&self, worker: &Worker, mut holds: impl FnMut() -> bool) {
        let started = std::time::Instant::now();
        let looked = async {
            while !holds() {
                assert!(started.elapsed() < Duration::from_secs(60), "it does not come about");
                for _ in 0..20 {
                    turn().await;
                }
                let step = self.clock.until_next().unwrap_or(SECOND).min(SECOND / 10);
                self.clock.advance(step);
                self.store.advance(step);
            }
        };
        block_on(worker.run_until(looked)).expect("memory can be read");
    }

    fn status(&self, run: RunId) -> Status {
        block_on(self.store.run(run)).expect("memory can be read").expect("it is there").status
    }

    fn is_asleep(&self, run: RunId) -> bool {
        block_on(self.store.asleep(run)).expect("memory can be read").is_some()
    }

    fn report(&self, run: RunId) -> Report {
        block_on(self.engine.follow(run))
            .unwrap_or_else(|error| error.into_report().expect("a run that has ended has a report"))
    }

    /// How often the run was resumed.
    fn resumes(&self, run: RunId) -> usize {
        let events = events(&self.store, run);
        let is_resume =
            |event: &&Event| matches!(event.kind, EventKind::RunResumed { after_crash: false });
        assert!(
            !events.iter().any(|it| matches!(it.kind, EventKind::RunResumed { after_crash: true })),
            "nobody has died"
        );
        events.iter().filter(is_resume).count()
    }

    fn send(&self, run: RunId, name: &str) {
        let payload = serde_json::json!(5);
        let signal = MessageKind::Signal { name: name.to_owned(), payload };
        block_on(self.store.send(run, signal)).expect("sent");
    }
}

/// As the other one, inside of another executor.
fn events(store: &MemoryStore, run: RunId) -> Vec<Event> {
    block_on(store.events(run, 0, usize::MAX)).expect("memory can be read")
}

/// Lets other futures and threads continue.
async fn turn() {
    std::thread::yield_now();
    let mut yielded = false;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// How often each run has called the job below.
static CALLS: Mutex<BTreeMap<RunId, usize>> = Mutex::new(BTreeMap::new());

#[job]
fn count(ctx: &JobContext) -> usize {
    let mut calls = CALLS.lock().expect("no panic");
    let calls = calls.entry(ctx.run_id().expect("in a run")).or_default();
    *calls += 1;
    *calls
}

#[register_workflow(name = "eviction: sleeps")]
async fn sleeps(ctx: WorkflowContext) -> Result<usize, JobError> {
    let first = ctx.run(count, ()).await?;
    for _ in 0..3 {
        ctx.sleep(5 * SECOND).await;
    }
    Ok(first + ctx.run(count, ()).await?)
}

#[test]
fn a_function_sleeps_outside_of_memory_and_repeats_no_job() {
    let world = World::new();
    let run = world.enqueue("eviction: sleeps");
    world.work_until(&world.worker(0), || world.status(run) == Status::Completed);
    assert_eq!(world.report(run).output::<usize>(), Ok(3));
    assert_eq!(CALLS.lock().expect("no panic")[&run], 2);
    // More often on a busy machine, where the store's clock is ahead of the engine's.
    assert!(world.resumes(run) >= 3, "once after each sleep");
}

#[register_workflow(name = "eviction: sleeps and counts nothing")]
async fn only_sleeps(ctx: WorkflowContext) {
    ctx.sleep(2 * SECOND).await;
}

#[test]
fn a_worker_without_a_bound_keeps_its_runs() {
    let world = World::new();
    let run = world.enqueue("eviction: sleeps and counts nothing");
    let worker = Worker::new(world.engine.clone());
    world.work_until(&worker, || world.status(run) == Status::Completed);
    assert_eq!(world.resumes(run), 0);
}

#[job(retry(maximum_attempts = 3, initial_interval = "5s", jitter = 0.0))]
fn third_time(ctx: &JobContext) -> Result<u32, JobError> {
    if ctx.attempt() < 3 { Err(JobError::from("not yet")) } else { Ok(ctx.attempt()) }
}

#[job]
async fn wait_for_go(ctx: &JobContext) -> Result<u32, JobError> {
    ctx.wait_signal("go").await
}

#[job]
fn sum(left: &u32, right: &u32) -> u32 {
    left + right
}

#[register_workflow(name = "eviction: retries and waits")]
fn retries_and_waits(flow: &mut Flow) -> Handle<u32> {
    let left = flow.job(third_time::draw());
    let right = flow.job(wait_for_go::draw());
    flow.job(sum(left, right))
}

#[test]
fn backoffs_and_signals_are_waited_for_outside_of_memory() {
    let world = World::new();
    let run = world.enqueue("eviction: retries and waits");
    let worker = world.worker(0);
    // Both backoffs pass, and then only a signal moves it.
    let has_ended = |job: &str| {
        events(&world.store, run).iter().any(
            |event| matches!(&event.kind, EventKind::JobCompleted { job: it, .. } if it == job),
        )
    };
    world.work_until(&worker, || has_ended("third_time") && world.is_asleep(run));
    assert!(world.resumes(run) >= 2, "{}", world.resumes(run));
    let asleep = block_on(world.store.asleep(run)).expect("readable").expect("it is asleep");
    assert_eq!(asleep.wakes_in, None);
    world.send(run, "go");
    world.work_until(&worker, || world.status(run) == Status::Completed);
    let report = world.report(run);
    assert_eq!(report.output::<u32>(), Ok(8));
    assert_eq!(report.job("third_time").map(|job| job.attempts), Some(3));
    assert_eq!(report.job("wait_for_go").map(|job| job.attempts), Some(1), "no attempt is lost");
}

#[test]
fn the_runs_that_wake_last_are_evicted_first() {
    let world = World::new();
    let long = world.enqueue("eviction: sleeps an hour");
    let waits = world.enqueue("eviction: retries and waits");
    let short = world.enqueue("eviction: sleeps");
    let worker = world.worker(2);
    let is_asleep = |run| world.is_asleep(run);
    world.work_until(&worker, || is_asleep(long) || is_asleep(waits) || is_asleep(short));
    assert!(is_asleep(long) && !is_asleep(waits) && !is_asleep(short));
}

#[register_workflow(name = "eviction: sleeps an hour")]
async fn sleeps_an_hour(ctx: WorkflowContext) {
    ctx.sleep(3600 * SECOND).await;
}

#[test]
fn any_number_of_runs_share_the_places_in_memory() {
    let world = World::new();
    let runs: Vec<RunId> = (0..20).map(|_| world.enqueue("eviction: sleeps an hour")).collect();
    let worker = world.worker(3).max_concurrent_workflows(2);
    let awake = || runs.iter().filter(|run| !world.is_asleep(**run)).count();
    let reports = || block_on(world.store.workers()).expect("readable").expect("known");
    world.work_until(&worker, || {
        let reported = reports().pop().map(|worker| worker.report);
        awake() == 3 && reported.is_some_and(|it| (it.workflows, it.waiting) == (0, 3))
    });
    assert_eq!(reports(), [], "it has stopped");
}

#[test]
fn an_evicted_run_is_cancelled() {
    for by_message in [false, true] {
        let world = World::new();
        let run = world.enqueue("eviction: sleeps an hour");
        let worker = world.worker(0);
        world.work_until(&worker, || world.is_asleep(run));
        if by_message {
            block_on(world.store.send(run, MessageKind::Cancel)).expect("sent");
            world.work_until(&worker, || world.status(run) == Status::Cancelled);
        } else {
            let other = Engine::builder().store(world.store.clone()).build();
            let cancelled = block_on(other.cancel(run)).expect("it can be");
            let Cancellation::Ending(handle) = cancelled else { panic!("{cancelled:?}") };
            assert!(matches!(handle.wait(), Err(RunError::Cancelled(_))));
        }
        assert_eq!(world.status(run), Status::Cancelled);
    }
}

#[register_workflow(name = "eviction: calls")]
fn calls(flow: &mut Flow) -> Handle<u32> {
    let nothing = flow.value(());
    let inner = flow.job(registry::call::<_, u32>("eviction: retries and waits", nothing));
    let three = flow.value(3_u32);
    flow.job(sum(inner, three))
}

#[test]
fn a_run_is_evicted_with_its_child_run() {
    let world = World::new();
    let run = world.enqueue("eviction: calls");
    let worker = world.worker(0);
    world.work_until(&worker, || world.is_asleep(run));
    let children = block_on(world.store.children(run)).expect("readable");
    let [child] = children[..] else { panic!("{children:?}") };
    let waits_for_go = || {
        let asleep = block_on(world.store.asleep(run)).expect("readable");
        asleep.is_some_and(|asleep| asleep.wakes_in.is_none())
    };
    world.work_until(&worker, waits_for_go);
    assert!(world.is_asleep(child));
    world.send(child, "go");
    world.work_until(&worker, || world.status(run) == Status::Completed);
    assert_eq!(world.report(run).output::<u32>(), Ok(11));
    assert_eq!(world.store.runs().len(), 2, "the child run was found again");
}

#[test]
fn a_child_run_that_is_cancelled_alone_wakes_its_parent() {
    let world = World::new();
    let run = world.enqueue("eviction: calls");
    let worker = world.worker(0);
    world.work_until(&worker, || world.is_asleep(run));
    let child = block_on(world.store.children(run)).expect("readable")[0];
    let other = Engine::builder().store(world.store.clone()).build();
    block_on(other.cancel(child)).expect("it can be");
    world.work_until(&worker, || world.status(run).is_final());
    assert_eq!((world.status(child), world.status(run)), (Status::Cancelled, Status::Failed));
}

/// How often the function below has begun its work.
static WORK: AtomicUsize = AtomicUsize::new(0);

#[register_workflow(name = "eviction: waits for more")]
async fn waits_for_more(ctx: WorkflowContext) -> Result<u32, JobError> {
    WORK.fetch_add(1, Ordering::SeqCst);
    // What a program does itself, such as a request over the network, with a deadline.
    let (done, work) = futures::channel::oneshot::channel();
    let clock = ctx.clone();
    std::thread::spawn(move || {
        futures::executor::block_on(clock.sleep_through(3 * SECOND));
        done.send(4).ok();
    });
    match futures::future::select(work, pin!(ctx.sleep(3600 * SECOND))).await {
        futures::future::Either::Left((work, _)) => work.map_err(JobError::from),
        futures::future::Either::Right(_) => Err(JobError::terminal("too late")),
    }
}

#[job(start_to_close = "2s")]
async fn impatient(ctx: &JobContext) -> Result<u32, JobError> {
    ctx.wait_signal("go").await
}

#[register_workflow(name = "eviction: times out")]
fn times_out(flow: &mut Flow) -> Handle<u32> {
    flow.job(impatient::draw())
}

#[register_workflow(name = "eviction: holds a limit")]
fn holds_a_limit(flow: &mut Flow) -> Handle<u32> {
    flow.limit("door", 1);
    flow.job(wait_for_go::draw().limit("door"))
}

#[test]
fn runs_that_do_more_than_wait_stay_in_memory() {
    let world = World::new();
    let worker = world.worker(0);
    let works = world.enqueue("eviction: waits for more");
    world.work_until(&worker, || world.status(works).is_final());
    assert_eq!(world.report(works).output::<u32>(), Ok(4));
    assert_eq!((WORK.load(Ordering::SeqCst), world.resumes(works)), (1, 0));

    let impatient = world.enqueue("eviction: times out");
    world.work_until(&worker, || world.status(impatient).is_final());
    assert_eq!((world.status(impatient), world.resumes(impatient)), (Status::Failed, 0));

    let holds = world.enqueue("eviction: holds a limit");
    let marker = world.enqueue("eviction: sleeps an hour");
    world.work_until(&worker, || world.is_asleep(marker));
    assert!(!world.is_asleep(holds));
    world.send(holds, "go");
    world.work_until(&worker, || world.status(holds) == Status::Completed);
}

#[register_workflow(name = "eviction: out of time")]
fn out_of_time(flow: &mut Flow) -> Handle<u32> {
    flow.timeout(10 * SECOND);
    flow.job(wait_for_go::draw())
}

#[test]
fn the_timeout_of_a_run_holds_outside_of_memory() {
    let world = World::new();
    let run = world.enqueue("eviction: out of time");
    world.work_until(&world.worker(0), || world.status(run).is_final());
    assert_eq!(world.status(run), Status::Failed);
    assert!(world.resumes(run) >= 1);
    let reason = world.report(run).reason().unwrap_or_default();
    assert!(reason.contains("timed out after 10s"), "{reason}");
}

#[test]
fn who_follows_an_evicted_run_does_not_bring_it_back() {
    let world = World::new();
    let run = world.enqueue("eviction: sleeps");
    let worker = world.worker(0);
    world.work_until(&worker, || world.is_asleep(run));
    let engine = world.engine.clone();
    let followed = std::thread::spawn(move || block_on(engine.follow(run)));
    let mut looks = 0;
    world.work_until(&worker, || {
        looks += 1;
        looks > 10
    });
    assert!(world.is_asleep(run), "it sleeps for longer");
    world.work_until(&worker, || followed.is_finished());
    let report = followed.join().expect("no panic").expect("it completes");
    assert_eq!(report.output::<usize>(), Ok(3));
}

#[test]
fn a_worker_that_stops_leaves_evicted_runs_asleep() {
    let world = World::new();
    let run = world.enqueue("eviction: sleeps");
    world.work_until(&world.worker(0), || world.is_asleep(run));
    block_on(world.engine.shutdown(Duration::ZERO));
    let engine = Engine::builder().store(world.store.clone()).clock(world.clock.clone()).build();
    let next = World { engine, store: world.store.clone(), clock: world.clock.clone() };
    next.work_until(&next.worker(0), || next.status(run) == Status::Completed);
}

#[test]
fn a_store_that_cannot_evict_runs_is_refused_with_the_cure() {
    let engine = Engine::builder().store(CutOff::after(usize::MAX, &Arc::default())).build();
    let worker = Worker::new(engine.clone()).max_cached_workflows(5);
    let refused = block_on(worker.run(std::future::ready(()))).expect_err("it cannot");
    assert!(refused.to_string().contains("leave out max_cached_workflows"), "{refused}");
    block_on(Worker::new(engine).run(std::future::ready(()))).expect("without a bound");
}
