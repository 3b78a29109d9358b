//! Jobs with a task queue of their own: the engine of the run hands them out, and a worker of the
//! queue executes them.

#[path = "support/cut_off.rs"]
mod cut_off;
#[path = "support/over_memory.rs"]
mod over_memory;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::channel::oneshot;
use futures::executor::block_on;
use workflow_core::engine::{EngineBuilder, RunHandle};
use workflow_core::event::{Event, EventKind, Failure};
use workflow_core::graph::GraphError;
use workflow_core::id::RunId;
use workflow_core::job::{JobErrorKind, TaskQueueError, TimeoutKind, closure};
use workflow_core::prelude::*;
use workflow_core::run_log::RunLog;
use workflow_core::store::{
    ClaimRequest, MemoryStore, Owner, OwnerId, Queues, Store as _, TaskStore as _, WorkflowSnapshot,
};
use workflow_core::worker::Worker;
use workflow_core::workflow::PlanError;

use cut_off::CutOff;

/// The name of an engine.
struct Place(&'static str);

/// How often jobs ran, by a name that the test chose.
static RAN: LazyLock<Mutex<HashMap<String, usize>>> = LazyLock::new(Mutex::default);

fn note(name: &str) -> usize {
    let mut ran = RAN.lock().expect("no panic");
    let count = ran.entry(name.to_owned()).or_default();
    *count += 1;
    *count
}

fn ran(name: &str) -> usize {
    RAN.lock().expect("no panic").get(name).copied().unwrap_or(0)
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn builder(store: &Arc<MemoryStore>, place: &'static str) -> EngineBuilder {
    Engine::builder().store(store.clone()).state(Place(place))
}

fn engine(store: &Arc<MemoryStore>, place: &'static str) -> Engine {
    builder(store, place).build()
}

/// A worker in the background.
struct Serving {
    engine: Engine,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    fn start(worker: Worker) -> Self {
        let (stop, stopped) = oneshot::channel();
        let engine = worker.engine().clone();
        let thread = std::thread::spawn(move || {
            block_on(worker.run(async { stopped.await.unwrap_or_default() }))
                .expect("memory can be read");
        });
        Self { engine, stop: Some(stop), thread: Some(thread) }
    }

    /// A worker of the queue `gpu`.
    fn gpu(store: &Arc<MemoryStore>) -> Self {
        Self::start(Worker::new(engine(store, "gpu")).queues(Queues::named(["gpu"])))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}

/// The failure of the first job that failed.
fn failure(report: &Report) -> Failure {
    let mut jobs = report.jobs().into_iter();
    jobs.find_map(|job| job.error).expect("a failure")
}

fn events(store: &MemoryStore, run: RunId) -> Vec<EventKind> {
    let events = block_on(store.events(run, 0, usize::MAX)).expect("memory can be read");
    events.into_iter().map(|event| event.kind).collect()
}

/// Waits until a task is open that nobody has claimed.
fn until_open(store: &MemoryStore, run: RunId) {
    until("an open task", || {
        let tasks = block_on(store.tasks(run)).expect("memory can be read");
        tasks.iter().any(|task| !task.is_owner_alive)
    });
}

#[job(task_queue = "gpu")]
async fn place(place: State<Place>) -> String {
    place.0.to_owned()
}

#[job]
fn here(place: State<Place>, other: &str) -> String {
    format!("{other}, then {}", place.0)
}

#[register_workflow(name = "queues: graph")]
fn graph(flow: &mut Flow) -> Handle<String> {
    let there = flow.job(place());
    flow.job(here(there))
}

#[test]
fn a_job_runs_at_a_worker_of_its_queue() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let report = engine(&store, "driver").run("queues: graph").wait().expect("it completes");
    assert_eq!(report.output::<String>(), Ok("gpu, then driver".to_owned()));
    // The record of its task is gone.
    assert!(block_on(store.tasks(report.id())).expect("memory can be read").is_empty());
    let owner = Owner { id: OwnerId::random(), lifetime: Duration::from_secs(60) };
    let all = ClaimRequest { queues: Queues::all(), except: Vec::new(), limit: 9 };
    assert!(block_on(store.claim_tasks(owner, &all)).expect("memory can be read").is_empty());
}

#[test]
fn without_a_store_an_engine_serves_all_queues() {
    let engine = Engine::builder().state(Place("here")).build();
    let report = engine.run("queues: graph").wait().expect("it completes");
    assert_eq!(report.output::<String>(), Ok("here, then here".to_owned()));
}

#[test]
fn a_worker_of_all_queues_executes_its_own_jobs() {
    let store = Arc::new(MemoryStore::new());
    let only = Serving::start(Worker::new(engine(&store, "only")).max_concurrent_workflows(1));
    let report = only.engine.run("queues: graph").wait().expect("it completes");
    assert_eq!(report.output::<String>(), Ok("only, then only".to_owned()));
}

#[test]
fn a_worker_of_other_queues_leaves_the_job() {
    let store = Arc::new(MemoryStore::new());
    let other = Serving::start(
        Worker::new(engine(&store, "other")).queues(Queues::named(["default-workflows", "tpu"])),
    );
    let run = block_on(other.engine.run("queues: graph").enqueue()).expect("queued");
    until_open(&store, run);
    let _gpu = Serving::gpu(&store);
    let report = block_on(other.engine.follow(run)).expect("it completes");
    assert_eq!(report.output::<String>(), Ok("gpu, then other".to_owned()));
}

#[job(task_queue = "gpu")]
fn square(place: State<Place>, number: u64) -> Result<u64, JobError> {
    if place.0 == "gpu" { Ok(number * number) } else { Err(JobError::terminal("not here")) }
}

#[register_workflow(name = "queues: function")]
async fn function(ctx: WorkflowContext, number: u64) -> Result<u64, JobError> {
    let first = ctx.run(square, number).await?;
    ctx.run(square, first).await
}

#[job]
fn numbers() -> Vec<u64> {
    (0..20).collect()
}

#[register_workflow(name = "queues: map")]
fn mapped(flow: &mut Flow) -> Handle<Vec<u64>> {
    let numbers = flow.job(numbers());
    flow.job(map(numbers, square).concurrency(3))
}

#[test]
fn functions_and_maps_hand_their_jobs_out() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let driver = engine(&store, "driver");
    let report = driver.run("queues: function").input(3_u64).wait().expect("it completes");
    assert_eq!(report.output::<u64>(), Ok(81));
    let report = driver.run("queues: map").wait().expect("it completes");
    let expected: Vec<u64> = (0..20).map(|number| number * number).collect();
    assert_eq!(report.output::<Vec<u64>>(), Ok(expected));
}

#[job(task_queue = "gpu", retry(maximum_attempts = 3, initial_interval = "1ms"))]
async fn flaky(ctx: &JobContext) -> Result<u32, JobError> {
    if ctx.attempt() < 3 { Err(JobError::retryable("not yet")) } else { Ok(ctx.attempt()) }
}

#[register_workflow(name = "queues: retried")]
fn retried(flow: &mut Flow) -> Handle<u32> {
    flow.job(flaky())
}

#[test]
fn the_engine_of_the_run_decides_about_retries() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let report = engine(&store, "driver").run("queues: retried").wait().expect("it completes");
    assert_eq!(report.output::<u32>(), Ok(3));
    let failed = events(&store, report.id()).into_iter();
    assert_eq!(failed.filter(|it| matches!(it, EventKind::AttemptFailed { .. })).count(), 2);
}

