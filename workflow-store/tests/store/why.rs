//! Why runs and jobs make no progress: a test for each cause.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use workflow_core::engine::RunHandle;
use workflow_core::event::Event;
use workflow_core::flow_control::FlowControl;
use workflow_core::id::RunId;
use workflow_core::prelude::*;
use workflow_core::retry::RetryPolicy;
use workflow_core::store::{
    ClaimRequest, LimitWait, MessageKind, NewRun, Owner, OwnerId, Parent, ProgramWorkflows, Queues,
    Store as _, WorkerId, WorkerReport, WorkflowSnapshot,
};
use workflow_core::worker::Worker;
use workflow_store::{Catalog as _, Cause, SqliteStore, StallReason, why};

#[job]
async fn wait_for_go(context: JobContext) -> Result<u32, JobError> {
    context.wait_signal("go").await
}

#[job]
fn add(left: &u32, right: &u32) -> u32 {
    left + right
}

#[register_workflow(name = "waits", domain = "booking")]
fn waits(flow: &mut Flow) -> Handle<u32> {
    let left = flow.job(wait_for_go().name("left"));
    let right = flow.job(wait_for_go().name("right"));
    flow.job(add(left, right))
}

/// Keeps its slot, because it does not wait for a signal.
#[job(grace)]
async fn listen(context: JobContext) -> u32 {
    context.cancelled().await;
    1
}

#[register_workflow(name = "listens")]
fn listens(flow: &mut Flow) -> Handle<u32> {
    let left = flow.job(listen().name("left"));
    let right = flow.job(listen().name("right"));
    flow.job(add(left, right))
}

#[register_workflow(name = "calls")]
fn calls(flow: &mut Flow) -> Handle<u32> {
    let nothing = flow.value(());
    flow.job(registry::call::<_, u32>("waits", nothing))
}

#[job]
fn refuse() -> Result<u32, JobError> {
    Err(JobError::retryable("not yet"))
}

#[register_workflow(name = "retries")]
fn retries(flow: &mut Flow) -> Handle<u32> {
    let hour = Duration::from_secs(3600);
    flow.job(refuse().retry(RetryPolicy::attempts(3).initial_interval(hour)))
}

#[register_workflow(name = "sleeps")]
async fn sleeps(context: WorkflowContext) -> u32 {
    context.sleep(Duration::from_secs(3600)).await;
    1
}

fn store() -> Arc<SqliteStore> {
    Arc::new(pollster::block_on(SqliteStore::open(":memory:")).expect("opened"))
}

fn reasons(store: &SqliteStore, run: RunId) -> Vec<StallReason> {
    pollster::block_on(why(store, store, run)).expect("a run of the store")
}

/// Starts a run, and waits until it is stored.
fn start(store: &Arc<SqliteStore>, workflow: &str) -> RunHandle {
    let engine = Engine::builder().store(store.clone()).build();
    start_on(&engine, workflow)
}

fn start_on(engine: &Engine, workflow: &str) -> RunHandle {
    let run = engine.run(workflow).start().expect("it starts");
    pollster::block_on(run.persisted()).expect("stored");
    run
}

/// The reasons as text, once they have these codes.
fn texts(store: &SqliteStore, run: RunId, codes: &[&str]) -> Vec<String> {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let found = reasons(store, run);
        assert!(Instant::now() < patience, "{found:?}");
        if found.iter().map(|reason| reason.cause.as_str()).eq(codes.iter().copied()) {
            assert!(found.iter().all(|reason| !reason.cause.cure().is_empty()));
            return found.iter().map(ToString::to_string).collect();
        }
        std::thread::yield_now();
    }
}

/// A run in the queue `a`, with what one would know of it.
fn queued() -> NewRun {
    let workflow = registry::get("waits").expect("registered").workflow();
    NewRun { task_queue: "a".to_owned(), ..NewRun::new(WorkflowSnapshot::of(&*workflow)) }
}

