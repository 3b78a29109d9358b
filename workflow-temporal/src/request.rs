//! Requests of the engine as futures of the SDK.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::channel::oneshot;
use futures::future::LocalBoxFuture;
use serde_json::{Value as Json, json};
use temporalio_common::data_converters::RawValue;
use temporalio_common::error::{
    ActivityExecutionError, ChildWorkflowExecutionError, IncomingError,
};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use temporalio_common::{ActivityCloseTimeouts, RetryPolicy, UntypedActivity, UntypedWorkflow};
use temporalio_sdk::{
    ActivityCancellationType, ActivityOptions, ChildWorkflowOptions, LocalActivityOptions,
    ParentClosePolicy, TimerOptions, WorkflowCancellationToken, WorkflowContext,
};
use workflow_core::engine::Engine;
use workflow_core::executor::{
    self, AttemptOutcome, AttemptRequest, ChildRequest, RunControl, is_addressable,
};
use workflow_core::store::queue_of;
use workflow_core::{JobError, registry};

use crate::activity::{self, Activities};
use crate::activity_id::activity_id;
use crate::bridge::Request;
use crate::message::chain;
use crate::payload;

/// How requests of one worker's workflows are carried out.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) engine: Engine,
    pub(crate) activities: Arc<Activities>,
    pub(crate) placement: Placement,
    /// A worker that is silent for so long is dead.
    pub(crate) lease: Duration,
    /// The number of events from which on a history continues as new.
    pub(crate) history_limit: u32,
    /// Receives the run, in a replay that reads its events.
    pub(crate) observer: Observer,
}

/// Receives a run that is replayed.
pub(crate) type Observer = Option<Arc<Mutex<Option<Observed>>>>;

/// A run that is replayed.
pub(crate) struct Observed {
    pub(crate) control: RunControl,
    /// The number of events before the first workflow task that no worker has completed.
    pub(crate) decided: Option<usize>,
}

/// The default lease.
pub(crate) const LEASE: Duration = Duration::from_secs(8);
/// The default: a tenth of the events at which Temporal ends a workflow.
pub(crate) const HISTORY_LIMIT: u32 = 5_000;

impl Plan {
    /// The default plan.
    pub(crate) fn new(engine: Engine, activities: Arc<Activities>) -> Self {
        Self {
            engine,
            activities,
            placement: Placement::default(),
            lease: LEASE,
            history_limit: HISTORY_LIMIT,
            observer: None,
        }
    }

    /// Shows the run to the observer, before the events of a workflow task. `is_decided` says
    /// whether a worker has completed the task.
    pub(crate) fn observe(&self, control: &RunControl, is_decided: bool) {
        let Some(observer) = &self.observer else { return };
        let mut observed = observer.lock().unwrap_or_else(PoisonError::into_inner);
        let observed =
            observed.get_or_insert_with(|| Observed { control: control.clone(), decided: None });
        if !is_decided {
            observed.decided.get_or_insert_with(|| control.events(0).len());
        }
    }
}

/// Where attempts of jobs are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Placement {
    /// As activities, by any worker of the workflow's task queue. The default. Jobs that other
    /// workers cannot find, such as closures, are local activities.
    #[default]
    Activities,
    /// As local activities, by the worker that runs the workflow: faster, for short jobs. When that
    /// worker dies, another one starts them again.
    LocalActivities,
}

/// Delivers an answer to the engine.
pub(crate) type Answer = Box<dyn FnOnce()>;

/// A duration without an end, for timeouts that Temporal demands.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The time after its own timeout at which Temporal gives up an attempt.
const MARGIN: Duration = Duration::from_secs(30);

/// The time between two tries of an activity whose worker died or lacks the job.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Begins to carry out a request.
pub(crate) fn begin<W: 'static>(
    ctx: &WorkflowContext<W>,
    plan: &Plan,
    request: Request,
) -> LocalBoxFuture<'static, Answer> {
    match request {
        Request::Sleep(duration, answer) => sleep(ctx.clone(), duration, answer).boxed_local(),
        Request::Child(child, answer) => run_child(ctx.clone(), plan, *child, answer),
        Request::Attempt(attempt, answer) => {
            let queue = attempt.task.task_queue.as_deref();
            if let (Some(queue), false) = (queue, is_addressable(&attempt)) {
                return refuse(&attempt.task.function, queue, answer);
            }
            let is_local = plan.placement == Placement::LocalActivities && queue.is_none();
            if is_local || !is_addressable(&attempt) {
                return run_local(ctx.clone(), plan, *attempt, answer);
            }
            run_activity(ctx.clone(), plan, *attempt, answer)
        }
    }
}

