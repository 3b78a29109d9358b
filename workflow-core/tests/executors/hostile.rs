//! Code of the host that panics or does not end, wherever the engine calls it: the run ends with an
//! error, its permits are free, other runs continue, and nothing unwinds into the host.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use workflow_core::definition::Metadata;
use workflow_core::engine::{Clock, RunHandle, SystemClock};
use workflow_core::id::WorkflowName;
use workflow_core::job::{JobErrorKind, closure};
use workflow_core::prelude::*;
use workflow_core::store::MemoryStore;
use workflow_core::workflow::{FunctionWorkflow, OutputOf, Plan, PlanError};

use crate::support::workflow;

/// Engines with one place for jobs, without and with a store.
fn engines() -> [Engine; 2] {
    let one = || Engine::builder().max_parallel(1).cancel_grace(Duration::ZERO);
    [one().build(), one().store(MemoryStore::new()).build()]
}

/// Runs the workflow with `wait`, awaited, and started. Calls `check` with the result, and asserts
/// that the engine's place is free.
async fn every_way<D: OutputOf>(
    draw: impl Fn(&mut Flow) -> D + Clone + Send + Sync + 'static,
    check: impl Fn(Result<Report, RunError>),
) {
    for engine in engines() {
        let request = || engine.run(workflow(draw.clone()));
        let waiting = request();
        check(smol::unblock(move || waiting.wait()).await);
        check(request().await);
        check(request().start().expect("it starts").outcome().await);
        still_works(&engine).await;
    }
}

async fn still_works(engine: &Engine) {
    let harmless = workflow(|flow| flow.job(harmless()));
    let report = engine.run(harmless).await.expect("the engine has its place back");
    assert_eq!(report.output::<u32>(), Ok(7));
}

#[job]
async fn harmless() -> u32 {
    7
}

/// Returns the job's error, which must be a panic.
fn panicked(ended: Result<Report, RunError>, job: &str, text: &str) {
    let error = ended.expect_err("the job panicked");
    let report = error.report().expect("it began");
    let failure = report.job(job).and_then(|job| job.error).expect("an error");
    assert_eq!(failure.kind, JobErrorKind::Panicked);
    assert!(failure.message.contains(text), "{failure}");
}

#[derive(Debug)]
enum Unspeakable {
    Fails,
    Panics,
    Loops,
}

impl fmt::Display for Unspeakable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails => Err(fmt::Error),
            Self::Panics => panic!("speechless"),
            Self::Loops => f.write_str("round"),
        }
    }
}

impl Error for Unspeakable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        matches!(self, Self::Loops).then_some(self)
    }
}

#[job]
async fn fails() -> Result<u32, Unspeakable> {
    Err(Unspeakable::Fails)
}

#[job]
fn panics_when_shown() -> Result<u32, Unspeakable> {
    Err(Unspeakable::Panics)
}

#[job]
async fn never_ending() -> Result<u32, Unspeakable> {
    futures::future::ready(()).await;
    Err(Unspeakable::Loops)
}

pub(crate) async fn an_error_that_cannot_be_displayed_is_a_panic() {
    every_way(
        |flow| flow.job(fails()),
        |ended| {
            panicked(ended, "fails", "cannot be displayed: its `Display` returned an error");
        },
    )
    .await;
    every_way(
        |flow| flow.job(panics_when_shown()),
        |ended| {
            panicked(ended, "panics_when_shown", "its `Display` panicked: speechless");
        },
    )
    .await;
}

pub(crate) async fn an_endless_error_text_is_truncated() {
    every_way(
        |flow| flow.job(never_ending()),
        |ended| {
            let error = ended.expect_err("it fails").to_string();
            assert!(error.ends_with("job `never_ending` failed: round: ..."), "{error}");
        },
    )
    .await;
}

/// A retry and the wait for it show the error as the end of the job does.
pub(crate) async fn an_error_that_cannot_be_displayed_is_retried() {
    let retry = || RetryPolicy::attempts(3).initial_interval(Duration::from_millis(1));
    every_way(
        move |flow| flow.job(fails().retry(retry())),
        |ended| {
            let report = ended.expect_err("it fails").into_report().expect("it began");
            assert_eq!(report.job("fails").expect("a job").attempts, 3);
        },
    )
    .await;
}

