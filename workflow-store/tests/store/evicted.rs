//! Real workers that keep few waiting runs in memory, one of them killed.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use serde_json::json;
use test_postgres as cluster;
use workflow_core::event::EventKind;
use workflow_core::id::RunId;
use workflow_core::prelude::*;
use workflow_core::store::{MessageKind, Store, StoredWorker};
use workflow_core::worker::Worker;
use workflow_store::Catalog;

/// The variable that tells this program to work for a store.
const URL: &str = "WORKFLOW_EVICTED_URL";

const CACHED: usize = 2;
const RUNS: usize = 50;

#[job]
fn step(number: u32) -> u32 {
    number + 1
}

#[job(retry(maximum_attempts = 2, initial_interval = "400ms", jitter = 0.0))]
fn second_time(ctx: &JobContext) -> Result<u32, JobError> {
    if ctx.attempt() == 1 { Err(JobError::retryable("not yet")) } else { Ok(1) }
}

#[register_workflow(name = "evicted: inner")]
async fn inner(ctx: WorkflowContext) -> Result<u32, JobError> {
    ctx.sleep(Duration::from_millis(300)).await;
    ctx.run(step, 10).await
}

/// Long enough that a worker on a busy machine does not lose its runs.
const LEASE: Duration = Duration::from_secs(7);

#[register_workflow(name = "evicted: waits")]
async fn waits(ctx: WorkflowContext) -> Result<u32, JobError> {
    let first = ctx.run(step, 0).await?;
    ctx.sleep(Duration::from_millis(700)).await;
    let second = ctx.run(second_time, ()).await?;
    let go: u32 = ctx.wait_signal("go").await?;
    ctx.sleep(Duration::from_millis(300)).await;
    Ok(first + second + ctx.run(step, go).await?)
}

#[register_workflow(name = "evicted: calls")]
fn calls(flow: &mut Flow) -> Handle<u32> {
    let nothing = flow.value(());
    flow.job(registry::call::<_, u32>("evicted: inner", nothing))
}

/// What makes this program a worker: this test and no other.
#[test]
fn is_a_worker_when_told_so() {
    let Ok(url) = std::env::var(URL) else { return };
    pollster::block_on(async {
        let store: Arc<dyn Store> = workflow_store::open(&url).await.expect("opened");
        let engine = Engine::builder().store(store).lease(LEASE).build();
        let worker = Worker::new(engine).max_cached_workflows(CACHED);
        worker.run(until_input_ends()).await.expect("the store is of use");
    });
}

async fn until_input_ends() {
    let (ended, end) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        std::io::stdin().read_to_end(&mut rest).ok();
        drop(ended);
    });
    end.await.ok();
}

/// A worker in a process of its own, killed when this is dropped.
struct Process(Child);

impl Process {
    fn start(url: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("a path"));
        command.args(["--exact", "evicted::is_a_worker_when_told_so", "--nocapture"]).env(URL, url);
        // Its input ends when this process does.
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        Self(command.spawn().expect("a process can be started"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Asks until the answer is there.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The runs whose only wait is for a message.
fn asleep(store: &dyn Catalog, runs: &[RunId]) -> HashSet<RunId> {
    let asleep = |run: &&RunId| {
        let asleep = pollster::block_on(store.asleep(**run)).expect("readable");
        asleep.is_some_and(|asleep| asleep.wakes_in.is_none())
    };
    runs.iter().filter(asleep).copied().collect()
}

/// Whether every run waits for its message, at most [`CACHED`] in the memory of each worker.
///
/// Which worker keeps how many is chance: one whose last runs end may find no others to take.
fn is_settled(store: &dyn Catalog, runs: &[RunId], workers: usize) -> bool {
    let reports = pollster::block_on(store.workers()).expect("readable").expect("known");
    let alive = reports.into_iter().filter(|worker: &StoredWorker| worker.is_alive);
    let waiting: Vec<usize> = alive.map(|worker| worker.report.waiting).collect();
    let asleep = asleep(store, runs).len();
    asleep >= RUNS - workers * CACHED
        && waiting.iter().all(|waiting| *waiting <= CACHED)
        && asleep + waiting.iter().sum::<usize>() == RUNS
}

fn enqueue(engine: &Engine, workflow: &'static str) -> RunId {
    pollster::block_on(engine.run(workflow).enqueue()).expect("queued")
}

fn survive(url: &str) {
    let store = pollster::block_on(workflow_store::open(url)).expect("opened");
    let store: &dyn Catalog = &*store;
    let engine: Arc<dyn Store> = pollster::block_on(workflow_store::open(url)).expect("opened");
    let engine = Engine::builder().store(engine).build();
    let (first, _second) = (Process::start(url), Process::start(url));
    let runs: Vec<RunId> = (0..RUNS).map(|_| enqueue(&engine, "evicted: waits")).collect();
    let calls: Vec<RunId> = (0..5).map(|_| enqueue(&engine, "evicted: calls")).collect();
    until("the eviction of all but four", || is_settled(store, &runs, 2).then_some(()));
    drop(first);
    // The other worker takes over the runs of the dead one, and evicts what is too many.
    until("the eviction of all but two", || is_settled(store, &runs, 1).then_some(()));
    let _third = Process::start(url);
    for run in &runs {
        let payload = json!(5);
        let signal = MessageKind::Signal { name: "go".to_owned(), payload };
        pollster::block_on(store.send(*run, signal)).expect("sent");
    }
    let status =
        |run: &RunId| pollster::block_on(store.run(*run)).expect("readable").expect("there").status;
    until("the end of all", || {
        runs.iter().chain(&calls).all(|run| status(run).is_final()).then_some(())
    });
    let mut crashes = 0;
    for run in &runs {
        let events = pollster::block_on(store.events(*run, 0, 1000)).expect("readable");
        let mut ends: HashMap<String, usize> = HashMap::new();
        for event in &events {
            match &event.kind {
                EventKind::JobCompleted { job, .. } => *ends.entry(job.clone()).or_default() += 1,
                EventKind::RunResumed { after_crash: true } => crashes += 1,
                _ => {}
            }
        }
        assert_eq!(status(run), Status::Completed, "{events:#?}");
        // Two calls of `step`, one of the other job, and the function itself, once each.
        assert_eq!(ends.len(), 4, "{ends:?}");
        assert!(ends.values().all(|times| *times == 1), "{ends:?}");
        let output = events.last().and_then(|event| match &event.kind {
            EventKind::RunCompleted { output } => output.as_deref().cloned(),
            _ => None,
        });
        assert_eq!(output, Some(json!(8)), "{events:#?}");
    }
    assert!(crashes <= CACHED, "{crashes} runs were in the memory of the killed worker");
    assert!(calls.iter().all(|run| status(run) == Status::Completed));
}

#[test]
fn fifty_waiting_runs_share_few_places_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    survive(&format!("sqlite://{}", folder.path().join("workflows.db").display()));
}

#[test]
fn fifty_waiting_runs_share_few_places_on_postgres() {
    let database = cluster::database();
    survive(database.url());
}