fn begin(store: &SqliteStore, run: NewRun) -> RunId {
    let id = run.id;
    pollster::block_on(store.begin(run, Vec::new())).expect("begun");
    id
}

fn report(store: &SqliteStore, queue: &str, workflows: usize, lifetime: Duration) {
    record(store, &worker(queue, workflows, lifetime));
}

fn worker(queue: &str, workflows: usize, lifetime: Duration) -> WorkerReport {
    WorkerReport {
        id: WorkerId { owner: OwnerId::random(), number: 0 },
        name: format!("{queue}-{workflows}"),
        queues: Queues::named([queue]),
        max_concurrent_workflows: Some(2),
        max_cached_workflows: None,
        max_concurrent_activities: None,
        workflows,
        activities: 0,
        waiting: 0,
        lifetime,
        program: None,
    }
}

fn record(store: &SqliteStore, report: &WorkerReport) {
    pollster::block_on(store.report_worker(report)).expect("recorded");
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

const LONG: Duration = Duration::from_secs(600);

fn cause(store: &SqliteStore, run: RunId) -> Cause {
    let [reason] = reasons(store, run).try_into().expect("one reason");
    assert_eq!(reason.job, None);
    reason.cause
}

#[test]
fn a_queued_run_lacks_a_worker_or_a_free_slot() {
    let store = store();
    let run = begin(&store, queued());
    let queue = || "a".to_owned();
    report(&store, "b", 0, LONG);
    report(&store, "a", 0, Duration::ZERO);
    assert_eq!(cause(&store, run), Cause::NoWorker { queue: queue() });
    assert!(cause(&store, run).cure().contains("worker --task-queue=a"));
    let hostile = Cause::NoWorker { queue: "a'; $(reboot)".to_owned() };
    assert!(hostile.cure().contains(r"--task-queue='a'\''; $(reboot)'`"), "{}", hostile.cure());
    report(&store, "a", 2, LONG);
    let workers = vec!["a-2".to_owned()];
    assert_eq!(cause(&store, run), Cause::WorkersFull { queue: queue(), workers });
    report(&store, "a", 1, LONG);
    assert_eq!(cause(&store, run), Cause::Queued { queue: queue() });
}

#[test]
fn a_worker_without_the_workflow_is_not_counted() {
    let store = store();
    let run = begin(&store, queued());
    let program = |names: &[&str]| ProgramWorkflows {
        registered: names.iter().map(|name| (*name).to_owned()).collect(),
        formats: vec!["workflow_file".to_owned()],
    };
    let report = WorkerReport {
        queues: Queues::all(),
        program: Some(program(&["others"])),
        ..report_jobs(&store, 0)
    };
    record(&store, &report);
    let [reason] = reasons(&store, run).try_into().expect("one reason");
    assert_eq!(reason.cause.as_str(), "unknown_workflow");
    assert_eq!(
        reason.to_string(),
        "the run waits in task queue `a`, whose live workers do not have workflow `waits`: `cards`"
    );
    let cure = "start a worker that has the workflow: `worker --task-queue=a`";
    assert_eq!(reason.cause.cure(), cure);
    record(&store, &WorkerReport { program: Some(program(&["waits"])), ..report });
    assert_eq!(cause(&store, run), Cause::Queued { queue: "a".to_owned() });
}

#[test]
fn a_worker_that_misses_heartbeats_is_named_before_its_lease_expires() {
    let store = store();
    let owner = Owner { id: OwnerId::random(), lifetime: LONG };
    let run = begin(&store, NewRun { owner: Some(owner), ..queued() });
    let codes = || -> Vec<&str> {
        reasons(&store, run).iter().map(|reason| reason.cause.as_str()).collect()
    };
    let report = report_jobs(&store, 0);
    let of_owner = |number, lifetime| {
        let id = WorkerId { owner: owner.id, number };
        record(&store, &WorkerReport { id, lifetime, ..report.clone() });
    };
    of_owner(0, LONG);
    let reports = codes();
    assert_eq!(reports, ["job_slot", "job_slot", "dependencies"]);
    of_owner(0, Duration::ZERO);
    let [reason] = reasons(&store, run).try_into().expect("one reason");
    assert_eq!(reason.cause.as_str(), "owner_silent");
    assert_eq!(reason.to_string(), "worker `cards` drives the run, and has not reported for 0 s");
    assert!(reason.cause.cure().contains("when the lease has expired"));
    // Another worker of the same engine is alive.
    of_owner(1, LONG);
    assert_eq!(codes(), reports);
}

#[test]
fn a_run_waits_for_a_limit_of_its_key() {
    let store = store();
    report(&store, "a", 0, LONG);
    let minute = Duration::from_secs(60);
    let owner = Owner { id: OwnerId::random(), lifetime: LONG };
    let limits = [
        (json!({ "concurrency": { "key": "k", "limit": 1 } }), "concurrency"),
        (json!({ "rate_limit": { "key": "k", "limit": 1, "per": "1m" } }), "rate"),
        (json!({ "debounce": { "key": "k", "delay": "1m" } }), "debounce"),
    ];
    for (control, code) in limits {
        let control: FlowControl = serde_json::from_value(control).expect("limits");
        let new = || NewRun { flow_control: control.clone(), ..queued() };
        let (first, second) = (begin(&store, new()), begin(&store, new()));
        let claimed = pollster::block_on(store.claim(owner, &[first])).expect("answered");
        let waiting = if code == "debounce" { first } else { second };
        assert_eq!(claimed.len(), usize::from(code != "debounce"));
        let [reason] = reasons(&store, waiting).try_into().expect("one reason");
        assert_eq!(reason.cause.as_str(), code, "{reason}");
        let holders = if code == "concurrency" { vec![first] } else { Vec::new() };
        assert_eq!(reason.cause.runs(), holders);
        match reason.cause {
            Cause::Limit(LimitWait::Rate { next_in, .. }) => assert!(next_in <= minute),
            Cause::Limit(LimitWait::Debounce { begins_in, .. }) => assert!(begins_in <= minute),
            Cause::Limit(LimitWait::Concurrency { .. }) => {}
            cause => panic!("{cause:?}"),
        }
    }
}

#[test]
fn a_run_whose_process_died_waits_to_be_taken_over() {
    let store = store();
    let dead = Owner { id: OwnerId::random(), lifetime: Duration::ZERO };
    let run = begin(&store, NewRun { owner: Some(dead), ..queued() });
    report(&store, "a", 0, LONG);
    assert_eq!(cause(&store, run), Cause::OwnerDied { queue: "a".to_owned() });
    let parent = Parent { run, job: "load".to_owned() };
    let child = begin(&store, NewRun { owner: Some(dead), parent: Some(parent), ..queued() });
    assert_eq!(cause(&store, child), Cause::OuterRun(run));
}

#[test]
fn an_evicted_run_says_what_it_waits_for_and_who_goes_on() {
    let store = store();
    let engine = Engine::builder().store(store.clone()).build();
    let run = pollster::block_on(engine.run("waits").enqueue()).expect("queued");
    let calls = pollster::block_on(engine.run("calls").enqueue()).expect("queued");
    let asleep = |run| pollster::block_on(store.asleep(run)).expect("readable").is_some();
    let worker = Worker::new(engine).max_cached_workflows(0);
    let evicted = worker.run_until(async {
        while !(asleep(run) && asleep(calls)) {
            turn().await;
        }
        texts(&store, run, &["evicted", "signal", "signal", "dependencies"])
    });
    let found = pollster::block_on(evicted).expect("the store is of use");
    assert_eq!(
        found[0],
        "the run was evicted to the store; a worker of task queue `default-booking` resumes it when \
         its wait ends"
    );
    assert!(found[1].starts_with("job `left` waits for signal `go`"), "{found:?}");
    // The worker has stopped.
    texts(&store, run, &["no_worker", "signal", "signal", "dependencies"]);
    texts(&store, calls, &["no_worker", "child_run"]);
    let child = pollster::block_on(store.children(calls)).expect("readable")[0];
    let found = reasons(&store, child);
    assert_eq!(found[0].cause, Cause::OuterRun(calls));
    // Lists show it as before.
    let details = pollster::block_on(store.run_details(run)).expect("there");
    assert_eq!(details.run.status, Status::Running);
    assert_eq!(details.waiting.len(), 2);
}

#[test]
fn jobs_wait_for_signals_and_for_other_jobs() {
    let store = store();
    let run = start(&store, "waits");
    let found = texts(&store, run.id(), &["signal", "signal", "dependencies"]);
    assert!(found[0].starts_with("job `left` waits for signal `go`"), "{found:?}");
    assert_eq!(found[2], "job `add` waits for jobs `left`, `right`");
    pollster::block_on(async {
        run.signal("go", 1).await.expect("sent");
        run.signal("go", 2).await.expect("sent");
    });
    run.wait().expect("it completes");
    assert_eq!(cause(&store, run.id()), Cause::Ended(Status::Completed, None));
}

#[test]
fn a_ready_job_waits_for_a_slot() {
    let store = store();
    let engine = Engine::builder().store(store.clone()).max_parallel(1).build();
    let run = start_on(&engine, "listens");
    let found = texts(&store, run.id(), &["running", "job_slot", "dependencies"]);
    assert_eq!(found[1], "job `right` is ready, and waits for a slot");
    let stored = pollster::block_on(store.run(run.id())).expect("readable").expect("stored");
    record(
        &store,
        &WorkerReport {
            id: WorkerId { owner: stored.owner.expect("an engine drives it"), number: 0 },
            max_concurrent_activities: Some(1),
            activities: 1,
            ..worker("a", 1, Duration::from_secs(60))
        },
    );
    let found = texts(&store, run.id(), &["running", "job_slot", "dependencies"]);
    assert_eq!(found[1], "job `right` is ready, and all slots for jobs of worker `a-1` are taken");
    run.cancel();
    run.wait().expect_err("it is cancelled");
}

#[test]
fn a_job_waits_for_a_child_run() {
    let store = store();
    let run = start(&store, "calls");
    let found = loop {
        let found = reasons(&store, run.id());
        if let Some(child) = found.iter().find_map(|reason| match reason.cause {
            Cause::ChildRun(child) => Some(child),
            _ => None,
        }) {
            break child;
        }
    };
    texts(&store, found, &["signal", "signal", "dependencies"]);
}

#[test]
fn a_job_waits_for_a_time_or_for_its_next_attempt() {
    let store = store();
    let run = start(&store, "sleeps");
    texts(&store, run.id(), &["time"]);
    let run = start(&store, "retries");
    let found = texts(&store, run.id(), &["retry"]);
    assert!(
        found[0].starts_with("job `refuse` failed; its next attempt starts at 20"),
        "{found:?}"
    );
}

#[test]
fn a_blocked_run_says_what_blocks_it() {
    let store = store();
    let blocked: Event = serde_json::from_value(json!({
        "sequence": 0, "at": "2026-01-02T03:04:05Z", "event": "run_blocked",
        "reason": "definition_changed", "difference": "job `load` is missing",
    }))
    .expect("an event");
    let run = queued();
    let id = run.id;
    pollster::block_on(store.begin(run, vec![blocked])).expect("begun");
    let found = texts(&store, id, &["definition_changed"]);
    assert!(found[0].contains("job `load` is missing"), "{found:?}");
}

#[test]
fn an_external_run_and_a_cancelled_one_say_so() {
    let store = store();
    let graph = json!({ "nodes": [], "edges": [] });
    let run =
        begin(&store, NewRun::new(WorkflowSnapshot::external("theirs", "1-1".to_owned(), graph)));
    assert_eq!(cause(&store, run), Cause::External);
    let run = start(&store, "waits");
    texts(&store, run.id(), &["signal", "signal", "dependencies"]);
    pollster::block_on(store.send(run.id(), MessageKind::Cancel)).expect("sent");
    assert!(run.wait().is_err());
    assert_eq!(cause(&store, run.id()), Cause::Ended(Status::Cancelled, None));
}

#[test]
fn a_running_job_says_since_when() {
    let reason = StallReason {
        job: Some("load".to_owned()),
        cause: Cause::Running { attempt: 2, since: SystemTime::UNIX_EPOCH },
    };
    assert_eq!(
        serde_json::to_value(&reason).expect("JSON"),
        json!({
            "job": "load",
            "reason": "running",
            "detail": "job `load` is running, attempt 2 since 1970-01-01T00:00:00Z",
            "cure": "wait, or cancel the run; a timeout of the job would end an attempt that hangs",
            "runs": [],
        })
    );
}

#[job(task_queue = "gpu")]
fn train() -> u32 {
    7
}

#[register_workflow(name = "trains")]
fn trains(flow: &mut Flow) -> Handle<u32> {
    flow.job(train())
}

/// A worker of the queue `gpu` with this many running jobs of one.
fn report_jobs(store: &SqliteStore, activities: usize) -> WorkerReport {
    let report = WorkerReport {
        id: WorkerId { owner: OwnerId::random(), number: 0 },
        name: "cards".to_owned(),
        queues: Queues::named(["gpu"]),
        max_concurrent_workflows: None,
        max_concurrent_activities: Some(1),
        max_cached_workflows: None,
        workflows: 0,
        activities,
        waiting: 0,
        lifetime: Duration::from_secs(60),
        program: None,
    };
    record(store, &report);
    report
}

#[test]
fn a_job_waits_for_a_worker_of_its_queue() {
    let store = store();
    let run = start(&store, "trains");
    let found = texts(&store, run.id(), &["no_worker"]);
    assert_eq!(found, ["job `train` waits in task queue `gpu`, which no live worker serves"]);
    let cure = reasons(&store, run.id())[0].cause.cure();
    assert_eq!(cure, "start a worker that has the workflow: `worker --task-queue=gpu`");
    let full = report_jobs(&store, 1);
    let found = texts(&store, run.id(), &["workers_full"]);
    assert_eq!(
        found,
        [
            "job `train` waits in task queue `gpu`, whose workers have no free slot for jobs: `cards`"
        ]
    );
    pollster::block_on(store.forget_worker(full.id)).expect("forgotten");
    report_jobs(&store, 0);
    let found = texts(&store, run.id(), &["queued"]);
    assert_eq!(found, ["job `train` waits in task queue `gpu`, and a worker will start it"]);
    let tasks = store.task_store().expect("it hands out tasks");
    let request = ClaimRequest { queues: Queues::all(), except: Vec::new(), limit: 1 };
    let dead = Owner { id: OwnerId::random(), lifetime: Duration::ZERO };
    pollster::block_on(tasks.claim_tasks(dead, &request)).expect("claimed");
    let found = texts(&store, run.id(), &["owner_died"]);
    let died = "the process that drove job `train` has stopped; it waits in task queue `gpu`";
    assert_eq!(found, [died]);
    let alive = Owner { id: OwnerId::random(), lifetime: Duration::from_secs(60) };
    pollster::block_on(tasks.claim_tasks(alive, &request)).expect("claimed");
    texts(&store, run.id(), &["running"]);
    let id = WorkerId { owner: alive.id, number: 0 };
    record(&store, &WorkerReport { id, lifetime: Duration::ZERO, ..full });
    let found = texts(&store, run.id(), &["owner_silent"]);
    assert_eq!(found, ["worker `cards` drives job `train`, and has not reported for 0 s"]);
}
