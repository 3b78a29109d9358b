//! Runs whose attempts an executor makes from their serialized form, as another process would.

use std::collections::VecDeque;
use std::future::Future as _;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value as Json, json};
use workflow_core::engine::{ManualClock, RunRequest, SystemClock};
use workflow_core::event::EventKind;
use workflow_core::executor::{
    AttemptOutcome, AttemptRequest, AttemptResult, ChildRequest, Executor, JobTask, RunControl,
    Surroundings, UNKNOWN_DEFINITION, execute, is_addressable,
};
use workflow_core::id::RunId;
use workflow_core::job::{JobErrorKind, TimeoutKind, closure};
use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;

use crate::delegated::{numbers, rest, square};

/// Makes attempts in this process: from JSON where another process could, and else from the run.
#[derive(Clone, Default)]
struct Elsewhere {
    engine: Engine,
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// An attempt that the executor made.
#[derive(Debug, Clone, PartialEq)]
struct Sent {
    job: String,
    attempt: u32,
    by_name: bool,
}

struct StopSurroundings(AttemptRequest);

impl Surroundings for StopSurroundings {
    fn cancelled(&self) -> BoxFuture<'static, ()> {
        let stop = self.0.stop.clone();
        async move { stop.requested().await }.boxed()
    }
}

impl Executor for Elsewhere {
    fn execute(&self, attempt: AttemptRequest) -> BoxFuture<'static, AttemptOutcome> {
        let (engine, sent) = (self.engine.clone(), Arc::clone(&self.sent));
        async move {
            let by_name = is_addressable(&attempt);
            let JobTask { job, attempt: number, .. } = attempt.task.clone();
            sent.lock().expect("no panic").push(Sent { job, attempt: number, by_name });
            let around = Arc::new(StopSurroundings(attempt.clone()));
            let outcome = match by_name {
                true => {
                    let task = serde_json::to_string(&attempt.task).expect("it serializes");
                    let task = serde_json::from_str(&task).expect("it is a task");
                    execute(&engine, task, around).await
                }
                false => attempt.perform_here(&engine, around).await,
            };
            let outcome = serde_json::to_string(&outcome).expect("it serializes");
            serde_json::from_str(&outcome).expect("it is an outcome")
        }
        .boxed()
    }

    fn run_child(&self, child: ChildRequest) -> BoxFuture<'static, Result<Json, JobError>> {
        let this = self.clone();
        async move {
            let mut request = this.engine.run(child.workflow.as_str());
            if let Some(input) = child.input {
                request = request.input(input);
            }
            let run = request.delegate(this.clone(), SystemClock, RunId::random());
            let mut run = run.map_err(JobError::terminal)?;
            let control = run.control();
            let stopped = child.stop.requested();
            let mut stopped = pin!(stopped.fuse());
            let report = futures::future::poll_fn(|cx| {
                if stopped.as_mut().poll(cx).is_ready() {
                    control.cancel();
                }
                run.poll_unpin(cx)
            });
            report.await?.output_json().map_err(JobError::terminal)
        }
        .boxed()
    }
}

impl Elsewhere {
    async fn run(&self, request: RunRequest) -> Result<Report, RunError> {
        request.delegate(self.clone(), SystemClock, RunId::random())?.await
    }

    /// The attempts, in order.
    fn sent(&self) -> Vec<(String, u32)> {
        let sent = self.sent.lock().expect("no panic");
        sent.iter().map(|sent| (sent.job.clone(), sent.attempt)).collect()
    }

    fn all_by_name(&self) -> bool {
        self.sent.lock().expect("no panic").iter().all(|sent| sent.by_name)
    }
}

/// Blocks its thread.
#[job]
fn label(number: u64, prefix: String) -> String {
    format!("{prefix}{number}")
}

#[job]
async fn join(labels: &[String]) -> String {
    labels.join(" ")
}

#[register_workflow(name = "elsewhere: graph")]
fn graph(flow: &mut Flow, count: Handle<usize>) -> Handle<String> {
    let list = flow.job(numbers(count));
    let squares = flow.job(map(list, square).concurrency(2).name("squares"));
    let prefix = flow.value("n".to_owned());
    let labels = flow.job(map(squares, |number| label(number, prefix)).name("labels"));
    flow.job(join(labels))
}

