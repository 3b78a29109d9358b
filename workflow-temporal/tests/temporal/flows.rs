//! What workflows compute: graphs, functions, maps, conditions, child workflows, compensation.

use std::sync::Mutex;

use workflow_core::job::{JobErrorKind, TimeoutKind, closure};
use workflow_core::prelude::*;
use workflow_temporal::{CallError, StartError, Started, TemporalClient};

use crate::support::{Rate, client, options};

#[job]
async fn numbers(count: usize) -> Vec<u64> {
    (0..count as u64).collect()
}

#[job]
async fn square(number: &u64) -> u64 {
    number * number
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

#[register_workflow(name = "graph")]
fn graph(flow: &mut Flow, count: Handle<usize>) -> Handle<String> {
    let list = flow.job(numbers(count));
    let squares = flow.job(map(list, square).concurrency(2).name("squares"));
    let prefix = flow.value("n".to_owned());
    let labels = flow.job(map(squares, |number| label(number, prefix)).name("labels"));
    flow.job(join(labels))
}

#[tokio::test]
async fn a_graph_with_maps_runs() {
    let run = client().await.run("graph").input(4).start().await.expect("it starts");
    assert_eq!(run.result::<String>().await.expect("a text"), "n0 n1 n4 n9");
    let report = run.outcome().await.expect("it completed");
    assert_eq!(report.output::<String>().expect("a text"), "n0 n1 n4 n9");
    assert_eq!((report.id(), report.status()), (run.id(), Status::Completed));
    assert_eq!(report.job("squares[3]").expect("an element").status, Status::Completed);
    assert_eq!(run.status().await.expect("it answers"), Status::Completed);
    let progress = run.progress().await.expect("a worker answers");
    assert_eq!((progress.counts().completed, progress.counts().total()), (12, 12));
    let json = run.progress_json().await.expect("a worker answers");
    assert_eq!(
        (&json["status"], json["jobs"].as_array().map(Vec::len)),
        (&"completed".into(), Some(12))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_found_by_its_id_as_soon_as_it_has_started() {
    let client = client().await;
    for _ in 0..20 {
        let run = client.run("graph").input(1).start().await.expect("it starts");
        let found = client.select(&run.id().to_string()).await.expect("it is there");
        assert_eq!((found.id(), found.workflow_id()), (run.id(), run.workflow_id()));
    }
    let unknown = client.select("01a218b4-5ce5-73ce-9a70-a318b21e6702").await;
    assert!(matches!(unknown, Err(CallError::NotFound)));
}

#[job]
async fn halve(number: &u64) -> u64 {
    number / 2
}

#[job]
async fn triple(number: &u64) -> u64 {
    number * 3 + 1
}

#[register_workflow(name = "collatz", domain = "maths", project = "numbers", tags = ["demo"])]
async fn collatz(ctx: WorkflowContext, mut number: u64) -> Result<u32, JobError> {
    let mut steps = 0;
    while number > 1 {
        number = match number % 2 {
            0 => ctx.run(halve, number).await?,
            _ => ctx.run(triple, number).await?,
        };
        steps += 1;
    }
    Ok(steps)
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

#[register_workflow(name = "review")]
fn review(flow: &mut Flow, number: Handle<u64>) -> Handle<String> {
    let steps = flow.job(registry::call::<_, u32>("collatz", number));
    let long = flow.job(applaud(steps).when(steps, |steps| *steps > 4));
    let short = flow.job(shrug(steps).when(steps, |steps| *steps <= 4));
    flow.job(either(long, short).trigger(TriggerRule::NoneFailed))
}

#[tokio::test]
async fn child_workflows_and_conditions_run() {
    let client = client().await;
    for (number, expected, skipped) in [(3, "7 steps!", "shrug"), (8, "3 steps", "applaud")] {
        let run = client.run("review").input(number).start().await.expect("it starts");
        let report = run.outcome().await.expect("it completes");
        assert_eq!(report.output::<String>().expect("a text"), expected);
        assert_eq!(report.job(skipped).expect("a job").status, Status::Skipped);
        let child = client.find(&format!("{}/collatz", run.workflow_id())).await;
        let child = child.expect("the child has an ID of its own");
        assert_eq!((child.workflow(), child.result::<u32>().await.is_ok()), ("collatz", true));
    }
}

/// Has the name of a registered job, and is another function.
fn impostor(number: Handle<u64>) -> workflow_core::Call<u64> {
    closure("square", number, |number: u64| async move { Ok::<_, JobError>(number + 1000) })
}

#[register_workflow(name = "closures")]
async fn closures(ctx: WorkflowContext, number: u64) -> Result<(u64, u64, String), JobError> {
    let one = ctx.run(impostor, number).await?;
    let two = ctx.run(square, number).await?;
    let three = ctx.run(|number| label(number, "x".to_owned()), number).await?;
    Ok((one, two, three))
}

#[tokio::test]
async fn closures_are_local_activities() {
    let run = client().await.run("closures").input(3).start().await.expect("it starts");
    let output: (u64, u64, String) = run.result().await.expect("three");
    assert_eq!(output, (1003, 9, "x3".to_owned()));
}

#[job(retry(maximum_attempts = 3, initial_interval = "10ms"))]
async fn flaky(ctx: &JobContext, succeeds_at: u32) -> Result<String, JobError> {
    ctx.annotate_silently("attempt", ctx.attempt());
    ctx.persist("last", ctx.attempt())?;
    if ctx.attempt() < succeeds_at {
        return Err(format!("attempt {} failed", ctx.attempt()).into());
    }
    Ok(ctx.idempotency_key())
}

#[job]
async fn last(ctx: &JobContext, key: &str) -> Result<(u32, String), JobError> {
    Ok((ctx.persisted("last")?.unwrap_or_default(), key.to_owned()))
}

#[register_workflow(name = "flaky")]
fn flaky_flow(flow: &mut Flow, succeeds_at: Handle<u32>) -> Handle<(u32, String)> {
    let key = flow.job(flaky(succeeds_at));
    flow.job(last(key))
}

#[tokio::test]
async fn jobs_are_retried_and_their_values_persist() {
    let client = client().await;
    let run = client.run("flaky").input(3).start().await.expect("it starts");
    let report = run.outcome().await.expect("it completes");
    let expected = (3, format!("{}/flaky", run.id()));
    assert_eq!(report.output::<(u32, String)>().expect("a pair"), expected);
    let flaky = report.job("flaky").expect("a job");
    assert_eq!((flaky.attempts, &flaky.annotations["attempt"]), (3, &3.into()));

    let run = client.run("flaky").input(9).start().await.expect("it starts");
    let error = run.outcome().await.expect_err("no attempt succeeds");
    let CallError::Run(RunError::Failed(report)) = error else { panic!("{error:?}") };
    assert_eq!(report.reason().as_deref(), Some("job `flaky` failed: attempt 3 failed"));
    let error = run.output().await.expect_err("it failed").to_string();
    assert!(error.contains("attempt 3 failed"), "{error}");
    assert_eq!(run.status().await.expect("it answers"), Status::Failed);
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

#[register_workflow(name = "trip")]
fn trip(flow: &mut Flow, cents: &u64) -> Handle<u64> {
    let what = flow.value("flight".to_owned());
    let flight = flow.job(book(what).name("book flight").compensate(|what| give_back(what, 1)));
    let what = flow.value("hotel".to_owned());
    let hotel = book(what).name("book hotel").after(flight);
    let hotel = flow.job(hotel.compensate(|what| give_back(what, 2)));
    flow.job(charge(flight, hotel, *cents))
}

#[tokio::test]
async fn compensations_run_newest_first() {
    let run = client().await.run("trip").input(7).start().await.expect("it starts");
    let error = run.outcome().await.expect_err("unpaid");
    let CallError::Run(RunError::Failed(report)) = error else { panic!("{error:?}") };
    let reason = "job `charge` failed: the card does not cover 7 cents";
    assert_eq!(report.reason().as_deref(), Some(reason));
    let expected = ["book flight", "book hotel", "give back hotel 2", "give back flight 1"];
    assert_eq!(*BOOKED.lock().expect("no panic"), expected);
    assert_eq!(report.job("undo book hotel").expect("it ran").status, Status::Completed);
}

#[job]
async fn convert(rate: State<Rate>, amount: u64) -> u64 {
    assert!(amount > 1, "the amount is {amount}");
    amount * rate.0
}

#[register_workflow(name = "convert")]
fn converts(flow: &mut Flow, amount: Handle<u64>) -> Handle<u64> {
    flow.job(convert(amount))
}

#[tokio::test]
async fn state_comes_from_the_worker_and_panics_are_failures() {
    let client = client().await;
    let run = client.run("convert").input(5).start().await.expect("it starts");
    assert_eq!(run.result::<u64>().await.expect("a number"), 15);
    let run = client.run("convert").input(1).start().await.expect("it starts");
    let error = run.outcome().await.expect_err("it panics");
    let CallError::Run(RunError::Failed(report)) = error else { panic!("{error:?}") };
    let failure = report.job("convert").and_then(|job| job.error).expect("an error");
    assert_eq!((failure.kind, &*failure.message), (JobErrorKind::Panicked, "the amount is 1"));
}

#[job(start_to_close = "300ms", retry(maximum_attempts = 2, initial_interval = "10ms"))]
async fn slow(ctx: &JobContext) -> u32 {
    if ctx.attempt() == 1 {
        std::future::pending::<()>().await;
    }
    ctx.attempt()
}

#[job(heartbeat = "300ms")]
async fn silent(ctx: &JobContext) {
    ctx.heartbeat();
    std::future::pending().await
}

#[job(schedule_to_close = "1s", retry(maximum_attempts = 0, initial_interval = "100ms"))]
async fn hopeless() -> Result<(), JobError> {
    Err("no".into())
}

#[register_workflow(name = "timeouts")]
fn timeouts(flow: &mut Flow) {
    flow.job(slow());
    flow.job(silent());
    flow.job(hopeless());
}

#[register_workflow(name = "run_timeout")]
fn run_timeout(flow: &mut Flow) {
    flow.timeout(std::time::Duration::from_secs(1));
    let question = flow.value("why?".to_owned());
    flow.job(crate::waits::ask(question));
}

#[tokio::test]
async fn all_four_timeouts_hold() {
    let client = client().await;
    let run = client.run("timeouts").start().await.expect("it starts");
    let error = run.outcome().await.expect_err("two fail");
    let CallError::Run(RunError::Failed(report)) = error else { panic!("{error:?}") };
    assert_eq!(report.job("slow").expect("a job").attempts, 2);
    let error = |job| report.job(job).and_then(|job| job.error).expect("an error");
    for (job, kind, text) in [
        ("silent", TimeoutKind::Heartbeat, "sent no heartbeat for 300ms (heartbeat)"),
        ("hopeless", TimeoutKind::ScheduleToClose, "took longer than 1s (schedule_to_close)"),
    ] {
        assert_eq!(error(job).kind, JobErrorKind::TimedOut(kind), "{job}");
        assert!(error(job).message.starts_with(text), "{job}: {}", error(job).message);
    }
    let run = client.run("run_timeout").start().await.expect("it starts");
    let error = run.outcome().await.expect_err("nobody answers");
    let CallError::Run(RunError::Failed(report)) = error else { panic!("{error:?}") };
    assert_eq!(report.reason().as_deref(), Some("the run timed out after 1s"));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_it_starts() {
    let client = client().await;
    let error = client.run("grpah").start().await.map(drop).expect_err("a misspelled name");
    assert!(error.to_string().contains("did you mean `graph`"), "{error}");
    let error = client.run("graph").input("x").start().await.map(drop).expect_err("a text");
    assert!(matches!(error, StartError::Mismatch { .. }), "{error:?}");
    assert!(matches!(client.find("nothing").await.map(drop), Err(CallError::NotFound)));
}

#[tokio::test]
async fn a_workflow_id_stands_for_one_run_also_after_its_end() {
    let client = client().await;
    let id = format!("key-{}", workflow_core::id::RunId::random());
    let start = |workflow, input| client.run(workflow).input(input).workflow_id(&id).start_once();
    let Started::New(first) = start("graph", 2).await.expect("it starts") else {
        panic!("nothing had this ID")
    };
    first.output().await.expect("it completes");
    let Started::Existing(again) = start("graph", 2).await.expect("it exists") else {
        panic!("a second run has started")
    };
    assert_eq!((again.id(), again.workflow_id()), (first.id(), &*id));
    assert_eq!(again.input().await.expect("it is there"), Some(2.into()));
    for (workflow, difference) in
        [("graph", "with another input"), ("flaky", "of workflow `graph`")]
    {
        let error = start(workflow, 3).await.map(drop).expect_err("it differs");
        let expected = format!(
            "idempotency key `{id}` was already used for run {} {difference}; use a new key for a \
             different request",
            first.id()
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_start_waits_for_a_namespace_that_was_just_created() {
    let client = |namespace| async move {
        TemporalClient::connect(&options().namespace(namespace)).await.expect("it connects")
    };
    let missing = client("missing").await;
    let error = missing.run("question").start().await.map(drop).expect_err("there is none");
    let cure = "temporal operator namespace create missing";
    assert!(error.to_string().contains(cure), "{error}");

    let late = client("late").await;
    // Now the server remembers that there is none.
    let (run, created) = tokio::join!(late.run("question").start(), create_namespace("late"));
    assert!(created, "it is created");
    run.expect("it starts").cancel().await.expect("it is running");
}

async fn create_namespace(name: &str) -> bool {
    let program = test_temporal::program().expect("Temporal is there");
    let mut command = std::process::Command::new(program);
    command.args(["operator", "namespace", "create", name, "--address"]);
    command.arg(test_temporal::server().address());
    let created = tokio::task::spawn_blocking(move || command.output());
    created.await.expect("no panic").expect("a process").status.success()
}
