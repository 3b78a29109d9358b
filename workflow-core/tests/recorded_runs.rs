//! Delegated runs that continue from their record after every attempt, as if each were a process.

#[path = "support/delegated.rs"]
mod delegated;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::BoxFuture;
use serde_json::{Value as Json, json};
use workflow_core::engine::{ManualClock, ResumeError, RunRequest};
use workflow_core::event::{Event, EventKind};
use workflow_core::executor::{
    AttemptOutcome, AttemptRequest, ChildRequest, Executor, NoSurroundings, RecordedRun, execute,
};
use workflow_core::id::RunId;
use workflow_core::prelude::*;

use delegated::{halve, numbers, rest, square, triple};

type Open = VecDeque<(AttemptRequest, oneshot::Sender<AttemptOutcome>)>;

/// Collects the requests of one process.
#[derive(Clone, Default)]
struct Requests(Arc<Mutex<Open>>);

impl Executor for Requests {
    fn execute(&self, attempt: AttemptRequest) -> BoxFuture<'static, AttemptOutcome> {
        let (answer, answered) = oneshot::channel();
        self.0.lock().expect("no panic").push_back((attempt, answer));
        answered.map(|outcome| outcome.unwrap_or_else(|_| AttemptOutcome::cancelled())).boxed()
    }

    fn run_child(&self, _: ChildRequest) -> BoxFuture<'static, Result<Json, JobError>> {
        unreachable!("no child workflows")
    }
}

/// A run, and what its processes did.
struct Relay {
    workflow: &'static str,
    input: Json,
    clock: ManualClock,
    id: RunId,
    /// Attempts that were made, in order.
    made: Vec<(String, u32)>,
    processes: u32,
    /// A signal that is sent to the first process.
    signal: Option<(&'static str, Json)>,
    events: Vec<Event>,
}

impl Relay {
    fn new(workflow: &'static str, input: Json) -> Self {
        Self {
            workflow,
            input,
            clock: ManualClock::new(),
            id: RunId::random(),
            made: Vec::new(),
            processes: 0,
            signal: None,
            events: Vec::new(),
        }
    }

    fn request(&self) -> RunRequest {
        registry::run(self.workflow).input(&self.input)
    }

    /// Runs to the end, with a process for each attempt and each sleep.
    fn run(&mut self) -> Result<Report, RunError> {
        let mut record = None;
        loop {
            match self.process(record) {
                Ok(next) => record = Some(through_json(&next)),
                Err(ended) => return *ended,
            }
        }
    }

