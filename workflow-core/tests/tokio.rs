//! Runtimes of tokio as hosts and tests build them: with paused time, and without timers.

use std::sync::Once;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use workflow_core::job::{JobErrorKind, TimeoutKind};
use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;

fn workflow<D: workflow_core::workflow::OutputOf>(
    draw: impl Fn(&mut Flow) -> D + Send + Sync + 'static,
) -> FunctionWorkflow {
    FunctionWorkflow::new("tokio", draw).expect("a name")
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[job(retry(maximum_attempts = 4, initial_interval = "30s", jitter = 0.0))]
async fn flaky(ctx: &JobContext, fails: u32) -> Result<u32, JobError> {
    if ctx.attempt() <= fails {
        return Err(JobError::from("not yet"));
    }
    Ok(ctx.attempt())
}

#[job]
async fn sleeps(ctx: &JobContext, time: Duration) -> u32 {
    ctx.sleep(time).await;
    1
}

#[job]
async fn sleeps_in_tokio(time: Duration) -> u32 {
    tokio::time::sleep(time).await;
    1
}

#[job]
fn works() -> u32 {
    1
}

/// Fails if the test waited for real time: the retries alone would take minutes.
struct NoTime(Instant);

impl NoTime {
    fn begins() -> Self {
        Self(Instant::now())
    }
}

impl Drop for NoTime {
    fn drop(&mut self) {
        assert!(self.0.elapsed() < seconds(20), "it took {:?} of real time", self.0.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn retries_take_no_real_time() {
    let (_no_time, began) = (NoTime::begins(), tokio::time::Instant::now());
    let run = || Engine::default().run(workflow(|flow| flow.job(flaky::draw(3))));
    let report = run().await.expect("the fourth attempt completes");
    assert_eq!(report.output::<u32>().expect("a number"), 4);
    assert_eq!(report.duration().as_secs(), 30 + 60 + 120);
    assert_eq!(began.elapsed().as_secs(), 30 + 60 + 120);
    let started = run().start().expect("it starts");
    started.outcome().await.expect("the fourth attempt completes");
    let in_task = tokio::spawn(async move { run().await }).await.expect("no panic");
    in_task.expect("the fourth attempt completes");
    assert_eq!(began.elapsed().as_secs(), 3 * (30 + 60 + 120));
}

#[tokio::test(start_paused = true)]
async fn deadlines_and_sleeps_go_by_one_clock() {
    let _no_time = NoTime::begins();
    let run = workflow(|flow| {
        flow.timeout(seconds(100));
        flow.job(flaky::draw(9));
        flow.job(sleeps::draw(seconds(40)));
        flow.job(sleeps_in_tokio::draw(seconds(50)));
        flow.job(works());
        flow.job(sleeps::draw(seconds(600)).name("slow").start_to_close(seconds(60)));
    });
    let error = Engine::default().run(run).await.expect_err("it takes too long");
    let report = error.report().expect("it began");
    assert_eq!(report.reason().expect("a reason"), "the run timed out after 100s");
    let job = |name: &str| report.job(name).expect("a job");
    assert_eq!(job("flaky").attempts, 3);
    assert_eq!(job("sleeps").duration.expect("it ended").as_secs(), 40);
    assert_eq!(job("sleeps_in_tokio").duration.expect("it ended").as_secs(), 50);
    let slow = job("slow").error.expect("an error").kind;
    assert_eq!(slow, JobErrorKind::TimedOut(TimeoutKind::StartToClose));
    let took = report.duration();
    assert!((seconds(100)..seconds(106)).contains(&took), "{took:?}");
    let noted = report.events().last().expect("an event").at;
    assert_eq!(noted.duration_since(report.started_at()).expect("later"), took);
}

#[tokio::test]
async fn time_may_be_paused_before_the_run_begins() {
    let _no_time = NoTime::begins();
    let run = || Engine::default().run(workflow(|flow| flow.job(sleeps::draw(seconds(3600)))));
    tokio::time::pause();
    tokio::time::advance(seconds(5)).await;
    run().await.expect("it completes");
    tokio::time::resume();
    // From now on the clock runs, ahead of the system's.
    let quick = workflow(|flow| flow.job(sleeps::draw(Duration::from_millis(5))));
    let report = Engine::default().run(quick).await.expect("it completes");
    assert!(report.duration() >= Duration::from_millis(5));
}

#[tokio::test(start_paused = true)]
async fn an_explicit_clock_is_used() {
    let clock = workflow_core::engine::ManualClock::new();
    let engine = Engine::builder().clock(clock.clone()).build();
    let began = tokio::time::Instant::now();
    let run = engine.run(workflow(|flow| flow.job(flaky::draw(1)))).into_future();
    clock.drive(run).await.expect("it completes");
    assert_eq!(workflow_core::engine::Clock::now(&clock), seconds(30));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

/// Aborts on a panic, as some hosts and `panic = "abort"` do.
fn no_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            before(panic);
            std::process::exit(70);
        }));
    });
}

#[test]
fn a_runtime_without_timers_is_not_asked_for_them() {
    no_panic();
    let waits = || {
        workflow(|flow| {
            let slept = flow.job(sleeps::draw(Duration::from_millis(5)));
            let policy = RetryPolicy::attempts(4).initial_interval(Duration::from_millis(5));
            let retried = flow.job(flaky::draw(2).retry(policy).after(slept));
            let timed = flow.job(sleeps::draw(seconds(600)).name("slow").after(retried));
            flow.timeout(Duration::from_millis(200));
            timed
        })
    };
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let runtime = builder.build().expect("it starts");
        let engine = Engine::builder().cancel_grace(Duration::from_millis(1)).build();
        let (run, started) = (engine.run(waits()), engine.run(waits()));
        let ends = runtime.block_on(async {
            let started = started.start().expect("it starts");
            [run.await, started.outcome().await]
        });
        for ended in ends {
            let error = ended.expect_err("one job is too slow");
            let report = error.report().expect("it began");
            assert_eq!(report.job("flaky").expect("a job").attempts, 3);
            assert_eq!(report.job("slow").expect("a job").status, Status::Cancelled);
        }
    }
}