#[tokio::test]
async fn a_graph_and_its_maps_run_elsewhere() {
    let elsewhere = Elsewhere::default();
    let report = elsewhere.run(registry::run("elsewhere: graph").input(4)).await.expect("it runs");
    assert_eq!(report.output::<String>().expect("a text"), "n0 n1 n4 n9");
    assert_eq!(report.job("squares[3]").expect("an element").status, Status::Completed);
    assert!(elsewhere.all_by_name());
    // The maps themselves are part of the run.
    assert_eq!(elsewhere.sent().len(), 10);
}

#[job]
async fn applaud(steps: u32) -> String {
    format!("{steps} steps!")
}

#[job]
async fn shrug(steps: u32) -> String {
    format!("{steps} steps")
}

#[job]
async fn either(one: Option<&String>, other: Option<&String>) -> String {
    one.or(other).cloned().unwrap_or_default()
}

#[register_workflow(name = "elsewhere: review")]
fn review(flow: &mut Flow, number: Handle<u64>) -> Handle<String> {
    let steps = flow.job(registry::call::<_, u32>("delegated: collatz", number));
    let long = flow.job(applaud(steps).when(steps, |steps| *steps > 9));
    let short = flow.job(shrug(steps).when(steps, |steps| *steps <= 9));
    flow.job(either(long, short).trigger(TriggerRule::NoneFailed))
}

#[tokio::test]
async fn functions_conditions_and_child_workflows_run_unchanged() {
    let elsewhere = Elsewhere::default();
    for (number, expected) in [(27, "111 steps!"), (8, "3 steps")] {
        let report = elsewhere.run(registry::run("elsewhere: review").input(number)).await;
        let report = report.expect("it runs");
        assert_eq!(report.output::<String>().expect("a text"), expected);
        let skipped = if number == 27 { "shrug" } else { "applaud" };
        assert_eq!(report.job(skipped).expect("a job").status, Status::Skipped);
    }
    assert!(elsewhere.all_by_name());
}

#[job(retry(maximum_attempts = 4, initial_interval = "1ms"))]
async fn flaky(ctx: &JobContext, succeeds_at: u32) -> Result<String, JobError> {
    ctx.annotate_silently("attempt", ctx.attempt());
    ctx.persist("last", ctx.attempt())?;
    if ctx.attempt() < succeeds_at {
        return Err(format!("attempt {} failed", ctx.attempt()).into());
    }
    Ok(ctx.idempotency_key())
}

#[job]
async fn last(ctx: &JobContext, _key: &str) -> Result<Option<u32>, JobError> {
    ctx.persisted("last")
}

#[register_workflow(name = "elsewhere: flaky")]
fn flaky_flow(flow: &mut Flow, succeeds_at: Handle<u32>) -> Handle<Option<u32>> {
    let key = flow.job(flaky(succeeds_at));
    flow.job(last(key))
}

#[tokio::test]
async fn the_engine_retries_and_keeps_values_and_annotations() {
    let elsewhere = Elsewhere::default();
    let report = elsewhere.run(registry::run("elsewhere: flaky").input(3)).await.expect("it runs");
    assert_eq!(report.output::<Option<u32>>().expect("a number"), Some(3));
    let flaky = report.job("flaky").expect("a job");
    assert_eq!((flaky.attempts, &flaky.annotations["attempt"]), (3, &json!(3)));
    let numbered = (1..=3).map(|attempt| ("flaky".to_owned(), attempt));
    assert_eq!(elsewhere.sent()[..3], numbered.collect::<Vec<_>>());

    let error = elsewhere.run(registry::run("elsewhere: flaky").input(9)).await;
    let error = error.expect_err("no attempt succeeds");
    let report = error.report().expect("it began");
    assert_eq!(report.reason().as_deref(), Some("job `flaky` failed: attempt 4 failed"));
    // What failed attempts persisted stays.
    let persisted = elsewhere.run(registry::run("elsewhere: flaky").input(1)).await;
    assert_eq!(persisted.expect("it runs").output::<Option<u32>>().expect("a number"), Some(1));
}

static BOOKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[job]
async fn book(what: String) -> String {
    BOOKED.lock().expect("no panic").push(format!("book {what}"));
    what
}

#[job]
async fn give_back(what: &str, times: u32) {
    BOOKED.lock().expect("no panic").push(format!("give back {what} {times}"));
}