    /// Goes on with a run until one attempt is made or one sleep is over. Returns the record, or
    /// how the run ended.
    fn process(
        &mut self,
        record: Option<RecordedRun>,
    ) -> Result<RecordedRun, Box<Result<Report, RunError>>> {
        self.processes += 1;
        let requests = Requests::default();
        let run = match record {
            None => self.request().delegate(requests.clone(), self.clock.clone(), self.id),
            Some(record) => {
                self.request().delegate_recorded(requests.clone(), self.clock.clone(), record)
            }
        };
        let mut run = run.map_err(|error| Box::new(Err(error)))?;
        assert_eq!(run.id(), self.id);
        let control = run.control();
        if let Some((name, payload)) = self.signal.take() {
            control.signal(name, payload);
        }
        let mut ended = rest(&mut run);
        if ended.is_none() {
            let open = requests.0.lock().expect("no panic").pop_front();
            match open {
                Some((attempt, answer)) => {
                    self.made.push((attempt.task.job.clone(), attempt.task.attempt));
                    let engine = Engine::default();
                    let outcome = execute(&engine, attempt.task, Arc::new(NoSurroundings));
                    drop(answer.send(block_on(outcome)));
                }
                None => {
                    let next = self.clock.until_next().expect("it waits for a time");
                    self.clock.advance(next);
                }
            }
            ended = rest(&mut run);
        }
        self.events = control.events(0);
        match ended {
            Some(ended) => Err(Box::new(ended)),
            None => Ok(control.record()),
        }
    }
}

fn through_json(record: &RecordedRun) -> RecordedRun {
    let text = serde_json::to_string(record).expect("it serializes");
    serde_json::from_str(&text).expect("it is a record")
}

#[test]
fn a_function_goes_on_after_every_call() {
    let mut relay = Relay::new("delegated: collatz", json!(27));
    let report = relay.run().expect("it completes");
    assert_eq!(report.output::<u32>().expect("a number"), 111);
    assert_eq!((relay.made.len(), relay.processes), (111, 111), "each call is made once");
    let sequences = relay.events.iter().map(|event| event.sequence);
    assert!(sequences.eq(0..relay.events.len() as u64), "no event is lost");
    let resumed =
        |event: &&Event| matches!(event.kind, EventKind::RunResumed { after_crash: false });
    assert_eq!(relay.events.iter().filter(resumed).count(), 110);
}

#[job]
async fn sum(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}

#[job]
async fn praise(sum: u64) -> String {
    format!("{sum}!")
}

#[job]
async fn shrug(sum: u64) -> String {
    format!("{sum}")
}

#[register_workflow(name = "recorded: graph")]
fn graph(flow: &mut Flow, count: Handle<usize>) -> Handle<String> {
    let list = flow.job(numbers(count));
    let squares = flow.job(map(list, square).concurrency(2).name("squares"));
    let total = flow.job(sum(squares));
    flow.job(shrug(total).when(total, |total| *total < 10));
    flow.job(praise(total).when(total, |total| *total >= 10))
}

#[test]
fn a_graph_and_its_maps_go_on() {
    let mut relay = Relay::new("recorded: graph", json!(6));
    let report = relay.run().expect("it completes");
    assert_eq!(report.output::<String>().expect("a text"), "55!");
    assert_eq!(report.job("shrug").expect("a job").status, Status::Skipped);
    let mut made: Vec<_> = relay.made.iter().map(|(job, _)| job.as_str()).collect();
    made.sort_unstable();
    made.dedup();
    assert_eq!(made.len(), 9);
    assert_eq!(relay.made.len(), 9, "each attempt is made once: {:?}", relay.made);
}

/// Blocks its thread: in a delegated run, that is a matter of the executor.
#[job(retry(maximum_attempts = 4, initial_interval = "10s", jitter = 0.5))]
fn flaky(ctx: &JobContext, succeeds_at: u32) -> Result<u32, JobError> {
    ctx.persist("last", ctx.attempt())?;
    if ctx.attempt() < succeeds_at { Err("not yet".into()) } else { Ok(ctx.attempt()) }
}

#[job]
async fn last(ctx: &JobContext, _number: u32) -> Result<Option<u32>, JobError> {
    ctx.persisted("last")
}

#[register_workflow(name = "recorded: flaky")]
async fn flaky_function(ctx: WorkflowContext, succeeds_at: u32) -> Result<Option<u32>, JobError> {
    let number = ctx.run(flaky, succeeds_at).await?;
    ctx.run(last, number).await
}

#[test]
fn retries_and_values_go_on() {
    let mut relay = Relay::new("recorded: flaky", json!(3));
    let report = relay.run().expect("it completes");
    assert_eq!(report.output::<Option<u32>>().expect("a number"), Some(3));
    let attempt = |number: u32| ("flaky".to_owned(), number);
    assert_eq!(relay.made, [attempt(1), attempt(2), attempt(3), ("last".to_owned(), 1)]);
    assert_eq!(report.job("flaky").expect("a job").attempts, 3);
    // 10 s and 20 s with up to half less, each waited for once.
    let waited = report.duration().as_secs_f64();
    assert!((15.0..=30.0).contains(&waited), "{waited}");
}

#[register_workflow(name = "recorded: offer")]
async fn offer(ctx: WorkflowContext) -> Result<String, JobError> {
    for number in [6_u64, 4] {
        ctx.run(halve, number).await?;
    }
    ctx.sleep(Duration::from_secs(3600)).await;
    ctx.run(triple, 5).await?;
    let by: String = ctx.wait_signal("approved").await?;
    Ok(format!("approved by {by}"))
}

#[test]
fn signals_and_sleeps_go_on() {
    let mut relay = Relay::new("recorded: offer", Json::Null);
    // It is sent long before somebody waits for it.
    relay.signal = Some(("approved", json!("Ada")));
    let report = relay.run().expect("it completes");
    assert_eq!(report.output::<String>().expect("a text"), "approved by Ada");
    assert_eq!(report.duration().as_secs(), 3600, "it sleeps once");
    assert_eq!((relay.made.len(), relay.processes), (3, 4));
    let received = |event: &&Event| matches!(event.kind, EventKind::SignalReceived { .. });
    assert_eq!(relay.events.iter().filter(received).count(), 1);
}

#[test]
fn a_sleep_goes_on_for_the_rest_of_its_time() {
    let mut relay = Relay::new("recorded: offer", Json::Null);
    let record = relay.process(None).and_then(|record| relay.process(Some(record)));
    let record = record.expect("it has not ended");
    // It sleeps. A third of the time passes before somebody resumes it.
    relay.clock.advance(Duration::from_secs(1200));
    let requests = Requests::default();
    let run = relay.request().delegate_recorded(requests, relay.clock.clone(), record);
    let mut run = run.expect("the record fits");
    assert!(rest(&mut run).is_none());
    assert_eq!(relay.clock.until_next(), Some(Duration::from_secs(2400)));
}

#[job]
async fn nothing(_count: &usize) -> Option<u64> {
    None
}

#[job]
async fn or_seven(number: Option<u64>) -> u64 {
    number.unwrap_or(7)
}

#[register_workflow(name = "recorded: nothing")]
fn passes_nothing(flow: &mut Flow, count: Handle<usize>) -> Handle<u64> {
    let nothing = flow.job(nothing(count));
    flow.job(or_seven(nothing))
}

#[test]
fn an_output_of_null_goes_on() {
    let mut relay = Relay::new("recorded: nothing", json!(1));
    let report = relay.run().expect("it completes");
    assert_eq!((report.output::<u64>().expect("a number"), relay.made.len()), (7, 2));
}

static UNDONE: AtomicU32 = AtomicU32::new(0);

#[job]
async fn book(what: String) -> String {
    what
}

#[job]
async fn give_back(_what: &str) {
    UNDONE.fetch_add(1, Ordering::SeqCst);
}

#[job]
async fn charge(_flight: &str, _hotel: &str) -> Result<(), JobError> {
    Err(JobError::terminal("the card is empty"))
}

#[register_workflow(name = "recorded: trip")]
fn trip(flow: &mut Flow) {
    let what = flow.value("flight".to_owned());
    let flight = flow.job(book(what).name("flight").compensate(give_back));
    let what = flow.value("hotel".to_owned());
    let hotel = flow.job(book(what).name("hotel").after(flight).compensate(give_back));
    flow.job(charge(flight, hotel));
}

#[test]
fn compensations_go_on() {
    let mut relay = Relay::new("recorded: trip", Json::Null);
    let error = relay.run().expect_err("it is not paid");
    let reason = error.report().and_then(Report::reason);
    assert_eq!(reason.as_deref(), Some("job `charge` failed: the card is empty"));
    assert_eq!((UNDONE.load(Ordering::SeqCst), relay.made.len()), (2, 5));
}

#[test]
fn a_record_of_another_definition_is_refused() {
    let mut relay = Relay::new("recorded: graph", json!(3));
    let record = relay.process(None).expect("it has not ended");
    let other = registry::run("recorded: trip").delegate_recorded(
        Requests::default(),
        ManualClock::new(),
        record.clone(),
    );
    let Err(RunError::Resume { error, .. }) = other.map(drop) else { panic!("it is refused") };
    let is_changed = matches!(error.downcast_ref(), Some(ResumeError::Changed { .. }));
    assert!(is_changed, "{error}");
    let mut damaged = record;
    damaged.events.remove(1);
    let damaged =
        relay.request().delegate_recorded(Requests::default(), ManualClock::new(), damaged);
    let Err(RunError::Resume { error, .. }) = damaged.map(drop) else { panic!("it is refused") };
    assert!(error.to_string().contains("event"), "{error}");
}

#[register_workflow(name = "recorded: limited", singleton)]
fn limited() -> u64 {
    7
}

#[test]
fn limits_of_runs_are_refused() {
    let run = registry::run("recorded: limited");
    let error = run.delegate(Requests::default(), ManualClock::new(), RunId::random());
    assert!(matches!(error.map(drop), Err(RunError::LimitsNotEnforced { .. })));
}
