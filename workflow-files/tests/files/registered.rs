//! Registered jobs as jobs of a file: they belong to the file's run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::executor::{block_on, block_on_stream};
use workflow_core::engine::RunHandle;
use workflow_core::event::EventKind;
use workflow_core::job::{JobErrorKind, TimeoutKind};
use workflow_core::store::{MemoryStore, Store as _};

use super::*;

/// Whether the guests want tea.
#[job]
async fn ask(ctx: &JobContext, question: String) -> Result<String, JobError> {
    ctx.annotate("asked", &question);
    let answer: String = ctx.wait_signal("answer").await?;
    Ok(format!("{} of {}: {question} {answer}", ctx.job_name(), ctx.workflow_name()))
}

#[job]
fn key(ctx: &JobContext) -> (String, String) {
    (ctx.idempotency_key(), ctx.run_id().map(|run| run.to_string()).unwrap_or_default())
}

#[job(retry(maximum_attempts = 3, initial_interval = "1ms"))]
async fn third_time(ctx: &JobContext) -> Result<u32, JobError> {
    if ctx.attempt() < 3 { Err("not yet".into()) } else { Ok(ctx.attempt()) }
}

#[job(start_to_close = "20ms", limit = "stove")]
async fn simmer(_ctx: &JobContext) {
    std::future::pending().await
}

#[job(grace = "1h", priority = 7)]
async fn tidies_up(ctx: &JobContext) -> Result<(), JobError> {
    ctx.sleep(std::time::Duration::from_secs(3600)).await;
    Err("tidied up".into())
}

