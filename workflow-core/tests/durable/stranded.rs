//! Runs that no program can resume: they show the reason, and can be cancelled.

use std::time::SystemTime;

use workflow_core::engine::{Cancellation, LookupError, ResumeError};
use workflow_core::event::{Blocked, Event, EventKind, RunView, Stall, Waiting};
use workflow_core::store::{MessageKind, NewRun, StoredRun, WorkflowSnapshot};
use workflow_core::{Run as _, Status, Workflow};

use super::*;

#[job]
fn count() -> u32 {
    1
}

#[job]
fn audit(counted: &u32) -> u32 {
    *counted
}

#[register_workflow(name = "stranded: before")]
fn before(flow: &mut Flow) -> Handle<u32> {
    let counted = flow.job(count::draw());
    flow.job(audit(counted).name("publish"))
}

#[register_workflow(name = "stranded: after")]
fn after(flow: &mut Flow) -> Handle<u32> {
    let counted = flow.job(count::draw());
    let audited = flow.job(audit(counted));
    flow.job(audit(audited).name("publish"))
}

/// The program as it is after the change.
fn changed(_: &WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError> {
    Ok(registry::get("stranded: after")?.workflow())
}

fn gone(_: &WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError> {
    Err("there is no such workflow".into())
}

fn engine(store: &Arc<MemoryStore>) -> Engine {
    Engine::builder().store(store.clone()).build()
}

/// An engine with this resolver.
fn engine_that(store: &Arc<MemoryStore>, find: Find) -> Engine {
    Engine::builder().store(store.clone()).resolver(find).build()
}

type Find = fn(&WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError>;

fn stored(store: &MemoryStore, run: RunId) -> StoredRun {
    block_on(store.run(run)).expect("memory can be read").expect("the run is there")
}

/// A run that was cut off after its first job.
fn cut_off(store: &Arc<MemoryStore>) -> RunId {
    let ended = engine_for(2, store).run("stranded: before").wait();
    assert!(matches!(ended, Err(RunError::Store { .. })), "{ended:?}");
    only(store).expect("it began")
}

fn blocks(store: &MemoryStore, run: RunId) -> usize {
    let events = events(store, run);
    events.iter().filter(|event| matches!(event.kind, EventKind::RunBlocked { .. })).count()
}

#[test]
fn a_run_of_a_changed_workflow_is_blocked_until_the_workflow_is_back() {
    let store = Arc::new(MemoryStore::new());
    let run = cut_off(&store);
    for _ in 0..3 {
        let recovery =
            block_on(engine_that(&store, changed).recover()).expect("memory can be read");
        assert!(matches!(recovery.refused[..], [(id, ResumeError::Changed { .. })] if id == run));
    }
    let blocked = stored(&store, run).blocked.expect("it is blocked");
    assert_eq!(
        Stall::Blocked(blocked).to_string(),
        "blocked: definition changed: job `audit` is new"
    );
    assert_eq!(blocks(&store, run), 1);
    let report = take_up(&store).expect("it completes");
    assert_eq!(report.output::<u32>(), Ok(1));
    assert_eq!(stored(&store, run).blocked, None);
}

#[test]
fn a_run_of_a_missing_workflow_is_blocked() {
    let store = Arc::new(MemoryStore::new());
    let run = cut_off(&store);
    block_on(engine_that(&store, gone).recover()).expect("memory can be read");
    let blocked = stored(&store, run).blocked.expect("it is blocked");
    assert_eq!(blocked.to_string(), "workflow missing: there is no such workflow");
}

#[test]
fn a_pending_run_is_left_to_a_program_that_knows_its_workflow() {
    let store = Arc::new(MemoryStore::new());
    let run = block_on(engine(&store).run("stranded: before").enqueue()).expect("it is kept");
    block_on(engine_that(&store, gone).recover()).expect("memory can be read");
    assert_eq!(stored(&store, run).blocked, None);
    assert!(events(&store, run).is_empty());
}

#[test]
fn a_blocked_run_is_cancelled_at_once() {
    for find in [changed as Find, gone] {
        let store = Arc::new(MemoryStore::new());
        let run = cut_off(&store);
        let cancelled = block_on(engine_that(&store, find).cancel(run)).expect("it can be");
        assert!(matches!(cancelled, Cancellation::Ended), "{cancelled:?}");
        let stored = stored(&store, run);
        assert_eq!((stored.status, stored.blocked), (Status::Cancelled, None));
        let ends: Vec<_> = events(&store, run).into_iter().map(|event| event.kind).collect();
        let job = "publish".to_owned();
        let ended = [
            EventKind::CancelRequested { reason: None },
            EventKind::JobCancelled { job, attempt: 1, error: None },
            EventKind::RunCancelled,
        ];
        assert!(ends.ends_with(&ended), "{ends:?}");
        let again = block_on(engine_that(&store, find).cancel(run));
        assert!(again.is_err_and(|error| error.to_string().ends_with("has ended (cancelled)")));
    }
}

#[test]
fn jobs_that_had_not_begun_are_skipped() {
    let store = Arc::new(MemoryStore::new());
    let ended = engine_for(1, &store).run("stranded: before").wait();
    assert!(ended.is_err());
    let run = only(&store).expect("it began");
    block_on(engine_that(&store, gone).cancel(run)).expect("it can be");
    let ends = events(&store, run).into_iter().filter_map(|event| match event.kind {
        EventKind::JobSkipped { job, reason } => Some((job, reason)),
        _ => None,
    });
    let skipped = [("publish".to_owned(), "the run was cancelled".to_owned())];
    assert_eq!(ends.collect::<Vec<_>>(), skipped);
}

#[test]
fn a_cancelled_run_with_a_known_workflow_is_ended_by_the_engine_that_cancels() {
    let store = Arc::new(MemoryStore::new());
    let run = cut_off(&store);
    let cancelled = block_on(engine(&store).cancel(run)).expect("it can be");
    let Cancellation::Ending(handle) = cancelled else { panic!("{cancelled:?}") };
    assert!(matches!(handle.wait(), Err(RunError::Cancelled(_))));
    assert_eq!(stored(&store, run).status, Status::Cancelled);
}

#[register_workflow(name = "stranded: waits")]
async fn waits(ctx: WorkflowContext) -> Result<u32, JobError> {
    ctx.wait_signal("go").await
}

#[test]
fn a_live_engine_ends_its_run_itself() {
    let store = Arc::new(MemoryStore::new());
    let owner = engine(&store);
    let run = owner.run("stranded: waits").start().expect("it starts");
    let id = block_on(run.persisted()).expect("it is kept");
    let cancelled = block_on(engine_that(&store, gone).cancel(id)).expect("it can be");
    assert!(matches!(cancelled, Cancellation::Requested), "{cancelled:?}");
    assert!(matches!(run.wait(), Err(RunError::Cancelled(_))));
}

#[test]
fn an_engine_that_refuses_a_run_obeys_its_cancellation() {
    let store = Arc::new(MemoryStore::new());
    let run = cut_off(&store);
    block_on(store.send(run, MessageKind::Cancel)).expect("it is kept");
    block_on(engine_that(&store, changed).recover()).expect("memory can be read");
    assert_eq!(stored(&store, run).status, Status::Cancelled);
}

#[test]
fn a_worker_that_refuses_a_run_obeys_its_cancellation() {
    let store = Arc::new(MemoryStore::new());
    let run = cut_off(&store);
    block_on(store.send(run, MessageKind::Cancel)).expect("the run is there");
    let ended = async {
        loop {
            let run = store.run(run).await.expect("readable").expect("it is there");
            if run.status == Status::Cancelled {
                return;
            }
            assert_eq!(run.blocked, None, "it is blocked instead");
            tokio::task::yield_now().await;
        }
    };
    block_on(engine_that(&store, changed).serve(ended)).expect("memory can be read");
}

#[test]
fn a_run_with_damaged_events_is_blocked_once() {
    let store = Arc::new(MemoryStore::new());
    let workflow = registry::get("stranded: before").expect("registered").workflow();
    let new = NewRun::new(WorkflowSnapshot::of(&*workflow));
    let run = new.id;
    let kinds = [
        EventKind::RunStarted { retry_of: None },
        EventKind::JobStarted { job: "nobody".to_owned(), attempt: 1, origin: None },
    ];
    let events = (0..).zip(kinds).map(|(at, kind)| Event::new(at, SystemTime::now(), kind));
    block_on(store.begin(new, events.collect())).expect("it begins");
    for _ in 0..3 {
        let recovery = block_on(engine(&store).recover()).expect("memory can be read");
        assert!(matches!(recovery.refused[..], [(id, ResumeError::Damaged { .. })] if id == run));
    }
    assert_eq!(blocks(&store, run), 1);
}

/// Resumes the run with an engine that dies after its first batch, and so in the first job.
fn die(store: &Arc<MemoryStore>) -> Vec<(RunId, ResumeError)> {
    die_after(1, store)
}

/// Resumes the run with an engine that dies after this many batches.
fn die_after(batches: usize, store: &Arc<MemoryStore>) -> Vec<(RunId, ResumeError)> {
    let engine = Engine::builder().store(CutOff::after(batches, store)).lease(Duration::ZERO);
    let recovery = block_on(engine.poison_after(3).build().recover()).expect("memory can be read");
    for run in recovery.runs {
        assert!(matches!(run.wait(), Err(RunError::Store { .. })));
    }
    recovery.refused
}

#[test]
fn a_job_that_kills_its_host_blocks_the_run_until_it_is_unblocked() {
    let store = Arc::new(MemoryStore::new());
    let died = engine_for(1, &store).run("stranded: before").wait();
    assert!(matches!(died, Err(RunError::Store { .. })), "{died:?}");
    let run = only(&store).expect("it began");
    for _ in 0..2 {
        assert!(die(&store).is_empty());
    }
    let refused = die(&store);
    assert!(
        matches!(&refused[..], [(_, ResumeError::Poisoned { job, deaths })]
        if job == "count" && deaths.len() == 3),
        "{refused:?}"
    );
    let Some(Blocked::Poisoned { job, deaths }) = stored(&store, run).blocked else {
        panic!("it is blocked")
    };
    assert_eq!((job.as_str(), deaths.len()), ("count", 3));
    assert!(deaths.is_sorted_by_key(|death| death.found_at));
    // It stays blocked, and its events do not grow.
    let before = events(&store, run).len();
    assert_eq!(die(&store).len(), 1);
    assert_eq!(events(&store, run).len(), before);
    block_on(engine(&store).unblock(run)).expect("it is blocked");
    let again = block_on(engine(&store).unblock(run));
    assert!(again.is_err_and(|error| error.to_string().ends_with("is not blocked")));
    assert!(die(&store).is_empty(), "deaths before do not count");
    assert_eq!(take_up(&store).expect("it completes").output::<u32>(), Ok(1));
}

#[register_workflow(name = "stranded: calls")]
async fn calls(ctx: WorkflowContext) -> Result<u32, JobError> {
    ctx.run(audit, 1).await
}

#[register_workflow(name = "stranded: maps")]
fn maps(flow: &mut Flow) -> Handle<Vec<u32>> {
    let counted = flow.job(numbers::draw());
    flow.job(map(counted, audit))
}

#[job]
fn numbers() -> Vec<u32> {
    vec![7]
}

#[test]
fn a_blocked_run_names_the_child_job_that_killed_its_host() {
    // Each has a start that is not on record when the first process dies.
    let cases = [
        ("stranded: calls", 1, "stranded: calls", "audit"),
        ("stranded: maps", 2, "audit", "audit[0]"),
    ];
    for (workflow, batches, starter, job) in cases {
        let store = Arc::new(MemoryStore::new());
        let died = engine_for(batches, &store).run(workflow).wait();
        assert!(matches!(died, Err(RunError::Store { .. })), "{died:?}");
        let run = only(&store).expect("it began");
        let last_started = || match events(&store, run).pop().map(|event| event.kind) {
            Some(EventKind::JobStarted { job, .. }) => job,
            other => panic!("no job started last: {other:?}"),
        };
        assert_eq!(last_started(), starter);
        for _ in 0..2 {
            assert!(die_after(2, &store).is_empty());
            assert_eq!(last_started(), job);
        }
        let refused = die(&store);
        assert!(
            matches!(&refused[..], [(_, ResumeError::Poisoned { job: found, deaths })]
            if found == job && deaths.len() == 3),
            "{workflow}: {refused:?}"
        );
    }
}

#[test]
fn a_poisoned_run_can_be_cancelled() {
    let store = Arc::new(MemoryStore::new());
    let died = engine_for(1, &store).run("stranded: before").wait();
    assert!(died.is_err());
    while die(&store).is_empty() {}
    let run = only(&store).expect("it began");
    let cancelled = block_on(engine(&store).cancel(run)).expect("it can be");
    assert!(matches!(cancelled, Cancellation::Ended), "{cancelled:?}");
    assert_eq!(stored(&store, run).status, Status::Cancelled);
}

#[test]
fn a_run_that_awaits_a_signal_is_reported_as_waiting() {
    let store = Arc::new(MemoryStore::new());
    let run = engine(&store).run("stranded: waits").start().expect("it starts");
    let awaited = |event: &Event| matches!(event.kind, EventKind::SignalAwaited { .. });
    let seen: Vec<Event> = {
        let mut seen = Vec::new();
        for event in futures::executor::block_on_stream(run.events()) {
            let last = awaited(&event);
            seen.push(event);
            if last {
                break;
            }
        }
        seen
    };
    let mut view = RunView::new([run.workflow()]);
    seen.iter().for_each(|event| view.apply(event));
    let now = std::time::SystemTime::now();
    let (job, signal) = ("stranded: waits".to_owned(), "go".to_owned());
    let since = seen.last().expect("it waits").at;
    assert_eq!(view.stall(now), Some(Stall::Waiting(Waiting::Signal { job, signal, since })));
    block_on(run.signal("go", 7)).expect("it is sent");
    run.wait().expect("it completes");
    for event in events(&store, run.id()).iter().skip(seen.len()) {
        view.apply(event);
    }
    assert_eq!(view.stall(now), None);
}

#[test]
fn recover_reports_runs_of_other_engines() {
    let store = Arc::new(MemoryStore::new());
    let owner = engine(&store);
    let run = owner.run("stranded: waits").start().expect("it starts");
    block_on(run.persisted()).expect("it is kept");
    let recovery = block_on(engine(&store).recover()).expect("memory can be read");
    assert_eq!((recovery.runs.len(), recovery.held.runs), (0, 1));
    assert!(recovery.held.expires_in > Duration::from_secs(5), "{:?}", recovery.held);
    assert_eq!(block_on(owner.recover()).expect("memory can be read").held.runs, 0);
    run.cancel();
    assert!(run.wait().is_err());
    let recovery = block_on(engine(&store).recover()).expect("memory can be read");
    assert_eq!(recovery.held.runs, 0);
}
