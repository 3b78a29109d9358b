//! Durable graphs of jobs.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use workflow_core::event::EventKind;

use super::*;

#[job]
fn extract() -> Vec<u32> {
    vec![1, 2, 3]
}

#[job]
async fn double(number: &u32) -> u32 {
    number * 2
}

#[job]
fn flaky(ctx: &JobContext, numbers: &[u32]) -> Result<u32, JobError> {
    if ctx.attempt() < 3 {
        return Err("not yet".into());
    }
    Ok(numbers.iter().sum())
}

#[job]
fn report(sum: &u32, doubles: &[u32]) -> String {
    format!("{sum} {doubles:?}")
}

#[register_workflow(name = "durable: etl")]
fn etl(flow: &mut Flow) -> Handle<String> {
    let numbers = flow.job(extract::draw());
    let doubles = flow.job(map(numbers, double).name("doubles"));
    let sum = flow.job(flaky(numbers).retry(quick()));
    flow.job(report(sum, doubles))
}

/// Asserts that each job has one recorded outcome and does not start after it, and that the
/// sequence of events has no gap. Elements of a map have one outcome for each attempt of the map.
fn check_record(events: &[Event]) {
    let mut ended: HashSet<String> = HashSet::new();
    for (sequence, event) in events.iter().enumerate() {
        assert_eq!(event.sequence, sequence as u64);
        match &event.kind {
            EventKind::JobStarted { job, .. } => {
                assert!(!ended.contains(job), "{job} begins again: {events:#?}");
            }
            EventKind::AttemptFailed { job, .. } => {
                ended.retain(|ended| !ended.starts_with(&format!("{job}[")));
            }
            EventKind::JobCompleted { job, .. } | EventKind::JobFailed { job, .. } => {
                assert!(ended.insert(job.clone()), "{job} ends again: {events:#?}");
            }
            _ => {}
        }
    }
    assert!(events.last().is_some_and(|event| event.kind.is_last()), "{events:?}");
    assert_eq!(events.iter().filter(|event| event.kind.is_last()).count(), 1);
}

#[test]
fn a_graph_interrupted_anywhere_ends_the_same() {
    cut_off_everywhere("durable: etl", |batches, ended, events| {
        check_record(events);
        let report = ended.unwrap_or_else(|error| panic!("after {batches:?} batches: {error}"));
        assert_eq!(report.output::<String>().as_deref(), Ok("6 [2, 4, 6]"));
        assert_eq!(report.job("flaky").map(|job| job.attempts), Some(3));
        let output = Some(json!("6 [2, 4, 6]").into());
        assert_eq!(
            events.last().map(|event| &event.kind),
            Some(&EventKind::RunCompleted { output })
        );
        assert_eq!(report.jobs().len(), 4 + 3, "{report}");
    });
}

#[register_workflow(name = "durable: named alike")]
fn named_alike(flow: &mut Flow) -> Handle<String> {
    let numbers = flow.job(extract::draw());
    let first = flow.job(flaky(numbers).retry(quick()).name("doubles[0]"));
    let doubles = flow.job(map(numbers, double).name("doubles"));
    flow.job(report(first, doubles))
}

fn quick() -> RetryPolicy {
    RetryPolicy::attempts(3).initial_interval(Duration::from_micros(1))
}

#[test]
fn an_element_differs_from_a_job_of_the_same_name() {
    cut_off_everywhere("durable: named alike", |batches, ended, events| {
        check_record(events);
        let report = ended.unwrap_or_else(|error| panic!("after {batches:?} batches: {error}"));
        assert_eq!(report.output::<String>().as_deref(), Ok("6 [2, 4, 6]"));
        let mut names: Vec<String> = report.jobs().into_iter().map(|job| job.name).collect();
        names.sort();
        let wanted = [
            "doubles",
            "doubles[0]",
            "doubles[0]_2",
            "doubles[1]",
            "doubles[2]",
            "extract",
            "report",
        ];
        assert_eq!(names, wanted);
        assert_eq!(report.job("doubles[0]").map(|job| job.attempts), Some(3));
        assert_eq!(report.job("doubles[0]_2").map(|job| job.attempts), Some(1));
    });
}

#[job(retry(maximum_attempts = 3, initial_interval = "1us"))]
fn insist(ctx: &JobContext, number: &u32) -> Result<u32, JobError> {
    if ctx.attempt() < 3 {
        return Err("not yet".into());
    }
    Ok(number * 2)
}

#[register_workflow(name = "durable: insists")]
fn insists(flow: &mut Flow) -> Handle<String> {
    let numbers = flow.job(extract::draw());
    let doubles = flow.job(map(numbers, insist).name("doubles"));
    let sum = flow.value(6);
    flow.job(report(sum, doubles))
}

#[test]
fn elements_are_retried_individually() {
    cut_off_everywhere("durable: insists", |batches, ended, events| {
        check_record(events);
        let report = ended.unwrap_or_else(|error| panic!("after {batches:?} batches: {error}"));
        assert_eq!(report.output::<String>().as_deref(), Ok("6 [2, 4, 6]"));
        assert_eq!(report.job("doubles[0]").map(|job| job.attempts), Some(3));
        assert_eq!(report.jobs().len(), 3 + 3, "{report}");
    });
}

#[job]
fn refuse_the_last(number: &u32) -> Result<u32, JobError> {
    if *number == 3 { Err("never".into()) } else { Ok(number * 2) }
}

#[register_workflow(name = "durable: map tried again")]
fn map_tried_again(flow: &mut Flow) -> Handle<Vec<u32>> {
    let numbers = flow.job(extract::draw());
    flow.job(map(numbers, refuse_the_last).retry(quick()).name("doubles"))
}