#[job(task_queue = "gpu", start_to_close = "20ms")]
async fn slow(ctx: &JobContext) {
    ctx.sleep(Duration::from_secs(60)).await;
}

#[job(task_queue = "gpu", heartbeat = "20ms")]
async fn silent(ctx: &JobContext) {
    ctx.sleep(Duration::from_secs(60)).await;
}

#[job(task_queue = "nobody", schedule_to_close = "20ms")]
async fn waiting() {}

#[register_workflow(name = "queues: slow")]
fn runs_slow(flow: &mut Flow) {
    flow.job(slow());
}

#[register_workflow(name = "queues: silent")]
fn runs_silent(flow: &mut Flow) {
    flow.job(silent());
}

#[register_workflow(name = "queues: waiting")]
fn runs_waiting(flow: &mut Flow) {
    flow.job(waiting());
}

#[test]
fn timeouts_end_attempts_elsewhere() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    for (workflow, expected) in [
        ("queues: slow", TimeoutKind::StartToClose),
        ("queues: silent", TimeoutKind::Heartbeat),
        ("queues: waiting", TimeoutKind::ScheduleToClose),
    ] {
        let ended = engine(&store, "driver").run(workflow).wait();
        let Err(RunError::Failed(report)) = ended else { panic!("{ended:?}") };
        assert_eq!(failure(&report).kind, JobErrorKind::TimedOut(expected));
    }
}

