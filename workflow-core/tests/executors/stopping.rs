//! Cancellation, and the jobs that still run after it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use workflow_core::job::{OnFailure, closure};
use workflow_core::prelude::*;

use crate::support::{Running, cancel, run, start, unblock, until_started, workflow};

async fn cancelled(run: &Running) -> Report {
    match run.outcome().await.expect_err("it was cancelled") {
        RunError::Cancelled(report) => report,
        other => panic!("{other}"),
    }
}

#[job(grace)]
async fn polite(ctx: &JobContext) -> Result<u32, JobError> {
    ctx.cancelled().await;
    Err(JobError::from("put everything back"))
}

pub(crate) async fn cancel_starts_the_grace_period() {
    let asks = workflow(|flow| {
        let polite = flow.job(polite());
        flow.job(closure("never", polite, |number| async move { Ok::<_, JobError>(number) }));
    });
    let run = start(run(asks)).await;
    until_started(&run, "polite").await;
    cancel(&run).await;
    cancel(&run).await;
    let report = cancelled(&run).await;
    let job = report.job("polite").expect("a job");
    assert_eq!(job.status, Status::Cancelled);
    assert_eq!(job.error.expect("an error").message, "cancelled: put everything back");
    assert_eq!(report.job("never").expect("a job").status, Status::Skipped);
}

#[job]
async fn hangs() -> u32 {
    std::future::pending().await
}

#[job]
async fn listens(ctx: &JobContext) -> Result<u32, JobError> {
    ctx.cancelled().await;
    std::future::pending().await
}

pub(crate) async fn cancel_drops_jobs_without_grace() {
    let run = start(run(workflow(|flow| flow.job(listens())))).await;
    until_started(&run, "listens").await;
    cancel(&run).await;
    let job = cancelled(&run).await.job("listens").expect("a job");
    assert_eq!(job.error.expect("an error").message, "cancelled");
}

#[job(grace = "1h")]
async fn completes(ctx: &JobContext) -> u32 {
    ctx.cancelled().await;
    7
}

pub(crate) async fn completing_within_the_grace_period_of_a_cancelled_run_counts() {
    let run = start(run(workflow(|flow| flow.job(completes())))).await;
    until_started(&run, "completes").await;
    cancel(&run).await;
    let report = cancelled(&run).await;
    assert_eq!(report.job("completes").expect("a job").status, Status::Completed);
    assert_eq!(report.output::<u32>(), Ok(7));
}

/// What a job with a grace period observes while it stops.
type Told = Arc<Mutex<Vec<String>>>;

#[job(grace = "1h")]
async fn awaits_everything(ctx: &JobContext, told: &Told) -> Result<u32, JobError> {
    let tell = |what: &str| told.lock().expect("no panic").push(what.to_owned());
    let (hour, day) = (Duration::from_secs(3600), Duration::from_secs(86_400));
    let sleeps = futures::future::join(ctx.sleep(hour), ctx.sleep(day));
    let (signal, _) = futures::future::join(ctx.wait_signal::<()>("go"), sleeps).await;
    tell(&signal.expect_err("nobody sends it").to_string());
    tell(&ctx.wait_signal::<()>("go").await.expect_err("it is to stop").to_string());
    ctx.sleep(day).await;
    tell("slept");
    Err(JobError::from("put everything back"))
}

#[job(grace = "1h")]
async fn runs_jobs(ctx: WorkflowContext, told: &Told) -> Result<u32, JobError> {
    let tell = |what: &str| told.lock().expect("no panic").push(what.to_owned());
    tell(&ctx.run(hangs, ()).await.expect_err("it is stopped").to_string());
    ctx.sleep(Duration::from_secs(3600)).await;
    tell("slept");
    tell(&ctx.run(hangs, ()).await.expect_err("it does not begin").to_string());
    Err(JobError::from("put everything back"))
}