/// Panics when it is dropped, with a payload that panics in turn.
#[derive(Clone, Serialize, Deserialize)]
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Bomb(self.0 - 1));
        }
    }
}

impl fmt::Debug for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bomb")
    }
}

impl fmt::Display for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bomb")
    }
}

impl Error for Bomb {}

#[job]
async fn throws() -> u32 {
    panic_any(Bomb(3))
}

#[job]
fn throws_on_a_thread() -> u32 {
    panic_any(Bomb(3))
}

#[job]
async fn fails_with_a_bomb() -> Result<u32, Bomb> {
    Err(Bomb(1))
}

pub(crate) async fn a_panic_payload_that_panics_when_dropped_is_contained() {
    every_way(|flow| flow.job(throws()), |ended| panicked(ended, "throws", "without a text")).await;
    every_way(
        |flow| flow.job(throws_on_a_thread()),
        |ended| {
            panicked(ended, "throws_on_a_thread", "without a text");
        },
    )
    .await;
}

pub(crate) async fn an_error_that_panics_when_dropped_is_contained() {
    every_way(
        |flow| flow.job(fails_with_a_bomb()),
        |ended| {
            let error = ended.expect_err("it fails").to_string();
            assert!(error.ends_with("job `fails_with_a_bomb` failed: a bomb"), "{error}");
        },
    )
    .await;
    let retry = RetryPolicy::attempts(3).initial_interval(Duration::from_millis(1));
    let retried = move |flow: &mut Flow| flow.job(fails_with_a_bomb().retry(retry.clone()));
    every_way(retried, |ended| drop(ended.expect_err("it fails"))).await;
}

#[job]
async fn makes_a_bomb() -> Bomb {
    Bomb(1)
}

#[job]
async fn looks_at(bomb: &Bomb, second: &Bomb) -> u32 {
    bomb.0 + second.0
}

/// Its outputs are dropped with the report. Each panics, and none unwinds.
pub(crate) async fn outputs_that_panic_when_dropped_are_contained() {
    let draw = |flow: &mut Flow| {
        let first = flow.job(makes_a_bomb());
        let second = flow.job(makes_a_bomb());
        flow.job(looks_at(first, second))
    };
    every_way(draw, |ended| {
        assert_eq!(ended.expect("it completes").output::<u32>(), Ok(2));
    })
    .await;
}

#[job]
async fn calls_with_bombs(ctx: WorkflowContext) -> Result<u32, JobError> {
    ctx.run(looks_at, (Bomb(1), Bomb(1))).await
}

/// Two values that panic while one function drops them would abort the process, as everywhere in
/// Rust: an input, and a value of the closure.
#[job]
async fn forgets(bomb: Bomb) {
    std::mem::forget(bomb);
}

/// Two of them in one list would abort the process.
pub(crate) async fn inputs_that_panic_when_dropped_are_contained() {
    let draw = |flow: &mut Flow| {
        let called = flow.job(calls_with_bombs());
        let (first, second) = (flow.value(Bomb(1)), flow.value(Bomb(1)));
        flow.job(looks_at(first, second));
        called
    };
    every_way(draw, |ended| {
        assert_eq!(ended.expect("it completes").output::<u32>(), Ok(2));
    })
    .await;
    let draw = |flow: &mut Flow| {
        flow.job(forgets::draw(Bomb(1)));
        flow.job(forgets::draw(Bomb(1)));
    };
    every_way(draw, |ended| panicked(ended, "forgets", "without a text")).await;
}