#[job]
async fn charge(_flight: &str, _hotel: &str, cents: u64) -> Result<u64, JobError> {
    Err(JobError::terminal(format!("the card does not cover {cents} cents")))
}

#[register_workflow(name = "elsewhere: trip")]
fn trip(flow: &mut Flow, cents: &u64) -> Handle<u64> {
    let what = flow.value("flight".to_owned());
    let flight = flow.job(book(what).name("book flight").compensate(|what| give_back(what, 1)));
    let what = flow.value("hotel".to_owned());
    let hotel = book(what).name("book hotel").after(flight);
    let hotel = flow.job(hotel.compensate(|what| give_back(what, 2)));
    flow.job(charge(flight, hotel, *cents))
}

#[tokio::test]
async fn compensations_run_elsewhere_newest_first() {
    let elsewhere = Elsewhere::default();
    let error = elsewhere.run(registry::run("elsewhere: trip").input(7)).await.expect_err("unpaid");
    let reason = error.report().and_then(Report::reason);
    let expected = "job `charge` failed: the card does not cover 7 cents";
    assert_eq!(reason.as_deref(), Some(expected));
    let expected = ["book flight", "book hotel", "give back hotel 2", "give back flight 1"];
    assert_eq!(*BOOKED.lock().expect("no panic"), expected);
    assert!(elsewhere.all_by_name(), "also compensations with constants are found in the graph");
}

#[register_workflow(name = "elsewhere: offer")]
async fn offer(ctx: WorkflowContext) -> Result<String, JobError> {
    let by: String = ctx.wait_signal("approved").await?;
    ctx.sleep(Duration::from_secs(3600)).await;
    Ok(format!("approved by {by}"))
}

/// A job that is no function workflow, and waits for two signals.
#[job]
async fn ask(ctx: &JobContext, question: String) -> Result<String, JobError> {
    let first: String = ctx.wait_signal("answer").await?;
    let second: String = ctx.wait_signal("answer").await?;
    Ok(format!("{question} {first} {second}"))
}

#[register_workflow(name = "elsewhere: question")]
fn question(flow: &mut Flow) -> Handle<String> {
    let question = flow.value("why?".to_owned());
    flow.job(ask(question))
}

fn awaits(control: &RunControl) -> Vec<String> {
    control.awaited_signals()
}

#[test]
fn signals_and_durable_sleeps_belong_to_the_run() {
    let clock = ManualClock::new();
    let run = registry::run("elsewhere: offer");
    let mut run =
        run.delegate(Elsewhere::default(), clock.clone(), RunId::random()).expect("it begins");
    let control = run.control();
    assert!(rest(&mut run).is_none());
    assert_eq!(awaits(&control), ["approved"]);
    control.signal("approved", json!("Ada"));
    let report = futures::executor::block_on(clock.drive(run)).expect("it completes");
    assert_eq!(report.output::<String>().expect("a text"), "approved by Ada");
    let slept = |event: &workflow_core::event::Event| matches!(event.kind, EventKind::SleepStarted { duration, .. } if duration.as_secs() == 3600);
    assert!(control.events(0).iter().any(slept));
}

#[test]
fn a_job_that_waits_for_a_signal_is_made_again_with_it() {
    let elsewhere = Elsewhere::default();
    let run = registry::run("elsewhere: question");
    let mut run =
        run.delegate(elsewhere.clone(), ManualClock::new(), RunId::random()).expect("it begins");
    let control = run.control();
    assert!(rest(&mut run).is_none());
    assert_eq!(awaits(&control), ["answer"]);
    control.signal("answer", json!("because"));
    assert!(rest(&mut run).is_none());
    control.signal("answer", json!("of that"));
    let report = rest(&mut run).expect("it ends").expect("it completes");
    assert_eq!(report.output::<String>().expect("a text"), "why? because of that");
    assert_eq!(elsewhere.sent(), vec![("ask".to_owned(), 1); 3]);
    assert_eq!(report.job("ask").expect("a job").attempts, 1);
}

#[test]
fn a_run_that_waits_for_a_signal_is_cancelled() {
    for workflow in ["elsewhere: offer", "elsewhere: question"] {
        let run = registry::run(workflow);
        let run = run.delegate(Elsewhere::default(), ManualClock::new(), RunId::random());
        let mut run = run.expect("it begins");
        let control = run.control();
        assert!(rest(&mut run).is_none());
        control.cancel();
        let ended = rest(&mut run).expect("it ends");
        assert!(matches!(ended, Err(RunError::Cancelled(_))), "{workflow}: {ended:?}");
    }
}