async fn sleep<W: 'static>(
    ctx: WorkflowContext<W>,
    duration: Duration,
    answer: oneshot::Sender<()>,
) -> Answer {
    let token = WorkflowCancellationToken::new();
    let options = TimerOptions::builder(duration).cancellation_token(token.clone()).build();
    cancellable(ctx.timer(options), &token, || answer.is_canceled()).await;
    Box::new(move || {
        // Fails if nobody waits any more.
        let _unwanted = answer.send(());
    })
}

/// Waits for a call of Temporal, and cancels it when it is time. Checked whenever the engine was
/// polled, because the engine decides it, and without a waker, because the SDK does not accept wakes
/// of others.
async fn cancellable<F: Future>(
    call: F,
    token: &WorkflowCancellationToken,
    is_time: impl Fn() -> bool,
) -> F::Output {
    let mut call = pin!(call);
    poll_fn(|cx| {
        if is_time() && !token.is_cancelled() {
            token.cancel();
        }
        call.as_mut().poll(cx)
    })
    .await
}

fn run_activity<W: 'static>(
    ctx: WorkflowContext<W>,
    plan: &Plan,
    attempt: AttemptRequest,
    answer: oneshot::Sender<AttemptOutcome>,
) -> LocalBoxFuture<'static, Answer> {
    let AttemptRequest { task, stop, .. } = &attempt;
    let token = WorkflowCancellationToken::new();
    let limit = task.timeouts.start_to_close;
    let limit = limit.map_or(FOREVER, |limit| limit + task.grace + MARGIN);
    // Temporal tries again what was lost with its worker. The engine does all other retries.
    let retry =
        RetryPolicy::builder().initial_interval(RETRY_INTERVAL).backoff_coefficient(1.0).build();
    let mut options =
        ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::StartToClose(limit))
            .activity_id(activity_id(&task.job, task.attempt, task.signals.len()))
            .summary(task.job.clone())
            .heartbeat_timeout(plan.lease)
            .retry_policy(retry)
            .cancellation_token(token.clone())
            .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
            .build();
    options.task_queue = task.task_queue.as_deref().map(str::to_owned);
    let name = UntypedActivity::new(plan.activities.type_of(&task.function));
    let input = payload::write(&json!(task));
    let stop = stop.clone();
    async move {
        let is_time = || stop.is_set() || answer.is_canceled();
        let call = ctx.execute_activity(name, input, options);
        let outcome = activity_outcome(cancellable(call, &token, is_time).await);
        Box::new(move || drop(answer.send(outcome))) as Answer
    }
    .boxed_local()
}

/// Answers an attempt that the workers of its task queue cannot find.
fn refuse(
    function: &str,
    queue: &str,
    answer: oneshot::Sender<AttemptOutcome>,
) -> LocalBoxFuture<'static, Answer> {
    let outcome = AttemptOutcome::failed(&executor::not_addressable(function, queue));
    std::future::ready(Box::new(move || drop(answer.send(outcome))) as Answer).boxed_local()
}

fn run_local<W: 'static>(
    ctx: WorkflowContext<W>,
    plan: &Plan,
    attempt: AttemptRequest,
    answer: oneshot::Sender<AttemptOutcome>,
) -> LocalBoxFuture<'static, Answer> {
    let token = WorkflowCancellationToken::new();
    let task = &attempt.task;
    let mut options = LocalActivityOptions::default();
    options.activity_id = Some(activity_id(&task.job, task.attempt, task.signals.len()));
    options.cancellation_token = Some(token.clone());
    options.start_to_close_timeout = Some(FOREVER);
    options.summary = Some(task.job.clone());
    let stop = attempt.stop.clone();
    // Only for the time in which the activity may run, so that a replay does not keep it.
    let held = plan.activities.hold(attempt);
    let input = payload::write(&json!(held.key()));
    async move {
        let name = UntypedActivity::new(activity::LOCAL);
        let is_time = || stop.is_set() || answer.is_canceled();
        let call = ctx.execute_local_activity(name, input, options);
        let outcome = activity_outcome(cancellable(call, &token, is_time).await);
        drop(held);
        Box::new(move || drop(answer.send(outcome))) as Answer
    }
    .boxed_local()
}