/// Panics in the named function.
#[derive(Debug)]
struct Mined(&'static str);

impl Serialize for Mined {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert_ne!(self.0, "serialize", "unwritable");
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Mined {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        assert_ne!(text, "deserialize", "unreadable");
        Ok(Self(if text == "clone" { "clone" } else { "read" }))
    }
}

impl Clone for Mined {
    fn clone(&self) -> Self {
        assert_ne!(self.0, "clone", "unique");
        Self(self.0)
    }
}

#[job]
async fn mined(what: &'static str) -> Mined {
    Mined(what)
}

#[job]
async fn takes(mined: Mined) -> u32 {
    u32::try_from(mined.0.len()).unwrap_or_default()
}

/// Without a store, an output is never serialized. With a store, the job fails.
pub(crate) async fn an_output_that_panics_when_written_fails_its_job() {
    let [plain, kept] = engines();
    let draw = || workflow(|flow| flow.job(mined::draw("serialize")));
    let report = plain.run(draw()).await.expect("nothing is written");
    let error = report.output_json().expect_err("it panics").to_string();
    assert!(error.ends_with("`Mined` panicked while it was written as JSON: assertion `left != right` failed: unwritable\n  left: \"serialize\"\n right: \"serialize\""), "{error}");
    panicked(kept.run(draw()).await, "mined", "unwritable");
    let waiting = kept.run(draw());
    panicked(smol::unblock(move || waiting.wait()).await, "mined", "unwritable");
    panicked(kept.run(draw()).start().expect("it starts").outcome().await, "mined", "unwritable");
    still_works(&kept).await;
}

pub(crate) async fn an_input_that_panics_is_refused() {
    let takes_one =
        || FunctionWorkflow::per_input("mined", |_: &mut Flow, _: &Mined| ()).expect("a name");
    for engine in engines() {
        for (input, text) in
            [(Mined("serialize"), "unwritable"), (Mined("deserialize"), "unreadable")]
        {
            let request = || engine.run(takes_one()).input(&input);
            for error in [
                request().start().map(|_| ()).expect_err("refused"),
                request().await.map(|_| ()).expect_err("refused"),
            ] {
                assert!(error.to_string().contains(text), "{error}");
            }
        }
        still_works(&engine).await;
    }
}

pub(crate) async fn a_value_that_panics_when_cloned_fails_its_reader() {
    every_way(
        |flow| {
            let mined = flow.job(mined::draw("clone"));
            flow.job(takes(mined))
        },
        |ended| panicked(ended, "takes", "unique"),
    )
    .await;
    let report = engines()[0].run(workflow(|flow| flow.job(mined::draw("clone")))).await;
    let error = report.expect("it completes").output::<Mined>().expect_err("it panics").to_string();
    assert!(error.contains("panicked while it was cloned"), "{error}");
}

pub(crate) async fn a_condition_that_panics_fails_its_job() {
    let draw = |flow: &mut Flow| {
        let number = flow.job(harmless());
        let condition = |_: &u32| -> bool { panic_any(Bomb(2)) };
        flow.job(harmless().name("judged").when(number, condition));
    };
    every_way(draw, |ended| panicked(ended, "judged", "without a text")).await;
}

/// A future that panics when it is dropped before its end.
struct Armed;

impl Drop for Armed {
    fn drop(&mut self) {
        panic_any(Bomb(1));
    }
}

async fn until_running(run: &RunHandle) {
    use futures::StreamExt as _;
    let mut events = run.events();
    while let Some(event) = events.next().await {
        if event.kind.to_string().ends_with(" started") && event.kind.job().is_some() {
            return;
        }
    }
}

pub(crate) async fn a_future_that_panics_when_dropped_is_cancelled() {
    for engine in engines() {
        let armed = workflow(|flow| {
            let start = flow.value(());
            flow.job(closure("armed", start, |()| async {
                let _armed = Armed;
                std::future::pending::<Result<(), JobError>>().await
            }));
        });
        let run = engine.run(armed).start().expect("it starts");
        until_running(&run).await;
        run.cancel();
        let ended = run.outcome().await;
        assert!(matches!(ended, Err(RunError::Cancelled(_))), "{ended:?}");
        still_works(&engine).await;
    }
}

/// A workflow of the host whose own code panics.
struct Broken(WorkflowName, Metadata);

impl Workflow for Broken {
    fn name(&self) -> &WorkflowName {
        &self.0
    }

    fn metadata(&self) -> &Metadata {
        &self.1
    }

    fn plan(&self, _: Option<&(dyn Any + Send + Sync)>) -> Result<Arc<Plan>, PlanError> {
        panic_any(Bomb(2))
    }
}

pub(crate) async fn a_workflow_that_panics_is_refused() {
    let broken = || Broken("broken".parse().expect("a name"), Metadata::default());
    for engine in engines() {
        let request = || engine.run(broken());
        let errors = [
            request().start().map(|_| ()).expect_err("refused"),
            request().await.map(|_| ()).expect_err("refused"),
        ];
        for error in errors {
            assert!(
                error.to_string().contains("its function panicked: a panic without a text"),
                "{error}"
            );
        }
        still_works(&engine).await;
    }
}

/// Wakes as the executor does, and then panics.
struct Loud(Waker);

impl std::task::Wake for Loud {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
        panic!("a waker panicked");
    }
}