static CLEANED: AtomicU32 = AtomicU32::new(0);

#[job(grace = "5s")]
async fn careful(ctx: &JobContext) -> Result<(), JobError> {
    ctx.cancelled().await;
    CLEANED.fetch_add(1, Ordering::SeqCst);
    Err(JobError::terminal("stopped"))
}

#[job]
async fn endless() {
    std::future::pending().await
}

#[register_workflow(name = "elsewhere: endless")]
fn endless_flow(flow: &mut Flow) {
    flow.job(careful());
    flow.job(endless());
}

#[tokio::test]
async fn cancelled_attempts_have_their_grace_period() {
    let run = registry::run("elsewhere: endless");
    let run = run.delegate(Elsewhere::default(), SystemClock, RunId::random());
    let mut run = run.expect("it begins");
    let control = run.control();
    assert!((&mut run).now_or_never().is_none());
    control.cancel();
    let error = run.await.expect_err("it is cancelled");
    let report = error.report().expect("it began");
    assert_eq!(CLEANED.load(Ordering::SeqCst), 1);
    let error = |job| report.job(job).and_then(|job| job.error).expect("an error");
    assert_eq!(error("careful").message, "cancelled: stopped");
    assert_eq!(
        (error("endless").kind, &*error("endless").message),
        (JobErrorKind::Cancelled, "cancelled")
    );
}

#[job(start_to_close = "20ms", retry(maximum_attempts = 2, initial_interval = "1ms"))]
async fn slow(ctx: &JobContext) -> u32 {
    if ctx.attempt() == 1 {
        endless::call().await;
    }
    ctx.attempt()
}

#[job(heartbeat = "50ms")]
async fn silent(ctx: &JobContext) {
    for _ in 0..10 {
        ctx.sleep(Duration::from_millis(10)).await;
        ctx.heartbeat();
    }
    endless::call().await;
}

#[job(schedule_to_close = "30ms", retry(maximum_attempts = 0, initial_interval = "1ms"))]
async fn hopeless() -> Result<(), JobError> {
    Err("no".into())
}

/// Blocks its thread for longer than it may.
#[job(start_to_close = "10ms")]
fn blocks() -> u32 {
    std::thread::sleep(Duration::from_millis(100));
    7
}

#[register_workflow(name = "elsewhere: timeouts")]
fn timeouts(flow: &mut Flow) {
    flow.job(slow());
    flow.job(silent());
    flow.job(hopeless());
    flow.job(blocks());
}

#[tokio::test]
async fn timeouts_of_attempts_hold_where_they_are_made() {
    let elsewhere = Elsewhere::default();
    let error = elsewhere.run(registry::run("elsewhere: timeouts")).await.expect_err("three fail");
    let report = error.report().expect("it began");
    assert_eq!(report.job("slow").expect("a job").attempts, 2);
    assert_eq!(report.job("slow").expect("a job").status, Status::Completed);
    let error = |job| report.job(job).and_then(|job| job.error).expect("an error");
    for (job, kind, text) in [
        ("silent", TimeoutKind::Heartbeat, "sent no heartbeat for 50ms (heartbeat)"),
        ("hopeless", TimeoutKind::ScheduleToClose, "took longer than 30ms (schedule_to_close)"),
        ("blocks", TimeoutKind::StartToClose, "took longer than 10ms (start_to_close): its thread"),
    ] {
        assert_eq!(error(job).kind, JobErrorKind::TimedOut(kind), "{job}");
        assert!(error(job).message.starts_with(text), "{job}: {}", error(job).message);
    }
}

#[job]
async fn panics(number: u64) -> u64 {
    assert!(number > 1, "the number is {number}");
    number
}

struct Rate(u64);

#[job]
async fn convert(rate: State<Rate>, amount: u64) -> u64 {
    amount * rate.0
}

#[register_workflow(name = "elsewhere: convert")]
fn converts(flow: &mut Flow, amount: Handle<u64>) -> Handle<u64> {
    flow.job(panics(amount));
    flow.job(convert(amount))
}