#[job(task_queue = "gpu", grace = "30s")]
async fn stoppable(ctx: JobContext, name: &str) -> Result<(), JobError> {
    note(name);
    ctx.cancelled().await;
    note(&format!("{name}: stopped"));
    Err(JobError::retryable("it was stopped"))
}

#[register_workflow(name = "queues: stoppable")]
fn stopped(flow: &mut Flow, name: Handle<String>) {
    flow.job(stoppable(name));
}

#[test]
fn a_cancel_reaches_the_attempt() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let driver = engine(&store, "driver");
    let run = driver.run("queues: stoppable").input("cancelled").start().expect("it starts");
    until("the attempt", || ran("cancelled") == 1);
    run.cancel();
    let ended = run.wait();
    assert!(matches!(ended, Err(RunError::Cancelled(_))), "{ended:?}");
    assert_eq!(ran("cancelled: stopped"), 1);
}

#[test]
fn a_cancel_ends_a_job_that_no_worker_has() {
    let store = Arc::new(MemoryStore::new());
    let driver = engine(&store, "driver");
    let run = driver.run("queues: stoppable").input("never").start().expect("it starts");
    block_on(run.persisted()).expect("stored");
    until_open(&store, run.id());
    run.cancel();
    let ended = run.wait();
    assert!(matches!(ended, Err(RunError::Cancelled(_))), "{ended:?}");
    assert_eq!(ran("never"), 0);
}

#[job(task_queue = "gpu")]
async fn approved(ctx: JobContext, name: &str) -> Result<u32, JobError> {
    note(name);
    let first: u32 = ctx.wait_signal("go").await?;
    let second: u32 = ctx.wait_signal("go").await?;
    Ok(first * 10 + second)
}

#[register_workflow(name = "queues: signals")]
fn signals(flow: &mut Flow, name: Handle<String>) -> Handle<u32> {
    flow.job(approved(name))
}

#[test]
fn signals_reach_the_attempt_in_order() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let driver = engine(&store, "driver");
    let run = driver.run("queues: signals").input("signals").start().expect("it starts");
    block_on(run.signal("go", 4)).expect("sent");
    until("the wait for the second signal", || ran("signals") >= 2);
    block_on(run.signal("go", 2)).expect("sent");
    assert_eq!(run.wait().expect("it completes").output::<u32>(), Ok(42));
}

#[job(task_queue = "gpu")]
async fn writes(ctx: &JobContext) -> Result<(), JobError> {
    let before: Option<u32> = ctx.persisted("count")?;
    ctx.persist("count", before.unwrap_or(0) + 1)?;
    ctx.annotate("rows", 7);
    println!("written by a macro");
    Ok(())
}

#[job]
fn reads(ctx: &JobContext, _after: &()) -> Result<u32, JobError> {
    Ok(ctx.persisted("count")?.unwrap_or(0))
}

#[register_workflow(name = "queues: values")]
fn values(flow: &mut Flow) -> Handle<u32> {
    let first = flow.job(writes());
    let second = flow.job(writes().after(first));
    flow.job(reads(second))
}

#[test]
fn values_annotations_and_output_become_part_of_the_run() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("task_queues");
    let driver = builder(&store, "driver").runs_dir(folder).capture_output(true).build();
    let run = driver.run("queues: values").start().expect("it starts");
    let shown = block_on(
        run.events()
            .filter_map(async |event| match event.kind {
                EventKind::JobOutput { job, text, .. } => Some((job, text)),
                _ => None,
            })
            .collect::<Vec<_>>(),
    );
    let report = run.wait().expect("it completes");
    assert_eq!(report.output::<u32>(), Ok(2));
    for job in ["writes", "writes_2"] {
        let text: String =
            shown.iter().filter(|(name, _)| name == job).map(|(_, text)| text.as_str()).collect();
        assert_eq!(text, "rows: 7\nwritten by a macro\n");
        let annotations = report.job(job).expect("it ran").annotations.clone();
        assert_eq!(annotations["rows"], 7);
    }
    let log = RunLog::read(run.log().expect("a folder"), "writes_2", 1).expect("it was written");
    assert_eq!(String::from_utf8_lossy(&log.stdout()), "written by a macro\n");
}

#[job(task_queue = "gpu")]
fn undo(place: State<Place>, amount: &u64, name: &str) {
    note(&format!("{name} undone at {} for {amount}", place.0));
}