pub(crate) async fn waits_of_a_context_end_in_a_grace_period() {
    let stopped = "the job was cancelled while it waited for signal `go`";
    type Draw = fn(Handle<Told>) -> Call<u32>;
    let (awaits, runs): (Draw, Draw) = (|told| awaits_everything(told), |told| runs_jobs(told));
    let cases = [
        ("awaits_everything", awaits, vec![stopped, stopped, "slept"]),
        ("runs_jobs", runs, vec!["cancelled", "slept", "stopped before it began"]),
    ];
    for (name, job, expected) in cases {
        let told = Told::default();
        let seen = Arc::clone(&told);
        let awaits = workflow(move |flow| {
            let told = flow.value(Arc::clone(&told));
            flow.job(job(told))
        });
        let run = start(run(awaits)).await;
        until_started(&run, if name == "runs_jobs" { "hangs" } else { name }).await;
        cancel(&run).await;
        let job = cancelled(&run).await.job(name).expect("a job");
        assert_eq!(job.error.expect("an error").message, "cancelled: put everything back");
        assert_eq!(*seen.lock().expect("no panic"), expected);
    }
}

/// Jobs that a timed-out function called, in a run that continues.
#[job(grace = "1h", start_to_close = "10ms")]
async fn is_stopped_alone(ctx: WorkflowContext) -> Result<u32, JobError> {
    let hung = ctx.run(hangs, ()).await;
    let next = ctx.run(hangs, ()).await;
    Err(JobError::from(format!("{hung:?}, {next:?}")))
}

pub(crate) async fn jobs_of_a_function_end_with_its_timeout() {
    let alone = workflow(|flow| flow.job(is_stopped_alone()));
    let error = run(alone).await.expect_err("its time is up");
    let report = error.report().expect("it began");
    let statuses: Vec<_> = report.jobs().iter().map(|job| (job.name.clone(), job.status)).collect();
    assert_eq!(report.job("hangs").expect("a job").status, Status::Cancelled, "{statuses:?}");
    assert_eq!(report.job("hangs_2").expect("a job").status, Status::Cancelled, "{statuses:?}");
    assert_eq!(report.job("is_stopped_alone").expect("a job").status, Status::Failed);
}

pub(crate) async fn cancel_drops_jobs_that_ignore_it() {
    let run = start(run(workflow(|flow| flow.job(hangs())))).await;
    until_started(&run, "hangs").await;
    cancel(&run).await;
    let job = cancelled(&run).await.job("hangs").expect("a job");
    assert_eq!(
        (job.status, job.error.expect("an error").message),
        (Status::Cancelled, "cancelled".to_owned())
    );
}

