//! The routine of a workflow: polls the engine, carries out its requests, and hands a long history
//! over to the next execution.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::future::LocalBoxFuture;
use serde_json::Value as Json;
use temporalio_common::MemoValues;
use temporalio_common::error::ApplicationFailure;
use temporalio_common::protos::temporal::api::common::v1::Payload;
use temporalio_sdk::{
    ContinueAsNewOptions, WaitConditionOptions, WorkflowCancellationToken, WorkflowContext,
    WorkflowTermination,
};
use workflow_core::executor::{DelegatedRun, RecordedRun};
use workflow_core::id::RunId;
use workflow_core::{Report, RunError};

use super::Hosted;
use crate::bridge::{Bridge, Request, Woken};
use crate::continuation::Arguments;
use crate::labels::{Origin, memo_of_next};
use crate::message::chain;
use crate::request::{Answer, Plan, begin};

/// The type of the failure of a workflow whose run failed.
const RUN_FAILED: &str = "RunFailed";

/// The type of the error of a function that differs from the recorded one.
const DEFINITION_CHANGED: &str = "DefinitionChanged";

/// Runs the workflow to its end, or to the point where the next execution resumes it.
pub(super) async fn drive(
    ctx: &WorkflowContext<Hosted>,
    arguments: &[Payload],
) -> Result<Json, WorkflowTermination> {
    let Arguments { input, record } = Arguments::read(arguments).map_err(failed)?;
    let plan = ctx.state(|hosted| hosted.plan.clone());
    let bridge = Bridge::default();
    bridge.set_time(ctx.workflow_time());
    let is_continued = record.is_some();
    let mut run = start(ctx, Arguments { input: input.clone(), record }, &bridge).await?;
    let control = run.control();
    plan.observe(&control, ctx.is_replaying());
    ctx.state_mut(|hosted| hosted.control = Some(control.clone()));
    let mut requests = Requests::default();
    let mut length = Length::new(plan.history_limit);
    let (woken, waker) = Woken::new();
    let mut is_cancelled = false;
    let ended = loop {
        bridge.set_time(ctx.workflow_time());
        for (name, payload) in ctx.state_mut(|hosted| std::mem::take(&mut hosted.signals)) {
            length.has_progressed = true;
            control.signal(name, payload);
        }
        if let Some(ended) = poll(&mut run, &woken, &waker) {
            break ended;
        }
        requests.waiting.extend(bridge.take());
        length.read(ctx);
        if length.is_long() && !is_cancelled && requests.is_at_rest() {
            let record = control.record();
            match Arguments::write(input.as_ref(), &record) {
                Some(arguments) => {
                    // The next execution sleeps for the rest of the time.
                    drop(requests);
                    let options = ContinueAsNewOptions::builder().memo(memo(ctx, &record));
                    match ctx.continue_as_new(arguments, options.build())? {}
                }
                None => length.gives_up(ctx),
            }
        }
        let holds = length.holds_back() && !is_cancelled && !requests.is_at_rest();
        requests.begin(ctx, &plan, holds);
        if requests.open.is_empty() && control.awaited_signals().is_empty() {
            return Err(failed(foreign_wait(ctx.info().workflow_type())));
        }
        let was_cancelled = is_cancelled;
        let answers = until_something_happens(ctx, &mut requests, &woken, &mut is_cancelled).await;
        plan.observe(&control, ctx.is_replaying());
        length.has_progressed |= !answers.is_empty();
        for answer in answers {
            answer();
        }
        if is_cancelled && !was_cancelled {
            control.cancel();
        }
    };
    // What the engine no longer needs must be cancelled, as it would be in a later task.
    drop(requests);
    if is_continued && let Some(change) = changed_definition(&ended) {
        return fail_task(ctx, change).await;
    }
    finish(ended)
}

/// Begins the run, or resumes it. What another version of the program can repair fails only the
/// workflow task, which Temporal retries.
async fn start(
    ctx: &WorkflowContext<Hosted>,
    Arguments { input, record }: Arguments,
    bridge: &Bridge,
) -> Result<DelegatedRun, WorkflowTermination> {
    let (workflow, engine) =
        ctx.state(|hosted| (Arc::clone(&hosted.workflow), hosted.plan.engine.clone()));
    let id: RunId = ctx
        .run_id()
        .parse()
        .map_err(|_| failed(format!("the run ID `{}` of Temporal is not a UUID", ctx.run_id())))?;
    let mut request = engine.run(workflow);
    if let Some(input) = input {
        request = request.input(input);
    }
    let begun = match record {
        None => request.delegate(bridge.clone(), bridge.clone(), id),
        Some(record) => request.delegate_recorded(bridge.clone(), bridge.clone(), record),
    };
    match begun {
        Ok(run) => Ok(run),
        Err(error @ (RunError::Input { .. } | RunError::LimitsNotEnforced { .. })) => {
            Err(failed(chain(&error)))
        }
        Err(error) => fail_task(ctx, chain(&error)).await,
    }
}

/// Fails the workflow task, which Temporal tries again.
async fn fail_task<T>(ctx: &WorkflowContext<Hosted>, problem: String) -> T {
    ctx.force_task_fail(problem);
    std::future::pending().await
}

/// Polls the engine until it rests. Returns how the run ended.
fn poll(run: &mut DelegatedRun, woken: &Woken, waker: &Waker) -> Option<Result<Report, RunError>> {
    while woken.take() {
        if let Poll::Ready(ended) = Pin::new(&mut *run).poll(&mut Context::from_waker(waker)) {
            return Some(ended);
        }
    }
    None
}

/// The requests of the engine that are not answered.
#[derive(Default)]
struct Requests {
    open: Vec<Open>,
    /// Not begun yet.
    waiting: Vec<Request>,
}