#[tokio::test]
async fn state_comes_from_the_engine_and_panics_are_failures() {
    let engine = Engine::builder().state(Rate(3)).build();
    let elsewhere = Elsewhere { engine: engine.clone(), ..Elsewhere::default() };
    let report = elsewhere.run(engine.run("elsewhere: convert").input(5)).await.expect("it runs");
    assert_eq!(report.output::<u64>().expect("a number"), 15);
    let error = elsewhere.run(engine.run("elsewhere: convert").input(1)).await;
    let report = error.expect_err("it panics").report().cloned().expect("it began");
    let failure = report.job("panics").and_then(|job| job.error).expect("an error");
    assert_eq!((failure.kind, &*failure.message), (JobErrorKind::Panicked, "the number is 1"));

    let error = registry::run("elsewhere: convert").input(5);
    let error = error.delegate(elsewhere, SystemClock, RunId::random()).map(drop);
    assert!(matches!(error, Err(RunError::MissingState { .. })), "{error:?}");
}

/// Has the name of a registered job, and is another function.
fn impostor(number: Handle<u64>) -> workflow_core::Call<u64> {
    closure("square", number, |number: u64| async move { Ok::<_, JobError>(number + 1000) })
}

#[register_workflow(name = "elsewhere: closures")]
async fn closures(ctx: WorkflowContext, number: u64) -> Result<(u64, u64, String), JobError> {
    let one = ctx.run(impostor, number).await?;
    let two = ctx.run(square, number).await?;
    let three = ctx.run(|number| label(number, "x".to_owned()), number).await;
    Ok((one, two, three?))
}

#[tokio::test]
async fn what_has_no_address_is_made_by_the_process_of_the_run() {
    let elsewhere = Elsewhere::default();
    let report = elsewhere.run(registry::run("elsewhere: closures").input(3)).await;
    let output: (u64, u64, String) = report.expect("it runs").output().expect("three");
    assert_eq!(output, (1003, 9, "x3".to_owned()));
    let sent = elsewhere.sent.lock().expect("no panic").clone();
    let by_name: Vec<_> = sent.iter().map(|sent| (sent.job.as_str(), sent.by_name)).collect();
    assert_eq!(by_name, [("square", false), ("square_2", true), ("label", false)]);
}

#[tokio::test]
async fn a_task_of_another_definition_is_refused() {
    let task = json!({
        "run": RunId::random(), "workflow": "elsewhere: graph", "job": "join", "function": "join",
        "attempt": 1, "address": { "graph": { "fingerprint": "other" } },
    });
    let lost = json!({
        "run": RunId::random(), "workflow": "w", "job": "j", "function": "no such job",
        "attempt": 1, "address": "registry",
    });
    let closure = json!({
        "run": RunId::random(), "workflow": "w", "job": "j", "function": "f", "attempt": 1,
    });
    for task in [task, lost, closure] {
        let task: JobTask = serde_json::from_value(task).expect("a task");
        let around = Arc::new(workflow_core::executor::NoSurroundings);
        let outcome = execute(&Engine::default(), task, around).await;
        let AttemptResult::Failed(failure) = outcome.result else { panic!("{outcome:?}") };
        assert_eq!(failure.error_type, UNKNOWN_DEFINITION, "{failure}");
    }
}

/// Answers the attempts of a run from the outcomes of an earlier one.
#[derive(Clone)]
struct Recorded(Arc<Mutex<VecDeque<(JobTask, AttemptOutcome)>>>);

impl Executor for Recorded {
    fn execute(&self, attempt: AttemptRequest) -> BoxFuture<'static, AttemptOutcome> {
        let (task, outcome) = self.0.lock().expect("no panic").pop_front().expect("recorded");
        assert_eq!(attempt.task, task);
        std::future::ready(outcome).boxed()
    }

    fn run_child(&self, _: ChildRequest) -> BoxFuture<'static, Result<Json, JobError>> {
        unreachable!("no child workflows")
    }
}

/// Records attempts.
#[derive(Clone)]
struct Recording(Elsewhere, Recorded);

impl Executor for Recording {
    fn execute(&self, attempt: AttemptRequest) -> BoxFuture<'static, AttemptOutcome> {
        let (task, recorded) = (attempt.task.clone(), self.1.clone());
        let outcome = self.0.execute(attempt);
        async move {
            let outcome = outcome.await;
            recorded.0.lock().expect("no panic").push_back((task, outcome.clone()));
            outcome
        }
        .boxed()
    }

    fn run_child(&self, child: ChildRequest) -> BoxFuture<'static, Result<Json, JobError>> {
        self.0.run_child(child)
    }
}

