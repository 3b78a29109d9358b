//! Histories that grow long and continue as new.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use workflow_core::event::{Event, EventKind};
use workflow_core::id::RunId;
use workflow_core::prelude::*;
use workflow_temporal::{TemporalClient, TemporalWorker, WorkerError};

use crate::support::{bare_client, until, until_awaited};

/// A worker with a limit, for queues of its own.
pub(crate) struct Served {
    stop: oneshot::Sender<()>,
    worker: JoinHandle<Result<(), WorkerError>>,
}

impl Served {
    pub(crate) fn start(client: &TemporalClient, prefix: &str, history_limit: u32) -> Self {
        let engine = Engine::builder().queue_prefix(prefix).build();
        let worker = TemporalWorker::new(client.clone(), engine)
            .task_queues([format!("{prefix}-workflows")])
            .shutdown_grace(Duration::from_secs(1))
            .history_limit(history_limit);
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = tokio::spawn(async move { worker.run(async { drop(stopped.await) }).await });
        Self { stop, worker }
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.worker.await.expect("no panic").expect("it serves");
    }
}

/// A client with queues of its own.
pub(crate) async fn own_client() -> (TemporalClient, String) {
    let prefix = format!("continued-{}", RunId::random());
    (bare_client().await.queue_prefix(prefix.clone()), prefix)
}

/// How often the run continued in another execution.
fn continued(events: &[Event]) -> usize {
    assert!(events.iter().map(|event| event.sequence).eq(0..events.len() as u64));
    events.iter().filter(|event| matches!(event.kind, EventKind::RunResumed { .. })).count()
}

static STEPS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

#[job]
async fn step(number: u64) -> u64 {
    STEPS.lock().expect("no panic").push(number);
    number
}

#[register_workflow(name = "many steps")]
async fn many_steps(ctx: WorkflowContext, count: u64) -> Result<u64, JobError> {
    let mut sum = 0;
    for number in 0..count {
        sum += ctx.run(step, number).await?;
    }
    loop {
        match ctx.wait_signal::<Option<u64>>("more").await? {
            Some(more) => sum += more,
            None => return Ok(sum),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_many_steps_continues_as_new() {
    let (client, prefix) = own_client().await;
    let worker = Served::start(&client, &prefix, 70);
    let run = client.run("many steps").input(80).start().await.expect("it starts");
    // Nobody waits for them yet. Some arrive while an execution hands over to the next one.
    for more in 1..=40_u64 {
        run.signal("more", more).await.expect("it is running");
        until(|| async { STEPS.lock().expect("no panic").len() as u64 >= 2 * more }).await;
    }
    run.signal("more", None::<u64>).await.expect("it is running");
    assert_eq!(run.result::<u64>().await.expect("it completes"), 3_160 + 820);
    let steps = std::mem::take(&mut *STEPS.lock().expect("no panic"));
    assert!(steps.into_iter().eq(0..80), "each step is made once");

    let events = run.events(0).await.expect("a worker answers").into_vec();
    assert!(continued(&events) >= 5, "{}", continued(&events));
    let received = |event: &&Event| matches!(event.kind, EventKind::SignalReceived { .. });
    assert_eq!(events.iter().filter(received).count(), 41);
    let report = run.outcome().await.expect("it completed");
    assert_eq!((report.id(), report.output::<u64>().expect("a number")), (run.id(), 3_980));
    assert_eq!(run.status().await.expect("it answers"), Status::Completed);

    // All executions are one run, whichever ID somebody has.
    let again = client.run("many steps").input(80).workflow_id(run.workflow_id()).start().await;
    assert_eq!(again.expect("it exists").id(), run.id());
    for text in [run.workflow_id(), &run.id().to_string()] {
        let found = client.select(text).await.expect("it is there");
        assert_eq!((found.id(), found.workflow_id()), (run.id(), run.workflow_id()));
        assert_eq!(found.status().await.expect("it answers"), Status::Completed);
    }
    let filter = format!("WorkflowId = '{}'", run.workflow_id());
    until(|| async {
        let listed = client.list(&filter, 10).await.expect("the server answers");
        listed.len() == 1 && listed[0].status == Status::Completed
    })
    .await;
    let listed = client.list(&filter, 10).await.expect("the server answers");
    assert_eq!(listed[0].run_id, run.id().to_string());
    let began = events[0].at.duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs();
    assert_eq!(listed[0].started_at, Some(began));
    worker.stop().await;
}

static CHECKED: AtomicU64 = AtomicU64::new(0);

#[job]
async fn check(number: u64) -> u64 {
    CHECKED.fetch_add(1, Ordering::SeqCst);
    number
}

#[register_workflow(name = "wide and waiting")]
async fn wide_and_waiting(ctx: WorkflowContext, count: u64) -> Result<u64, JobError> {
    let all: Vec<u64> = (0..count).collect();
    let checks =
        |all: Handle<Vec<u64>>| map(all, |number: Handle<u64>| check(number)).concurrency(4);
    let checked = ctx.run(checks, all).await?;
    ctx.sleep(Duration::from_secs(2)).await;
    let extra: u64 = ctx.wait_signal("extra").await?;
    Ok(checked.iter().sum::<u64>() + extra)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_that_is_never_at_rest_is_held_back() {
    let (client, prefix) = own_client().await;
    let worker = Served::start(&client, &prefix, 60);
    let run = client.run("wide and waiting").input(100).start().await.expect("it starts");
    until_awaited(&run, "extra").await;
    run.deliver("extra", 50_u64).await.expect("a job waits for it");
    assert_eq!(run.result::<u64>().await.expect("it completes"), 5_000);
    assert_eq!(CHECKED.load(Ordering::SeqCst), 100, "each element is checked once");
    let events = run.events(0).await.expect("a worker answers").into_vec();
    assert!(continued(&events) >= 3, "{}", continued(&events));
    let report = run.outcome().await.expect("it completed");
    assert!(report.duration() >= Duration::from_secs(2), "{:?}", report.duration());
    worker.stop().await;
}

#[job]
async fn slow_step(number: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(20)).await;
    number
}

#[register_workflow(name = "handed over")]
async fn handed_over(ctx: WorkflowContext, count: u64) -> Result<u64, JobError> {
    let all: Vec<u64> = (0..count).collect();
    let steps =
        |all: Handle<Vec<u64>>| map(all, |number: Handle<u64>| slow_step(number)).concurrency(3);
    Ok(ctx.run(steps, all).await?.iter().sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_another_limit_goes_on() {
    let (client, prefix) = own_client().await;
    let run = client.run("handed over").input(60).start().await.expect("it starts");
    let mut limits = [40, 5_000, 20].into_iter();
    let mut seen = 0;
    while let Some(limit) = limits.next() {
        let worker = Served::start(&client, &prefix, limit);
        let target = seen + 40;
        until(|| async {
            run.events(0).await.is_ok_and(|events| {
                let events = events.into_vec();
                events.len() >= target || events.last().is_some_and(|it| it.kind.is_last())
            })
        })
        .await;
        seen = run.events(0).await.expect("a worker answers").into_vec().len();
        if limits.len() == 0 {
            assert_eq!(run.result::<u64>().await.expect("it completes"), 1_770);
            let events = run.events(0).await.expect("a worker answers").into_vec();
            assert!(continued(&events) >= 2, "{}", continued(&events));
        }
        worker.stop().await;
    }
}