#[job(task_queue = "gpu")]
fn reserve(name: &str) -> u64 {
    name.len() as u64
}

#[job]
fn fail(_after: &u64) -> Result<(), JobError> {
    Err(JobError::terminal("no"))
}

#[register_workflow(name = "queues: compensated")]
fn compensated(flow: &mut Flow, name: Handle<String>) {
    let reserved = flow.job(reserve(name).compensate(|amount| undo(amount, name)));
    flow.job(fail(reserved));
}

#[test]
fn compensations_have_queues_too() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let ended = engine(&store, "driver").run("queues: compensated").input("abc").wait();
    assert!(matches!(ended, Err(RunError::Failed(_))), "{ended:?}");
    assert_eq!(ran("abc undone at gpu for 3"), 1);
}

#[register_workflow(name = "queues: closure")]
async fn runs_closure(ctx: WorkflowContext) -> Result<u64, JobError> {
    let double = |number| {
        closure("double", number, |number: u64| async move { Ok::<_, JobError>(number * 2) })
            .task_queue("gpu")
    };
    ctx.run(double, 4_u64).await
}

#[job(task_queue = "gpu")]
fn add(left: u64, right: u64) -> u64 {
    left + right
}

#[register_workflow(name = "queues: constant")]
async fn runs_constant(ctx: WorkflowContext) -> Result<u64, JobError> {
    ctx.run(|left| add(left, 5_u64), 4_u64).await
}

#[test]
fn what_workers_cannot_find_is_refused() {
    let store = Arc::new(MemoryStore::new());
    let driver = engine(&store, "driver");
    for workflow in ["queues: closure", "queues: constant"] {
        let ended = driver.run(workflow).wait();
        let Err(RunError::Failed(report)) = &ended else { panic!("{ended:?}") };
        let message = &failure(report).message;
        assert!(message.contains("make it a function with `#[job]`"), "{message}");
        // In process, it runs.
        Engine::default().run(workflow).wait().expect("it completes");
    }
}