#[test]
fn a_replay_with_the_same_answers_makes_the_same_decisions() {
    // No jobs at the same time: their ends would come in another order.
    for (workflow, input) in [("elsewhere: flaky", json!(3)), ("delegated: collatz", json!(7))] {
        let recorded = Recorded(Arc::default());
        let recording = Recording(Elsewhere::default(), recorded.clone());
        let id = RunId::random();
        let request = || registry::run(workflow).input(&input);
        let clock = ManualClock::new();
        let first = request().delegate(recording, clock.clone(), id).expect("it begins");
        let events = first.control();
        drop(futures::executor::block_on(clock.drive(first)));
        assert!(!recorded.0.lock().expect("no panic").is_empty());
        let clock = ManualClock::new();
        let again = request().delegate(recorded, clock.clone(), id).expect("it begins");
        let replayed = again.control();
        drop(futures::executor::block_on(clock.drive(again)));
        let kinds = |control: &RunControl| {
            control.events(0).into_iter().map(|event| event.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&events), kinds(&replayed), "{workflow}");
    }
}

#[test]
fn a_run_of_an_unregistered_workflow_is_made_here() {
    let seen = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&seen);
    let workflow = FunctionWorkflow::new("elsewhere: local", move |flow: &mut Flow| {
        let (counter, start) = (Arc::clone(&counter), flow.value(2_u32));
        flow.job(closure("count", start, move |by: u32| {
            let counter = Arc::clone(&counter);
            async move { Ok::<_, JobError>(counter.fetch_add(by, Ordering::SeqCst)) }
        }));
    });
    struct Local(Engine);
    impl Executor for Local {
        fn execute(&self, attempt: AttemptRequest) -> BoxFuture<'static, AttemptOutcome> {
            let engine = self.0.clone();
            let around = Arc::new(workflow_core::executor::NoSurroundings);
            async move { attempt.perform_here(&engine, around).await }.boxed()
        }

        fn run_child(&self, _: ChildRequest) -> BoxFuture<'static, Result<Json, JobError>> {
            unreachable!("no child workflows")
        }
    }
    let run = Engine::default().run(workflow.expect("a name"));
    let run = run.delegate(Local(Engine::default()), SystemClock, RunId::random());
    futures::executor::block_on(run.expect("it begins")).expect("it runs");
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_report_is_restored_from_the_events() {
    let run = registry::run("elsewhere: flaky").input(2);
    let run = run.delegate(Elsewhere::default(), SystemClock, RunId::random()).expect("it begins");
    let (id, control) = (run.id(), run.control());
    let original = run.await.expect("it completes");
    let mut events = control.events(0);
    let restore =
        |events| Engine::default().restore_report("elsewhere: flaky", id, Some(json!(2)), events);
    let report = restore(events.clone()).expect("they are complete");
    assert_eq!((report.id(), report.status()), (id, Status::Completed));
    assert_eq!(report.output::<Option<u32>>().expect("a number"), Some(2));
    let attempts = |report: &Report| report.job("flaky").map(|job| job.attempts);
    assert_eq!(attempts(&report), attempts(&original));
    events.pop();
    let error = restore(events).map(drop).expect_err("the end is missing").to_string();
    assert!(error.contains("is the last one, and does not end the run"), "{error}");
}

#[job]
async fn greet(name: &Option<String>) -> String {
    format!("hello {}", name.as_deref().unwrap_or("world"))
}

#[register_workflow(name = "elsewhere: greet")]
fn greets(flow: &mut Flow, name: Handle<Option<String>>) -> Handle<String> {
    flow.job(greet(name))
}

#[tokio::test]
async fn an_input_may_be_null() {
    let elsewhere = Elsewhere::default();
    let greet = registry::run("elsewhere: greet");
    for (request, expected) in [
        (registry::run("elsewhere: greet"), "hello world"),
        (registry::run("elsewhere: greet").input(Json::Null), "hello world"),
        (greet.input("Ada"), "hello Ada"),
    ] {
        let report = elsewhere.run(request).await.expect("it runs");
        assert_eq!(report.output::<String>().expect("a text"), expected);
    }
    assert!(elsewhere.all_by_name());
}
