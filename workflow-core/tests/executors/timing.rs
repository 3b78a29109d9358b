//! Retries and timeouts, on a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use workflow_core::prelude::*;
use workflow_core::{
    Clock as _, FunctionWorkflow, JobErrorKind, ManualClock, TimeoutKind, closure,
};

fn workflow<D: workflow_core::OutputOf>(
    draw: impl Fn(&mut Flow) -> D + Send + Sync + 'static,
) -> FunctionWorkflow {
    FunctionWorkflow::new("timing", draw).expect("a name")
}

fn engine(clock: &ManualClock) -> Engine {
    // One thread, or the clock could be moved while another thread is at work.
    Engine::builder().clock(clock.clone()).threads(1).build()
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[job]
async fn nap(number: u32) -> u32 {
    futures_timer::Delay::new(Duration::from_millis(1)).await;
    number
}

pub(crate) async fn ten_thousand_sleepers() {
    let sleepers = workflow(|flow| {
        for number in 0..10_000 {
            flow.job(nap::draw(number));
        }
    });
    let began = Instant::now();
    let report = Engine::default().run(sleepers).await.expect("it completes");
    assert_eq!(report.progress(), "10000 of 10000 jobs completed");
    // Not a measurement: one after another they would take more than ten seconds.
    assert!(began.elapsed() < seconds(8));
}

#[job(retry(maximum_attempts = 4, initial_interval = "1m", jitter = 0.0))]
async fn flaky(ctx: &JobContext, fails: u32) -> Result<u32, JobError> {
    if ctx.attempt() <= fails {
        return Err(JobError::from(format!("attempt {} failed", ctx.attempt())));
    }
    Ok(ctx.attempt())
}

pub(crate) async fn a_flaky_job_is_retried() {
    let clock = ManualClock::new();
    let flaky_flow = workflow(|flow| flow.job(flaky::draw(3)));
    let run = clock.drive(engine(&clock).run(flaky_flow).into_future());
    let report = run.await.expect("the fourth attempt completes");
    assert_eq!(report.output::<u32>().expect("a number"), 4);
    assert_eq!(report.job("flaky").expect("a job").attempts, 4);
    assert_eq!(clock.now(), seconds(60 + 120 + 240));

    let clock = ManualClock::new();
    let hopeless = workflow(|flow| flow.job(flaky::draw(9)));
    let run = clock.drive(engine(&clock).run(hopeless).into_future());
    let error = run.await.expect_err("four attempts fail");
    assert_eq!(error.report().and_then(|report| report.job("flaky")).expect("a job").attempts, 4);
}

/// Sleeps on the engine's clock, without looking at its token.
fn sleeper(flow: &mut Flow, time: Duration) -> Call<u32> {
    let start = flow.value(time);
    sleep_for(start)
}

#[job]
async fn sleep_for(ctx: &JobContext, time: Duration) -> Result<u32, JobError> {
    let ctx = ctx.clone();
    ctx.sleep(time).await;
    Ok(1)
}

fn error_of(error: &RunError, job: &str) -> (JobErrorKind, String) {
    let job = error.report().and_then(|report| report.job(job)).expect("a job");
    let error = job.error.expect("an error");
    (error.kind, error.message)
}

pub(crate) async fn an_attempt_has_its_time() {
    let clock = ManualClock::new();
    let slow = workflow(|flow| {
        let call = sleeper(flow, seconds(100)).start_to_close(seconds(10));
        flow.job(call.retry(RetryPolicy::attempts(2).jitter(0.0)))
    });
    let run = clock.drive(engine(&clock).run(slow).into_future());
    let error = run.await.expect_err("both attempts are too slow");
    let (kind, message) = error_of(&error, "sleep_for");
    assert_eq!(kind, JobErrorKind::TimedOut(TimeoutKind::StartToClose));
    assert_eq!(
        message,
        "took longer than 10s (start_to_close): it was asked to stop and did not within 5s; \
         it was dropped"
    );
    // Twice ten seconds and the grace period, and a second between.
    assert_eq!(clock.now(), seconds(31));
}

pub(crate) async fn all_attempts_have_their_time() {
    let clock = ManualClock::new();
    let slow = workflow(|flow| {
        let policy = RetryPolicy::attempts(0).backoff_coefficient(1.0).jitter(0.0);
        flow.job(flaky::draw(1000).retry(policy).schedule_to_close(Duration::from_millis(4500)))
    });
    let run = clock.drive(engine(&clock).run(slow).into_future());
    let error = run.await.expect_err("five attempts fail");
    let (kind, message) = error_of(&error, "flaky");
    assert_eq!(kind, JobErrorKind::TimedOut(TimeoutKind::ScheduleToClose));
    assert_eq!(message, "took longer than 4.5s (schedule_to_close)");
    assert_eq!(clock.now(), Duration::from_millis(4500));
}

#[job]
async fn beat(ctx: &JobContext, every: Duration, times: u32) -> Result<u32, JobError> {
    for _ in 0..times {
        futures::future::select(Box::pin(ctx.sleep(every)), Box::pin(ctx.cancelled())).await;
        if ctx.is_cancelled() {
            return Err(JobError::from("noticed"));
        }
        ctx.heartbeat();
    }
    Ok(times)
}

pub(crate) async fn a_silent_job_is_stopped() {
    let clock = ManualClock::new();
    let silent = workflow(|flow| flow.job(beat::draw(seconds(10), 3).heartbeat(seconds(2))));
    let run = clock.drive(engine(&clock).run(silent).into_future());
    let error = run.await.expect_err("it is silent for too long");
    let (kind, message) = error_of(&error, "beat");
    assert_eq!(kind, JobErrorKind::TimedOut(TimeoutKind::Heartbeat));
    assert_eq!(message, "gave no sign of life for 2s (heartbeat): noticed");
    assert_eq!(clock.now(), seconds(2));
}

pub(crate) async fn a_heartbeat_keeps_a_job_alive() {
    let clock = ManualClock::new();
    let lively = workflow(|flow| flow.job(beat::draw(seconds(1), 30).heartbeat(seconds(2))));
    let run = clock.drive(engine(&clock).run(lively).into_future());
    assert_eq!(run.await.expect("it completes").output::<u32>().expect("a number"), 30);
    assert_eq!(clock.now(), seconds(30));
}

pub(crate) async fn a_run_has_its_time() {
    let clock = ManualClock::new();
    let slow = workflow(|flow| {
        flow.timeout(seconds(60));
        let last = flow.job(beat::draw(seconds(45), 9));
        flow.job(flaky::draw(0).after(last))
    });
    let run = clock.drive(engine(&clock).run(slow).into_future());
    let error = run.await.expect_err("it takes too long");
    let report = error.report().expect("it began");
    assert_eq!(report.status(), Status::Failed);
    assert_eq!(report.reason().expect("a reason"), "the run took longer than 60s (run)");
    assert_eq!(report.job("beat").expect("a job").status, Status::Cancelled);
    assert_eq!(report.job("flaky").expect("a job").status, Status::Skipped);
    assert_eq!(clock.now(), seconds(60));
}

pub(crate) async fn sleep_follows_the_clock() {
    let count = Arc::new(AtomicU32::new(0));
    let clock = ManualClock::new();
    let seen = Arc::clone(&count);
    let long = workflow(move |flow| {
        let count = Arc::clone(&count);
        let day = flow.job(sleep_for::draw(seconds(86_400)));
        flow.job(closure("after", day, move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, JobError>(()) }
        }));
    });
    clock.drive(engine(&clock).run(long).into_future()).await.expect("it completes");
    assert_eq!((seen.load(Ordering::Relaxed), clock.now()), (1, seconds(86_400)));
}