pub(crate) async fn a_waker_that_panics_is_contained() {
    for engine in engines() {
        let run = engine.run(workflow(|flow| flow.job(harmless()))).start().expect("it starts");
        let mut waiting = run.outcome();
        let report = std::future::poll_fn(move |cx| {
            let loud = Waker::from(Arc::new(Loud(cx.waker().clone())));
            waiting.as_mut().poll(&mut std::task::Context::from_waker(&loud))
        });
        report.await.expect("it completes");
        still_works(&engine).await;
    }
}

/// A clock that works this many times, and then panics.
struct Failing(AtomicU32);

impl Clock for Failing {
    fn now(&self) -> Duration {
        let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        assert!(left.is_ok(), "the clock is broken");
        SystemClock.now()
    }

    fn time_of_day(&self) -> SystemTime {
        SystemClock.time_of_day()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(duration)
    }
}

/// Clocks are trusted. A panic of a clock fails the run, and nothing more.
pub(crate) async fn a_clock_that_panics_fails_the_run() {
    for times in 1..6 {
        let clock = Failing(AtomicU32::new(times));
        let engine = Engine::builder().clock(clock).max_parallel(1).build();
        let two = workflow(|flow| {
            let number = flow.job(harmless());
            flow.job(looks(number));
        });
        let run = match engine.run(two).start() {
            Ok(run) => run.outcome().await,
            Err(error) => Err(error),
        };
        if let Err(error) = run {
            assert!(error.to_string().contains("the clock is broken"), "{error}");
        }
    }
}

#[job]
async fn looks(number: &u32) -> u32 {
    *number
}

/// A clock whose sleep panics.
struct Sleepless;

impl Clock for Sleepless {
    fn now(&self) -> Duration {
        SystemClock.now()
    }

    fn time_of_day(&self) -> SystemTime {
        SystemClock.time_of_day()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::poll_fn(|_| -> Poll<()> { panic!("no sleep") }))
    }
}

pub(crate) async fn a_sleep_that_panics_is_replaced() {
    let engine = Engine::builder().clock(Sleepless).build();
    let hangs = workflow(|flow| {
        let start = flow.value(());
        let hangs = |()| std::future::pending::<Result<(), JobError>>();
        flow.job(closure("hangs", start, hangs).start_to_close(Duration::from_millis(5)));
    });
    let error = engine.run(hangs).await.expect_err("it takes too long").to_string();
    assert!(error.contains("took longer than 5ms"), "{error}");
}

/// A subscriber that panics at the event with this text.
struct Listener(&'static str);

impl tracing::Subscriber for Listener {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        assert_ne!(text.0, self.0, "the listener is broken");
    }

    fn enter(&self, _: &tracing::span::Id) {
        assert_ne!(self.0, "enter", "the listener is broken");
    }

    fn exit(&self, _: &tracing::span::Id) {}
}

#[derive(Default)]
struct Text(String);

impl tracing::field::Visit for Text {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// Subscribers are trusted as well. Their panics fail the run at worst.
#[test]
fn a_subscriber_that_panics_is_contained() {
    let waits = || {
        let engine = Engine::builder().max_parallel(1).threads(1).build();
        let ended = engine.run(workflow(|flow| flow.job(harmless()))).wait();
        engine.run(workflow(|flow| flow.job(harmless()))).wait().map(|_| ended)
    };
    let report = tracing::subscriber::with_default(Listener("run ended"), waits);
    report.expect("the place is free").expect("it had completed");
    let ended = tracing::subscriber::with_default(Listener("enter"), waits);
    let error = ended.expect_err("every job fails").to_string();
    assert!(error.contains("the listener is broken"), "{error}");
}
