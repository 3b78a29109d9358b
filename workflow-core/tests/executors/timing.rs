//! Retries and timeouts, on a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use workflow_core::engine::{Clock as _, ManualClock};
use workflow_core::event::EventKind;
use workflow_core::job::{JobErrorKind, TimeoutKind, closure};
use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;

use crate::support::workflow;

fn engine(clock: &ManualClock) -> Engine {
    Engine::builder().clock(clock.clone()).build()
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Where sleepers wait for each other.
struct Bedroom(smol::lock::Barrier);

/// Wakes when everybody sleeps.
#[job]
async fn nap(bedroom: State<Bedroom>, number: u32) -> u32 {
    bedroom.0.wait().await;
    number
}

pub(crate) async fn ten_thousand_sleepers() {
    let sleepers = workflow(|flow| {
        for number in 0..10_000 {
            flow.job(nap::draw(number));
        }
    });
    let bedroom = Bedroom(smol::lock::Barrier::new(10_000));
    let report = Engine::builder().state(bedroom).build().run(sleepers).await;
    assert_eq!(report.expect("it completes").progress(), "10000 of 10000 jobs completed");
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

/// Sleeps on the engine's clock.
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

pub(crate) async fn start_to_close_ends_an_attempt() {
    let clock = ManualClock::new();
    let slow = workflow(|flow| {
        let call = sleeper(flow, seconds(100)).start_to_close(seconds(10));
        flow.job(call.retry(RetryPolicy::attempts(2).jitter(0.0)))
    });
    let run = clock.drive(engine(&clock).run(slow).into_future());
    let error = run.await.expect_err("both attempts are too slow");
    let (kind, message) = error_of(&error, "sleep_for");
    assert_eq!(kind, JobErrorKind::TimedOut(TimeoutKind::StartToClose));
    assert_eq!(message, "took longer than 10s (start_to_close)");
    // Twice ten seconds, and one second in between.
    assert_eq!(clock.now(), seconds(21));
}

#[job]
async fn wait_for_go(ctx: &JobContext) -> Result<u32, JobError> {
    ctx.wait_signal("go").await
}

#[job]
async fn wait_for_nothing(_ctx: &JobContext) -> u32 {
    std::future::pending().await
}

#[job]
async fn sleep_on(ctx: WorkflowContext) -> u32 {
    ctx.sleep(seconds(100)).await;
    1
}

#[job]
async fn sleep_in_a_job(ctx: WorkflowContext) -> Result<u32, JobError> {
    ctx.run(sleep_for, seconds(100)).await
}

pub(crate) async fn a_timeout_ends_whatever_a_job_awaits() {
    type Draw = fn(&mut Flow) -> Call<u32>;
    let jobs: [Draw; 4] =
        [|_| wait_for_go(), |_| wait_for_nothing(), |_| sleep_on(), |_| sleep_in_a_job()];
    for job in jobs {
        let clock = ManualClock::new();
        let slow = workflow(move |flow| {
            let call = job(flow).name("slow").start_to_close(seconds(10));
            flow.job(call)
        });
        let run = clock.drive(engine(&clock).run(slow).into_future());
        let error = run.await.expect_err("it is too slow");
        let (kind, message) = error_of(&error, "slow");
        assert_eq!(kind, JobErrorKind::TimedOut(TimeoutKind::StartToClose));
        assert_eq!(message, "took longer than 10s (start_to_close)");
        // When a job was stopped, the clock may have moved on to its end.
        assert!([seconds(10), seconds(100)].contains(&clock.now()), "{:?}", clock.now());
    }
}

#[job(start_to_close = "10s", grace = "5s")]
async fn goes_on(ctx: &JobContext) {
    ctx.cancelled().await;
    std::future::pending().await
}

/// Completes within its grace period.
#[job(start_to_close = "10s", retry(maximum_attempts = 2, jitter = 0.0), grace)]
async fn completes_late(ctx: &JobContext) -> u32 {
    if ctx.attempt() == 1 {
        ctx.cancelled().await;
    }
    ctx.attempt()
}

pub(crate) async fn a_grace_period_follows_a_timeout() {
    let clock = ManualClock::new();
    let slow = workflow(|flow| flow.job(goes_on()));
    let run = clock.drive(engine(&clock).run(slow).into_future());
    let (kind, message) = error_of(&run.await.expect_err("it continues"), "goes_on");
    assert_eq!(kind, JobErrorKind::TimedOut(TimeoutKind::StartToClose));
    assert_eq!(
        message,
        "took longer than 10s (start_to_close): it did not stop within its grace period of 5s; \
         it was dropped"
    );
    assert_eq!(clock.now(), seconds(15));

    let clock = ManualClock::new();
    let engine = engine(&clock).to_builder().cancel_grace(seconds(7)).build();
    let slow = workflow(|flow| flow.job(goes_on().default_grace()));
    let run = clock.drive(engine.run(slow).into_future());
    run.await.expect_err("it continues");
    assert_eq!(clock.now(), seconds(17));
}

pub(crate) async fn completing_within_the_grace_period_is_still_a_timeout() {
    let clock = ManualClock::new();
    let late = workflow(|flow| flow.job(completes_late()));
    let run = clock.drive(engine(&clock).run(late).into_future());
    let report = run.await.expect("the second attempt is in time");
    assert_eq!(report.output::<u32>(), Ok(2));
    let failed = report.events().find_map(|event| match event.kind {
        EventKind::AttemptFailed { error, .. } => Some((error.kind, error.message)),
        _ => None,
    });
    let late = "took longer than 10s (start_to_close): the job completed after its timeout; its \
                output was discarded";
    let kind = JobErrorKind::TimedOut(TimeoutKind::StartToClose);
    assert_eq!(failed, Some((kind, late.to_owned())));
    assert_eq!(clock.now(), seconds(11));
}

/// Awaits nothing in its first attempt, and takes two seconds.
#[job(start_to_close = "1s")]
async fn works_on(ctx: &JobContext, clock: ManualClock) -> u32 {
    if ctx.attempt() == 1 {
        clock.advance(seconds(2));
    }
    ctx.attempt()
}

#[job(start_to_close = "1s", inline)]
fn works_on_inline(ctx: &JobContext, clock: ManualClock) -> u32 {
    if ctx.attempt() == 1 {
        clock.advance(seconds(2));
    }
    ctx.attempt()
}

#[job(start_to_close = "1s")]
fn works_on_a_thread(ctx: &JobContext, clock: ManualClock) -> u32 {
    if ctx.attempt() == 1 {
        clock.advance(seconds(2));
    }
    ctx.attempt()
}

#[job(schedule_to_close = "1s")]
async fn is_scheduled(ctx: &JobContext, clock: ManualClock) -> u32 {
    clock.advance(seconds(2));
    ctx.attempt()
}

#[job]
fn seen(number: Option<&u32>) -> Option<u32> {
    number.copied()
}

fn at_once() -> RetryPolicy {
    RetryPolicy::attempts(2).initial_interval(Duration::ZERO)
}

/// If only jobs move the clock, nobody notices the time before they end.
pub(crate) async fn an_output_that_comes_too_late_is_discarded() {
    type Draw = fn(Handle<ManualClock>) -> Call<u32>;
    let jobs: [Draw; 3] = [|it| works_on(it), |it| works_on_inline(it), |it| works_on_a_thread(it)];
    for job in jobs {
        let clock = ManualClock::new();
        let moved = clock.clone();
        let late = workflow(move |flow| {
            let clock = flow.value(moved.clone());
            flow.job(job(clock).name("late").retry(at_once()))
        });
        let report = engine(&clock).run(late).await.expect("the second attempt is in time");
        assert_eq!(report.output::<u32>(), Ok(2));

        let clock = ManualClock::new();
        let moved = clock.clone();
        let late = workflow(move |flow| {
            let clock = flow.value(moved.clone());
            let late = flow.job(job(clock).name("late"));
            flow.job(seen(late).trigger(TriggerRule::AllDone))
        });
        let error = engine(&clock).run(late).await.expect_err("it is late");
        let (kind, _) = error_of(&error, "late");
        assert_eq!(kind, JobErrorKind::TimedOut(TimeoutKind::StartToClose));
        let seen = error.report().expect("it began").output::<Option<u32>>();
        assert_eq!(seen, Ok(None));
    }

    let clock = ManualClock::new();
    let moved = clock.clone();
    let late = workflow(move |flow| {
        let clock = flow.value(moved.clone());
        flow.job(is_scheduled(clock).retry(at_once()))
    });
    let error = engine(&clock).run(late).await.expect_err("there is no time for a second attempt");
    let (kind, _) = error_of(&error, "is_scheduled");
    assert_eq!(kind, JobErrorKind::TimedOut(TimeoutKind::ScheduleToClose));
}

#[register_workflow(name = "timing: late children")]
async fn late_children(ctx: WorkflowContext, clock: ManualClock) -> Result<Vec<u32>, JobError> {
    let on_a_thread = |it: Handle<ManualClock>| works_on_a_thread(it).retry(at_once());
    let polled = |it: Handle<ManualClock>| works_on(it).retry(at_once());
    Ok(vec![ctx.run(on_a_thread, clock.clone()).await?, ctx.run(polled, clock).await?])
}

pub(crate) async fn an_output_of_a_child_that_comes_too_late_is_discarded() {
    let clock = ManualClock::new();
    let run = engine(&clock).run("timing: late children").input_value(clock.clone());
    let report = run.await.expect("the second attempts are in time");
    assert_eq!(report.output::<Vec<u32>>(), Ok(vec![2, 2]));

    let clock = ManualClock::new();
    let moved = clock.clone();
    let elements = workflow(move |flow| {
        let clocks = flow.value(vec![moved.clone()]);
        flow.job(map(clocks, |clock| works_on(clock).retry(at_once())))
    });
    let report = engine(&clock).run(elements).await.expect("the second attempt is in time");
    assert_eq!(report.output::<Vec<u32>>(), Ok(vec![2]));
}

pub(crate) async fn schedule_to_close_ends_all_attempts() {
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

pub(crate) async fn a_job_without_heartbeats_times_out() {
    let clock = ManualClock::new();
    let silent = workflow(|flow| flow.job(beat::draw(seconds(10), 3).heartbeat(seconds(2))));
    let run = clock.drive(engine(&clock).run(silent).into_future());
    let error = run.await.expect_err("it is silent for too long");
    let (kind, message) = error_of(&error, "beat");
    assert_eq!(kind, JobErrorKind::TimedOut(TimeoutKind::Heartbeat));
    assert_eq!(message, "sent no heartbeat for 2s (heartbeat)");
    assert_eq!(clock.now(), seconds(2));

    let clock = ManualClock::new();
    let silent = workflow(|flow| {
        flow.job(beat::draw(seconds(10), 3).heartbeat(seconds(2)).grace(seconds(1)))
    });
    let run = clock.drive(engine(&clock).run(silent).into_future());
    let error = run.await.expect_err("it is silent for too long");
    let (_, message) = error_of(&error, "beat");
    assert_eq!(message, "sent no heartbeat for 2s (heartbeat): noticed");
    assert_eq!(clock.now(), seconds(2));
}

pub(crate) async fn a_heartbeat_keeps_a_job_alive() {
    let clock = ManualClock::new();
    let lively = workflow(|flow| flow.job(beat::draw(seconds(1), 30).heartbeat(seconds(2))));
    let run = clock.drive(engine(&clock).run(lively).into_future());
    assert_eq!(run.await.expect("it completes").output::<u32>().expect("a number"), 30);
    assert_eq!(clock.now(), seconds(30));
}

pub(crate) async fn a_run_timeout_ends_the_run() {
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
    assert_eq!(report.reason().expect("a reason"), "the run timed out after 60s");
    assert_eq!(report.job("beat").expect("a job").status, Status::Cancelled);
    assert_eq!(report.job("flaky").expect("a job").status, Status::Skipped);
    assert_eq!(clock.now(), seconds(60));
}

pub(crate) async fn a_job_that_waits_for_a_retry_ends_with_its_last_error() {
    let clock = ManualClock::new();
    let stops_first = workflow(|flow| {
        flow.timeout(seconds(90));
        flow.job(flaky::draw(9))
    });
    let error = clock.drive(engine(&clock).run(stops_first).into_future()).await;
    let report = error.expect_err("the run times out").into_report().expect("it began");
    let job = report.job("flaky").expect("a job");
    assert_eq!((job.status, job.attempts), (Status::Failed, 2));
    assert_eq!(job.error.expect("an error").message, "attempt 2 failed");
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

/// Yields in the way of the executor: tokio wakes a task that yields only when there is nothing
/// else to do.
async fn yield_now() {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => tokio::task::yield_now().await,
        Err(_) => smol::future::yield_now().await,
    }
}

#[job(start_to_close = "1s")]
async fn yields(times: u32) -> u32 {
    for _ in 0..times {
        yield_now().await;
    }
    times
}

/// Adds a job that sleeps, for which the clock could move too early.
fn beside_a_sleeper(job: impl Fn() -> Call<u32> + Send + Sync + 'static) -> FunctionWorkflow {
    workflow(move |flow| {
        for _ in 0..4 {
            let worked = flow.job(job());
            flow.job(flaky::draw(1).after(worked));
        }
        flow.job(sleep_for::draw(seconds(2)));
    })
}

pub(crate) async fn time_waits_for_jobs_that_yield() {
    let clock = ManualClock::new();
    let run = engine(&clock).run(beside_a_sleeper(|| yields::draw(1000)));
    clock.drive(run.into_future()).await.expect("nothing took a second");
    // Four retries after a minute each, at once.
    assert_eq!(clock.now(), seconds(60));
}

pub(crate) async fn time_waits_for_runs_in_the_background() {
    let clock = ManualClock::new();
    let run = engine(&clock).run(beside_a_sleeper(|| yields::draw(1000)));
    let run = run.start().expect("it starts");
    clock.drive(run.outcome()).await.expect("nothing took a second");
    assert_eq!(clock.now(), seconds(60));

    let clock = ManualClock::new();
    let (engine, driven) = (engine(&clock), clock.clone());
    let in_task = async move {
        let run = engine.run(beside_a_sleeper(|| yields::draw(1000)));
        driven.drive(run.into_future()).await
    };
    let ended = match tokio::runtime::Handle::try_current() {
        Ok(_) => tokio::spawn(in_task).await.expect("no panic"),
        Err(_) => smol::spawn(in_task).await,
    };
    ended.expect("nothing took a second");
    assert_eq!(clock.now(), seconds(60));
}

#[job(start_to_close = "1s")]
fn works(micros: u64) -> u32 {
    let began = Instant::now();
    while began.elapsed() < Duration::from_micros(micros) {
        std::hint::spin_loop();
    }
    1
}

pub(crate) async fn time_waits_for_functions() {
    let clock = ManualClock::new();
    let run = engine(&clock).run(beside_a_sleeper(|| works::draw(10_000)));
    clock.drive(run.into_future()).await.expect("nothing took a second");
    assert_eq!(clock.now(), seconds(60));
}

#[job(start_to_close = "1s")]
async fn spawns(times: u32) -> u32 {
    let task = async move {
        for _ in 0..times {
            yield_now().await;
        }
        times
    };
    match tokio::runtime::Handle::try_current() {
        Ok(_) => tokio::spawn(task).await.expect("no panic"),
        // The executor of smol has its own threads, which the clock does not know.
        Err(_) => task.await,
    }
}

/// Only on an executor with one thread: the clock does not know tasks on other threads.
pub(crate) async fn time_waits_for_tasks_of_jobs() {
    if let Ok(runtime) = tokio::runtime::Handle::try_current()
        && runtime.runtime_flavor() != tokio::runtime::RuntimeFlavor::CurrentThread
    {
        return;
    }
    let clock = ManualClock::new();
    let run = engine(&clock).run(beside_a_sleeper(|| spawns::draw(10)));
    clock.drive(run.into_future()).await.expect("nothing took a second");
    assert_eq!(clock.now(), seconds(60));
}

#[job]
fn sleeps_in_function(ctx: &JobContext) -> u32 {
    smol::block_on(ctx.sleep(seconds(3600)));
    1
}

pub(crate) async fn a_function_may_wait_for_the_clock() {
    let began = Instant::now();
    let clock = ManualClock::new();
    let sleepers = workflow(|flow| {
        for number in 0..5 {
            flow.job(sleeps_in_function::draw().name(format!("sleeps {number}")));
        }
    });
    clock.drive(engine(&clock).run(sleepers).into_future()).await.expect("it completes");
    assert_eq!(clock.now(), seconds(3600));
    // No stall timeout was needed.
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
}

type Gate = Arc<std::sync::Mutex<std::sync::mpsc::Receiver<()>>>;

#[job]
fn waits_in_vain(gate: Gate) -> u32 {
    gate.lock().expect("no panic").recv().expect("it is opened");
    1
}

/// A function may wait for something that only time brings.
pub(crate) async fn time_moves_while_a_job_waits_for_a_sleeping_job() {
    let clock = ManualClock::new();
    let (open, gate) = std::sync::mpsc::channel();
    let gate = Arc::new(std::sync::Mutex::new(gate));
    let waits = workflow(move |flow| {
        flow.job(waits_in_vain::draw(Arc::clone(&gate)));
        let (open, slept) = (open.clone(), flow.job(sleep_for::draw(seconds(60))));
        flow.job(closure("opens", slept, move |_| {
            let sent = open.send(());
            async move { Ok::<_, JobError>(sent?) }
        }));
    });
    clock.drive(engine(&clock).run(waits).into_future()).await.expect("it completes");
    assert_eq!(clock.now(), seconds(60));
}

pub(crate) async fn one_clock_serves_many_runs() {
    let clock = ManualClock::new();
    let run = |number| {
        let slow = workflow(move |flow| {
            let slept = flow.job(sleep_for::draw(seconds(number)));
            flow.job(yields::draw(300).after(slept))
        });
        engine(&clock).run(slow)
    };
    let started: Vec<_> = (1..10).map(|number| run(number).start().expect("it starts")).collect();
    let background = async {
        for run in &started {
            run.outcome().await.expect("nothing took a second");
        }
    };
    let awaited = futures::future::join_all((10..20).map(|number| run(number).into_future()));
    // Two callers drive the clock at once, and neither moves it while the other's run is busy.
    let driven = futures::future::join(clock.drive(background), clock.drive(awaited));
    let (_, awaited) = driven.await;
    assert!(awaited.iter().all(Result::is_ok));
    assert_eq!(clock.now(), seconds(19));
}