pub(crate) async fn cancel_abandons_a_thread_that_ignores_it() {
    let (release, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let deaf = workflow(move |flow| {
        let held = flow.value(Arc::clone(&held));
        flow.job(block_on(held))
    });
    let run = start(run(deaf)).await;
    until_started(&run, "block_on").await;
    cancel(&run).await;
    let job = cancelled(&run).await.job("block_on").expect("a job");
    let message = job.error.expect("an error").message;
    assert_eq!(message, "cancelled: its thread runs on, and its result will be discarded");
    drop(release);
}

pub(crate) async fn a_thread_that_ignores_its_grace_period_is_abandoned() {
    let (release, held) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel::<bool>();
    let (held, tell) = (Arc::new(Mutex::new(held)), Arc::new(Mutex::new(tell)));
    let asked = workflow(move |flow| {
        let held = flow.value(Arc::clone(&held));
        let tell = flow.value(Arc::clone(&tell));
        flow.job(looks_at_its_token(held, tell))
    });
    let run = start(run(asked)).await;
    until_started(&run, "looks_at_its_token").await;
    cancel(&run).await;
    let job = cancelled(&run).await.job("looks_at_its_token").expect("a job");
    let message = job.error.expect("an error").message;
    assert_eq!(message, "cancelled: its thread runs on, and its result will be discarded");
    drop(release);
    assert_eq!(unblock(move || told.recv()).await, Ok(true));
}

#[job]
fn looks_at_its_token(
    ctx: &JobContext,
    held: &Arc<Mutex<mpsc::Receiver<()>>>,
    tell: &Arc<Mutex<mpsc::Sender<bool>>>,
) {
    // Ends with the sender, after the run.
    let _ = held.lock().expect("no panic").recv();
    tell.lock().expect("no panic").send(ctx.is_cancelled()).expect("the test waits");
}

#[job]
fn block_on(held: &Arc<Mutex<mpsc::Receiver<()>>>) -> u32 {
    // Ends with the sender, after the run.
    let _ = held.lock().expect("no panic").recv();
    1
}

#[job]
async fn holds(alive: mpsc::Sender<()>) {
    let _alive = alive;
    std::future::pending().await
}

pub(crate) async fn dropping_the_future_cancels() {
    let (alive, dropped) = mpsc::channel::<()>();
    let holds = workflow(move |flow| {
        let alive = flow.value(alive.clone());
        flow.job(holds(alive));
    });
    let mut run = Box::pin(Engine::default().run(holds).into_future());
    std::future::poll_fn(|cx| {
        assert!(run.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    drop(run);
    // The last sender goes with the job's future, which the background drops.
    let gone = unblock(move || dropped.recv()).await;
    assert!(gone.is_err());
}

#[job]
async fn note(count: &Arc<AtomicU32>, add: u32) {
    count.fetch_add(add, Ordering::Relaxed);
}

pub(crate) async fn jobs_that_always_run_run_after_a_cancel() {
    let count = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&count);
    let cleans = workflow(move |flow| {
        let count = flow.value(Arc::clone(&count));
        let hangs = flow.job(hangs());
        let next = flow.job(note(count, 1).after(hangs));
        flow.job(note(count, 10).name("clean up").after(next).trigger(TriggerRule::Always));
        flow.job(note(count, 100).name("only if").after(next).trigger(TriggerRule::AllDone));
    });
    let run = start(run(cleans)).await;
    until_started(&run, "hangs").await;
    cancel(&run).await;
    let report = cancelled(&run).await;
    assert_eq!(seen.load(Ordering::Relaxed), 10);
    assert_eq!(report.job("clean up").expect("a job").status, Status::Completed);
}

#[job]
async fn fails() -> Result<u32, JobError> {
    Err(JobError::terminal("no luck"))
}

pub(crate) async fn stop_on_failure() {
    for (on_failure, status) in
        [(OnFailure::Stop, Status::Skipped), (OnFailure::Continue, Status::Completed)]
    {
        let count = Arc::new(AtomicU32::new(0));
        let stops = workflow(move |flow| {
            flow.on_failure(on_failure);
            flow.max_parallel(1);
            let count = flow.value(Arc::clone(&count));
            flow.job(fails());
            let other = flow.job(note(count, 1).name("other"));
            flow.job(note(count, 1).name("later").after(other));
        });
        let error = run(stops).await.expect_err("a job failed");
        let report = error.report().expect("it began");
        assert_eq!(report.job("other").expect("a job").status, status);
        assert_eq!(report.job("later").expect("a job").status, status);
    }
}

pub(crate) async fn a_cancelled_run_reports_its_progress() {
    let count = Arc::new(AtomicU32::new(0));
    let half = workflow(move |flow| {
        let count = flow.value(Arc::clone(&count));
        let first = flow.job(note(count, 1));
        let hangs = flow.job(hangs().after(first));
        flow.job(note(count, 1).after(hangs));
    });
    let run = start(run(half)).await;
    until_started(&run, "hangs").await;
    cancel(&run).await;
    let error = run.outcome().await.expect_err("it was cancelled").to_string();
    assert!(error.ends_with("was cancelled: 1 of 3 jobs completed"), "{error}");
}