#[test]
fn containers_and_nameless_queues_are_refused() {
    let plan = |draw: fn(&mut Flow)| {
        let mut flow = Flow::new();
        draw(&mut flow);
        match flow.plan().expect_err("it is wrong") {
            PlanError::Graph(GraphError::TaskQueue { job, error }) => (job, error),
            other => panic!("{other}"),
        }
    };
    let (job, error) = plan(|flow| {
        let numbers = flow.job(numbers());
        flow.job(map(numbers, square).name("squares").task_queue("gpu"));
    });
    assert_eq!((&*job, &error), ("squares", &TaskQueueError::Waits("gpu".to_owned())));
    let (_, error) = plan(|flow| {
        flow.job(numbers().task_queue(""));
    });
    assert_eq!(
        error.to_string(),
        "names an invalid task queue: a name is empty; give it 1 to 200 characters"
    );
    let (job, _) = plan(|flow| {
        let name = flow.value("a".to_owned());
        flow.job(reserve(name).compensate(|amount| fail(amount).task_queue(" ")));
    });
    assert_eq!(job, "reserve");
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
        let dying = Engine::builder()
            .store(CutOff::after(batches, &store))
            .lease(Duration::ZERO)
            .state(Place("dying"))
            .build();
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

#[job(task_queue = "gpu")]
async fn alone(ctx: &JobContext, name: &str) -> usize {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    let now = NOW.fetch_add(1, Ordering::SeqCst) + 1;
    note(name);
    ctx.sleep(Duration::from_millis(10)).await;
    NOW.fetch_sub(1, Ordering::SeqCst);
    now
}

#[register_workflow(name = "queues: alone")]
fn many_alone(flow: &mut Flow, name: Handle<String>) -> Handle<Vec<usize>> {
    let all: Vec<_> = (0..6).map(|_| flow.job(alone(name))).collect();
    flow.job(collect(all))
}

#[job]
fn collect(all: Each<'_, usize>) -> Vec<usize> {
    all.iter().copied().collect()
}

#[test]
fn a_worker_executes_as_many_jobs_as_it_has_slots() {
    let store = Arc::new(MemoryStore::new());
    let gpu = builder(&store, "gpu").max_parallel(1).build();
    let gpu = Serving::start(Worker::new(gpu).queues(Queues::named(["gpu"])));
    // Jobs that others execute need no slot of this engine.
    let driver = builder(&store, "driver").max_parallel(1).build();
    let report = driver.run("queues: alone").input("alone").wait().expect("it completes");
    assert_eq!(report.output::<Vec<usize>>(), Ok(vec![1; 6]));
    assert_eq!(ran("alone"), 6);
    drop(gpu);
}

#[job(task_queue = "gpu", limit = "cards")]
async fn limited(ctx: &JobContext) -> usize {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    let now = NOW.fetch_add(1, Ordering::SeqCst) + 1;
    ctx.sleep(Duration::from_millis(5)).await;
    NOW.fetch_sub(1, Ordering::SeqCst);
    now
}

#[register_workflow(name = "queues: limited")]
fn all_limited(flow: &mut Flow) -> Handle<Vec<usize>> {
    let all: Vec<_> = (0..4).map(|_| flow.job(limited())).collect();
    flow.job(collect(all))
}

#[register_workflow(name = "queues: limited by the workflow")]
fn limited_by_workflow(flow: &mut Flow) -> Handle<Vec<usize>> {
    flow.limit("cards", 1);
    all_limited(flow)
}

#[test]
fn limits_hold_where_they_are_set() {
    let store = Arc::new(MemoryStore::new());
    let gpu = builder(&store, "gpu").limit("cards", 1).build();
    let gpu = Serving::start(Worker::new(gpu).queues(Queues::named(["gpu"])));
    // That of this engine has no effect on jobs elsewhere.
    let driver = builder(&store, "driver").limit("cards", 9).build();
    let report = driver.run("queues: limited").wait().expect("it completes");
    assert_eq!(report.output::<Vec<usize>>(), Ok(vec![1; 4]));
    drop(gpu);
    let _unlimited = Serving::gpu(&store);
    let driver = engine(&store, "driver");
    let report = driver.run("queues: limited by the workflow").wait().expect("it completes");
    assert_eq!(report.output::<Vec<usize>>(), Ok(vec![1; 4]));
}

#[test]
fn a_run_that_waits_for_a_worker_takes_no_slot() {
    let store = Arc::new(MemoryStore::new());
    let other = Worker::new(engine(&store, "other"))
        .queues(Queues::named(["default-workflows"]))
        .max_concurrent_workflows(1);
    let other = Serving::start(other);
    let enqueue = || block_on(other.engine.run("queues: graph").enqueue()).expect("queued");
    let (first, second) = (enqueue(), enqueue());
    until_open(&store, first);
    until_open(&store, second);
}

#[test]
fn a_worker_leaves_what_it_does_not_know() {
    let store = Arc::new(MemoryStore::new());
    let old = builder(&store, "old").resolver(|snapshot: &WorkflowSnapshot| {
        note(&format!("asked for {}", snapshot.name));
        Err::<Arc<dyn Workflow>, _>("unknown".into())
    });
    let _old = Serving::start(Worker::new(old.build()).queues(Queues::named(["gpu"])));
    let run = engine(&store, "driver").run("queues: graph").start().expect("it starts");
    until("the question", || ran("asked for queues: graph") > 0);
    let _gpu = Serving::gpu(&store);
    let report = run.wait().expect("it completes");
    assert_eq!(report.output::<String>(), Ok("gpu, then driver".to_owned()));
}

#[job(task_queue = "gpu")]
fn conditional(number: &u64) -> u64 {
    number + 1
}

#[register_workflow(name = "queues: conditional")]
fn conditions(flow: &mut Flow, number: Handle<u64>) -> Handle<u64> {
    flow.job(conditional(number).when(number, |number| *number > 3))
}

#[test]
fn conditions_are_evaluated_by_the_engine_of_the_run() {
    let store = Arc::new(MemoryStore::new());
    let driver = engine(&store, "driver");
    // No worker is needed to skip it.
    let report = driver.run("queues: conditional").input(1_u64).wait().expect("it completes");
    assert_eq!(report.job("conditional").expect("a job").status, Status::Skipped);
    let _gpu = Serving::gpu(&store);
    let report = driver.run("queues: conditional").input(4_u64).wait().expect("it completes");
    assert_eq!(report.output::<u64>(), Ok(5));
}

/// Every number of batches after which the engine of the run dies.
#[test]
fn a_run_is_the_same_wherever_its_engine_dies() {
    for batches in 1..12 {
        let store = Arc::new(MemoryStore::new());
        let _gpu = Serving::gpu(&store);
        let dying = Engine::builder()
            .store(CutOff::after(batches, &store))
            .lease(Duration::ZERO)
            .state(Place("dying"))
            .build();
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