#[job]
async fn steps(ctx: WorkflowContext, cups: u32) -> Result<String, JobError> {
    ctx.run(brew, (cups, "black".to_owned())).await
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Pot {
    cups: u32,
    #[serde(default)]
    tea: String,
}

#[job]
fn fill_pot() -> Pot {
    Pot { cups: 4, tea: "green".to_owned() }
}

#[job]
fn count_cups() -> u32 {
    4
}

#[test]
fn outputs_of_registered_jobs_are_checked_against_their_types() {
    let read = |job: &str, written: &str| {
        let text = format!(
            "name: tea\njobs:\n  - {{ name: pot, job: {job} }}\n  - {{ name: told, command: 'echo ${{{{ jobs.pot.outputs.{written} }}}}' }}\n"
        );
        WorkflowFile::parse("tea.yaml", &text).map(drop).map_err(|told| told.to_string())
    };
    for (job, written) in [
        ("fill_pot", "cups"),
        ("fill_pot", "tea"),
        ("count_cups", "value"),
        ("key", "value"),
        ("brew", "value"),
        ("fill_pot", "value | default(1)"),
    ] {
        let with = if job == "brew" { "brew, with: { cups: 1, tea: x }" } else { job };
        assert_eq!(read(with, written), Ok(()), "{job} {written}");
    }
    for (job, written, told) in [
        ("fill_pot", "value", "`pot` outputs an object, which has no `value`"),
        ("count_cups", "cups", "`pot` outputs a single value, which has no `cups`"),
        ("key", "run", "`pot` outputs a single value, which has no `run`"),
    ] {
        let wrong = read(job, written).expect_err(written);
        assert!(wrong.contains(told) && wrong.contains("tea.yaml:4:"), "{wrong}");
    }
}

/// Answers each question, and returns the report.
fn answered(run: &RunHandle, answer: &str) -> Report {
    block_on(run.signal("answer", answer)).expect("the run takes it");
    run.wait().unwrap_or_else(|error| panic!("{error}"))
}

const ASKS: &str = "
  - { name: guests, job: ask, with: { question: 'tea?' } }
  - { name: poured, command: 'echo ${{ jobs.guests.outputs.value }} >> told' }
";

#[test]
fn a_signal_to_the_run_of_a_file_reaches_the_job_that_waits() {
    for job in ["job: ask", "job: '${{ \"as\" + \"k\" }}'"] {
        let folder = Folder::new("signal");
        let store = Arc::new(MemoryStore::new());
        let asks = ASKS.replace("job: ask", job);
        for engine in [Engine::default(), Engine::builder().store(store.clone()).build()] {
            let run = engine.run(folder.jobs(&asks)).start().expect("it starts");
            answered(&run, "yes");
        }
        // There is no other run, which would be listed beside that of the file.
        assert_eq!(store.runs().len(), 1);
        let name = if job == "job: ask" { "guests" } else { "ask" };
        let told = format!("{name} of tea: tea? yes");
        assert_eq!(folder.lines("told"), [told.as_str(), told.as_str()]);
    }
}

#[test]
fn a_registered_job_is_the_job_of_the_file() {
    let folder = Folder::new("in_place");
    let run = Engine::default().run(folder.jobs(ASKS)).start().expect("it starts");
    let report = answered(&run, "no");
    assert_eq!(ends(&report), ["guests completed", "poured completed"]);
    let noted = report.job("guests").expect("a job").annotations;
    assert_eq!(noted.get("asked"), Some(&"tea?".into()));

    let report = super::run(folder.jobs(
        "\n  - { name: mine, job: key }\n  - { name: told, command: 'echo ${{ jobs.mine.outputs.value }} > key' }\n",
    ));
    let run = report.id().to_string();
    assert_eq!(folder.read("key").trim(), format!("[\"{run}/mine\",\"{run}\"]"));
}

#[test]
fn a_registered_job_may_run_jobs() {
    let folder = Folder::new("steps");
    let report = run(folder.jobs(
        "\n  - { name: all, job: steps, with: { cups: 2 } }\n  - { name: told, command: 'echo ${{ jobs.all.outputs.value }} > told' }\n",
    ));
    assert_eq!(ends(&report), ["all completed", "told completed", "brew completed"]);
    assert_eq!(folder.lines("told"), ["2 cups of black"]);
}

#[test]
fn the_options_of_a_registered_job_hold_where_the_file_says_nothing() {
    let folder = Folder::new("options");
    let engine = Engine::builder().limit("stove", 1).build();
    let request = engine.run(folder.jobs(
        r#"
  - { name: insists, job: third_time }
  - { name: gives_in, job: third_time, retry: { maximum_attempts: 2, initial_interval: 0 } }
  - { name: simmers, job: simmer }
  - { name: boils, job: simmer, timeout: 10ms }
"#,
    ));
    let report = request.wait().expect_err("jobs fail").into_report().expect("it began");
    let attempts = |job| report.job(job).expect("the job").attempts;
    assert_eq!((attempts("insists"), attempts("gives_in")), (3, 2));
    assert_eq!(end(&report, "insists"), Status::Completed);
    let timed_out = |job: &str| {
        let error = report.job(job).and_then(|job| job.error).expect("it failed");
        assert_eq!(error.kind, JobErrorKind::TimedOut(TimeoutKind::StartToClose));
        error.message
    };
    assert_eq!(timed_out("simmers"), "took longer than 20ms (start_to_close)");
    assert_eq!(timed_out("boils"), "took longer than 10ms (start_to_close)");

    let unknown = Engine::default().run(folder.jobs("\n  - { name: simmers, job: simmer }\n"));
    let error = unknown.wait().expect_err("there is no such limit").to_string();
    assert!(error.contains("`stove`"), "{error}");
}

#[test]
fn a_job_of_a_file_has_the_grace_period_that_it_asks_for() {
    let folder = Folder::new("grace");
    let jobs = [
        ("job: tidies_up", "cancelled: tidied up"),
        ("job: tidies_up, grace: 1m", "cancelled: tidied up"),
        (
            "job: simmer_on, grace: 10ms",
            "cancelled: it did not stop within its grace period of 10ms; it was dropped",
        ),
    ];
    for (job, expected) in jobs {
        let file = folder.jobs(&format!("\n  - {{ name: stops, {job} }}\n"));
        let run = Engine::default().run(file).start().expect("it starts");
        let mut events = block_on_stream(run.events());
        assert!(events.any(|event| matches!(event.kind, EventKind::JobStarted { .. })));
        run.cancel();
        let report = run.wait().expect_err("it was cancelled").into_report().expect("it began");
        assert_eq!(error(&report, "stops"), expected);
    }
    // Killed without having been asked for the ten seconds that a command has by default.
    let stubborn = "\n  - { name: stops, command: \"trap '' TERM; echo up; while :; do sleep 0.01; done\", grace: 10ms, timeout: 100ms }\n";
    let began = std::time::Instant::now();
    let report = failed(folder.jobs(stubborn));
    assert!(error(&report, "stops").contains("SIGKILL"), "{}", error(&report, "stops"));
    assert!(began.elapsed() < std::time::Duration::from_secs(8));
}

#[job]
async fn simmer_on(ctx: &JobContext) {
    ctx.cancelled().await;
    std::future::pending().await
}

static BREWED: AtomicU32 = AtomicU32::new(0);

#[job]
async fn brew_once(ctx: &JobContext) -> Result<String, JobError> {
    let answer: String = ctx.wait_signal("answer").await?;
    BREWED.fetch_add(1, Ordering::SeqCst);
    Ok(answer)
}

#[test]
fn a_resumed_run_receives_its_signals() {
    for job in ["job: brew_once", "job: '${{ \"brew_once\" }}'"] {
        let folder = Folder::new("taken_up");
        let store = Arc::new(MemoryStore::new());
        let text = format!("\n  - {{ name: waits, {job} }}\n");
        // An engine that counts as dead at once.
        let lost = Engine::builder().store(store.clone()).lease(std::time::Duration::ZERO).build();
        let run = lost.run(folder.jobs(&text)).start().expect("it starts");
        let mut events = block_on_stream(run.events());
        assert!(events.any(|event| matches!(event.kind, EventKind::JobStarted { .. })));
        let engine = Engine::builder().store(store.clone()).build();
        let recovery = block_on(engine.recover()).expect("readable");
        let [taken_up] = &recovery.runs[..] else { panic!("{:?}", recovery.refused) };
        block_on(taken_up.signal("answer", "yes")).expect("the run takes it");
        let report = taken_up.wait().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(end(&report, "waits"), Status::Completed);
        assert_eq!(store.runs().len(), 1);
        let events = block_on(store.events(run.id(), 0, usize::MAX)).expect("readable");
        let received = |event: &&workflow_core::event::Event| {
            matches!(event.kind, EventKind::SignalReceived { .. })
        };
        assert_eq!(events.iter().filter(received).count(), 1);
    }
    assert_eq!(BREWED.load(Ordering::SeqCst), 2);
}

struct Kettle(&'static str);

#[job]
fn boil(kettle: State<Kettle>, cups: u32) -> String {
    format!("{cups} cups from the {} kettle", kettle.0)
}

#[job]
async fn boil_later(cups: u32, kettle: State<Kettle>) -> String {
    format!("{cups} cups later, {}", kettle.0)
}

#[register_workflow(name = "boils")]
fn boils(kettle: State<Kettle>) -> String {
    format!("workflow: {}", kettle.0)
}

#[test]
fn registered_jobs_of_a_file_take_the_state_of_the_engine() {
    let folder = Folder::new("state");
    for (job, said) in [
        ("job: boil, with: { cups: 2 }", "2 cups from the red kettle"),
        ("job: boil_later, with: { cups: 3 }", "3 cups later, red"),
        ("workflow: boils", "workflow: red"),
        ("job: '${{ \"bo\" + \"il\" }}', with: { cups: 4 }", "4 cups from the red kettle"),
    ] {
        let file = || {
            let told = "echo ${{ jobs.water.outputs.value }} > told";
            folder.jobs(&format!(
                "\n  - {{ name: water, {job} }}\n  - {{ name: told, command: '{told}' }}\n"
            ))
        };
        let engine = Engine::builder().state(Kettle("red")).build();
        engine.run(file()).wait().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(folder.lines("told"), [said]);
        fs::remove_file(folder.0.join("told")).expect("it was written");

        let error = Engine::default().run(file()).wait().expect_err("there is no kettle");
        let text = error.to_string();
        assert!(text.contains("takes `State<Kettle>`, which the engine does not have"), "{text}");
        // A name that only the run can tell is looked up in the run.
        let begins = job.contains("${{");
        assert_eq!(matches!(error, RunError::MissingState { .. }), !begins, "{text}");
    }
}