#[test]
fn a_retried_map_runs_all_its_elements() {
    cut_off_everywhere("durable: map tried again", |batches, ended, events| {
        check_record(events);
        let Err(RunError::Failed(report)) = ended else { panic!("after {batches:?}: {ended:?}") };
        assert_eq!(report.job("doubles").map(|job| job.attempts), Some(3));
    });
}

static SENT: AtomicU32 = AtomicU32::new(0);

#[job]
fn send() -> u32 {
    SENT.fetch_add(1, Ordering::SeqCst)
}

#[register_workflow(name = "durable: sends")]
fn sends(flow: &mut Flow) -> Handle<u32> {
    let sent = flow.job(send::draw());
    flow.job(double(sent))
}

#[test]
fn recorded_jobs_do_not_run_again() {
    let store = Arc::new(MemoryStore::new());
    // The events of the start and of the signal.
    let cut_off = engine_for(2, &store).run("durable: sends").wait().expect_err("it is cut off");
    assert!(cut_off.to_string().contains("the power is out"), "{cut_off}");
    assert_eq!(take_up(&store).expect("it completes").output::<u32>(), Ok(0));
    assert_eq!(SENT.load(Ordering::SeqCst), 1);
}

#[job]
fn broken() -> Result<u32, JobError> {
    Err(JobError::terminal("no such table"))
}

#[job]
fn alarm() -> u32 {
    7
}

#[register_workflow(name = "durable: fails")]
fn fails(flow: &mut Flow) {
    let broken = flow.job(broken::draw());
    flow.job(double(broken).name("never"));
    flow.job(alarm::draw().after(broken).trigger(TriggerRule::OneFailed));
}

#[test]
fn a_failing_run_interrupted_anywhere_ends_the_same() {
    cut_off_everywhere("durable: fails", |_, ended, events| {
        check_record(events);
        let error = ended.expect_err("a job fails");
        let report = error.report().expect("it ran");
        let skipped = report.job("never").and_then(|job| job.skipped_because);
        assert_eq!(skipped.as_deref(), Some("`broken` did not complete"));
        assert_eq!(report.job("alarm").map(|job| job.status), Some(Status::Completed));
        assert_eq!(report.reason().as_deref(), Some("job `broken` failed: no such table"));
    });
}

#[job(grace = "20ms")]
async fn hangs(_ctx: &JobContext) {
    std::future::pending::<()>().await;
}

#[register_workflow(name = "durable: hangs")]
fn hanging(flow: &mut Flow) {
    let first = flow.job(hangs::draw());
    flow.job(alarm::draw().after(first));
}

#[test]
fn a_cancelled_run_stays_cancelled() {
    let store = Arc::new(MemoryStore::new());
    let run = engine_for(2, &store).run("durable: hangs").start().expect("it starts");
    let mut seen = futures::executor::block_on_stream(run.events());
    assert!(seen.any(|event| matches!(event.kind, EventKind::JobStarted { .. })));
    run.cancel();
    let _cut_off = run.wait().expect_err("it was cancelled, or cut off");
    let taken_up = take_up(&store);
    assert!(matches!(taken_up, Err(RunError::Cancelled(_))), "{taken_up:?}");
    check_record(&events(&store, run.id()));
}

#[test]
fn following_a_finished_run_returns_its_report() {
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder().store(store.clone()).build();
    let run = engine.run("durable: etl").wait().expect("it completes").id();
    let elsewhere = Engine::builder().store(store).build();
    let report = block_on(elsewhere.follow(run)).expect("it completed");
    assert_eq!(report.output_json().ok(), Some(json!("6 [2, 4, 6]")));
    assert_eq!(report.id(), run);
}

#[register_workflow(name = "durable: outer")]
fn outer(flow: &mut Flow) -> Handle<String> {
    let start = flow.value(());
    flow.job(registry::call("durable: etl", start))
}

#[test]
fn a_child_workflow_is_started_once() {
    for batches in 1..14 {
        let store = Arc::new(MemoryStore::new());
        let ended = engine_for(batches, &store).run("durable: outer").wait();
        let engine = Engine::builder().store(store.clone()).build();
        let ended = go_on(&engine, &store, ended);
        let report = ended.unwrap_or_else(|error| panic!("after {batches} batches: {error}"));
        assert_eq!(report.output::<String>().as_deref(), Ok("6 [2, 4, 6]"));
        assert_eq!(store.runs().len(), 2, "after {batches} batches");
        for (run, _) in store.runs() {
            check_record(&events(&store, run));
        }
    }
}

#[job]
async fn picky(number: &u32) -> Result<u32, JobError> {
    if *number == 2 { Err(JobError::terminal("two is out")) } else { Ok(*number) }
}

#[register_workflow(name = "durable: picky")]
fn picky_map(flow: &mut Flow) {
    let numbers = flow.job(extract::draw());
    flow.job(map(numbers, picky).concurrency(1).name("picks"));
}

#[test]
fn elements_that_were_cancelled_before_they_started_are_restored() {
    let store = Arc::new(MemoryStore::new());
    let engine = || Engine::builder().store(Arc::clone(&store)).build();
    let run = engine().run("durable: picky").wait().expect_err("two is out");
    let run = run.report().expect("it began").id();
    let error = block_on(engine().follow(run)).expect_err("it failed");
    let report = error.report().expect("its events are complete");
    assert_eq!(report.job("picks[1]").expect("an element").status, Status::Failed);
    assert_eq!(report.job("picks[2]").expect("an element").status, Status::Cancelled);
}