struct Open {
    answer: LocalBoxFuture<'static, Answer>,
    is_sleep: bool,
}

impl Requests {
    /// Whether nothing is open but sleeps: the next execution can make all requests again.
    fn is_at_rest(&self) -> bool {
        self.open.iter().all(|open| open.is_sleep)
    }

    /// Begins what waits. `holds` leaves out what the next execution would wait for.
    fn begin(&mut self, ctx: &WorkflowContext<Hosted>, plan: &Plan, holds: bool) {
        for request in std::mem::take(&mut self.waiting) {
            let is_sleep = matches!(request, Request::Sleep(..));
            if holds && !is_sleep {
                self.waiting.push(request);
            } else {
                self.open.push(Open { answer: begin(ctx, plan, request), is_sleep });
            }
        }
    }
}

/// Whether the history of an execution is long.
struct Length {
    /// The number of events from which on it is long.
    limit: u32,
    events: u32,
    /// The number of events when it became long.
    long_since: Option<u32>,
    /// Whether something has happened in this execution, so that the next one begins later.
    has_progressed: bool,
    /// Whether the record did not fit into the arguments of the next execution.
    gave_up: bool,
}

impl Length {
    fn new(limit: u32) -> Self {
        Self { limit, events: 0, long_since: None, has_progressed: false, gave_up: false }
    }

    /// Reads the length of the history, which is the same in a replay.
    fn read(&mut self, ctx: &WorkflowContext<Hosted>) {
        self.events = ctx.history_length();
        if self.long_since.is_some() {
            return;
        }
        // The history says that the limit was reached: a worker with another limit must decide the
        // same in a replay.
        let is_over = self.events >= self.limit;
        let is_noted = || ctx.patched(&format!("long history: {} events", self.events));
        if ctx.continue_as_new_suggested() || (is_over || ctx.is_replaying()) && is_noted() {
            self.long_since = Some(self.events);
        }
    }

    /// Whether the next execution should continue as soon as the run is at rest.
    fn is_long(&self) -> bool {
        self.long_since.is_some() && self.has_progressed && !self.gave_up
    }

    /// Whether it is so long that nothing else may begin before the run is at rest.
    fn holds_back(&self) -> bool {
        let is_over = |since: u32| self.events >= since.saturating_add(since / 4);
        self.is_long() && self.long_since.is_some_and(is_over)
    }

    /// Gives up: the record is too long for Temporal.
    fn gives_up(&mut self, ctx: &WorkflowContext<Hosted>) {
        self.gave_up = true;
        if !ctx.is_replaying() {
            tracing::warn!(
                workflow_id = ctx.workflow_id(),
                events = self.events,
                "the history cannot continue as new, because the outputs of the run's jobs do not fit \
                 into a payload of Temporal; return references instead of data from jobs"
            );
        }
    }
}

/// The memo of the next execution.
fn memo(ctx: &WorkflowContext<Hosted>, record: &RecordedRun) -> MemoValues {
    let started_at = record.events.first().map(|event| event.at);
    let origin = Origin { run: record.run, started_at };
    ctx.state(|hosted| memo_of_next(hosted.workflow.metadata(), origin))
}

/// The error of a run that failed only because its function is not the recorded one.
fn changed_definition(ended: &Result<Report, RunError>) -> Option<String> {
    let Err(RunError::Failed(report)) = ended else { return None };
    let errors = report.jobs().into_iter().filter_map(|job| job.error);
    let mut changes = errors.filter(|error| error.error_type == DEFINITION_CHANGED);
    changes.next().map(|error| error.message)
}

/// A workflow that has failed for good.
fn failed(message: String) -> WorkflowTermination {
    let failure = ApplicationFailure::builder(message).type_name(RUN_FAILED.to_owned());
    WorkflowTermination::from(failure.non_retryable(true).build())
}

fn foreign_wait(workflow: &str) -> String {
    format!(
        "workflow `{workflow}` waits for something that is no job, child workflow, sleep of its \
         context or signal; on Temporal, move it into a job"
    )
}

/// Waits until a request is answered, a signal arrives, or the workflow is cancelled.
async fn until_something_happens(
    ctx: &WorkflowContext<Hosted>,
    requests: &mut Requests,
    woken: &Woken,
    is_cancelled: &mut bool,
) -> Vec<Answer> {
    // A cancelled workflow still receives signals.
    let mut options = WaitConditionOptions::default();
    options.cancellation_token = Some(WorkflowCancellationToken::new());
    let signalled = ctx.wait_condition_with_options(|hosted| !hosted.signals.is_empty(), options);
    let mut signalled = pin!(signalled);
    let mut stopped = pin!(ctx.cancelled());
    poll_fn(|cx| {
        let mut answers = Vec::new();
        requests.open.retain_mut(|request| match request.answer.as_mut().poll(cx) {
            Poll::Ready(answer) => {
                answers.push(answer);
                false
            }
            Poll::Pending => true,
        });
        let mut happened = !answers.is_empty() || woken.is_set();
        if !*is_cancelled && stopped.as_mut().poll(cx).is_ready() {
            (*is_cancelled, happened) = (true, true);
        }
        // Polled last, because its end must not be lost.
        if !happened {
            happened = signalled.as_mut().poll(cx).is_ready();
        }
        if happened { Poll::Ready(answers) } else { Poll::Pending }
    })
    .await
}

fn finish(ended: Result<Report, RunError>) -> Result<Json, WorkflowTermination> {
    match ended {
        // A workflow without an output returns null.
        Ok(report) => Ok(report.output_json().unwrap_or_default()),
        Err(RunError::Cancelled(_)) => Err(WorkflowTermination::cancelled()),
        Err(error) => Err(failed(chain(&error))),
    }
}