fn run_child<W: 'static>(
    ctx: WorkflowContext<W>,
    plan: &Plan,
    child: ChildRequest,
    answer: oneshot::Sender<Result<Json, JobError>>,
) -> LocalBoxFuture<'static, Answer> {
    let ChildRequest { workflow, job, attempt, input, stop, .. } = child;
    let token = WorkflowCancellationToken::new();
    let domain = registry::get(&workflow).ok().and_then(|entry| entry.domain().map(str::to_owned));
    let mut options = ChildWorkflowOptions::default();
    options.workflow_id = Some(format!("{}/{}", ctx.workflow_id(), activity_id(&job, attempt, 0)));
    options.task_queue = Some(queue_of(plan.engine.queue_prefix(), domain.as_deref()));
    options.cancellation_token = Some(token.clone());
    options.parent_close_policy = ParentClosePolicy::RequestCancel;
    async move {
        let call = child_result(&ctx, &workflow, input, options);
        let is_time = || stop.is_set() || answer.is_canceled();
        let result = cancellable(call, &token, is_time).await;
        Box::new(move || drop(answer.send(result))) as Answer
    }
    .boxed_local()
}

async fn child_result<W: 'static>(
    ctx: &WorkflowContext<W>,
    workflow: &str,
    input: Option<Json>,
    options: ChildWorkflowOptions,
) -> Result<Json, JobError> {
    let name = UntypedWorkflow::new(workflow.to_owned());
    let started = ctx.start_child_workflow(name, payload::write_input(input.as_ref()), options);
    let child = started.await.map_err(|error| JobError::terminal(chain(&error)))?;
    match child.result().await {
        Ok(output) => payload::read(&output.payloads).map_err(JobError::terminal),
        Err(error) => Err(JobError::retryable(match &error {
            ChildWorkflowExecutionError::Failed(failure) => application_message(failure.cause())
                .unwrap_or_else(|| match failure.as_cancelled() {
                    Some(_) => format!("workflow `{workflow}` was cancelled"),
                    None => chain(&error),
                }),
            other => chain(other),
        })),
    }
}

/// The message of the application failure behind an error.
fn application_message(error: Option<&IncomingError>) -> Option<String> {
    match error? {
        IncomingError::Application(failure) => {
            failure.failure().map(|failure| failure.message.clone())
        }
        _ => None,
    }
}

/// The outcome of an attempt that was an activity.
fn activity_outcome(result: Result<RawValue, ActivityExecutionError>) -> AttemptOutcome {
    match result {
        Ok(output) => outcome_of(&output.payloads),
        Err(error) => failed_outcome(&error),
    }
}

fn outcome_of(payloads: &[Payload]) -> AttemptOutcome {
    let read = payload::read(payloads).and_then(serde_json::from_value);
    read.unwrap_or_else(|error| {
        let error = format!("the activity returned something else than an outcome: {error}");
        AttemptOutcome::failed(&JobError::terminal(error))
    })
}

/// The outcome of an activity that failed.
fn failed_outcome(error: &ActivityExecutionError) -> AttemptOutcome {
    let details = match error {
        ActivityExecutionError::Cancelled(cancelled) => {
            return match cancelled.raw_details() {
                Some(details) if !details.is_empty() => outcome_of(details),
                _ => AttemptOutcome::cancelled(),
            };
        }
        ActivityExecutionError::Failed(failure) => match failure.cause() {
            Some(IncomingError::Application(application)) => application.raw_details(),
            _ => None,
        },
        _ => None,
    };
    match details {
        Some(details) if !details.is_empty() => outcome_of(details),
        _ => AttemptOutcome::failed(&JobError::retryable(chain(error))),
    }
}
