//! A registered workflow as a workflow of the SDK: its routine, signals, queries and updates.

use std::any::Any;
use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use temporalio_common::WorkflowDefinition;
use temporalio_common::data_converters::{PayloadConverter, RawValue};
use temporalio_common::error::ApplicationFailure;
use temporalio_common::protos::temporal::api::common::v1::Payloads;
use temporalio_sdk::workflow_interceptors::WorkflowOutputValue;
use temporalio_sdk::workflows::{
    UpdateDefinitionDescriptor, WorkflowDefinitionDescriptor, WorkflowError, WorkflowImplementation,
};
use temporalio_sdk::{
    WaitConditionOptions, WorkflowCancellationToken, WorkflowContext, WorkflowContextView,
    WorkflowTermination,
};
use workflow_core::event::{Event, JobView, RunView};
use workflow_core::executor::{DelegatedRun, RunControl};
use workflow_core::id::RunId;
use workflow_core::{Report, RunError, Workflow};

use crate::bridge::{Bridge, Woken};
use crate::message::{AWAITING, DELIVER, EVENTS, PROGRESS, chain};
use crate::request::{Answer, Plan, begin};
use crate::{names, payload};

/// The type of the failure of a workflow whose run failed.
const RUN_FAILED: &str = "RunFailed";

/// An execution of a registered workflow.
pub(crate) struct Hosted {
    workflow: Arc<dyn Workflow>,
    plan: Plan,
    /// Signals that the engine has not received yet.
    signals: VecDeque<(String, Json)>,
    control: Option<RunControl>,
}

impl Hosted {
    pub(crate) fn new(workflow: Arc<dyn Workflow>, plan: Plan) -> Self {
        Self { workflow, plan, signals: VecDeque::new(), control: None }
    }

    fn events(&self, from: u64) -> Vec<Event> {
        self.control.as_ref().map(|control| control.events(from)).unwrap_or_default()
    }

    fn answer(&self, query: &str, input: &Json) -> Result<Json, WorkflowError> {
        match query {
            EVENTS => Ok(json!(self.events(input["from"].as_u64().unwrap_or_default()))),
            PROGRESS => Ok(progress(&self.events(0))),
            AWAITING => {
                let awaited = self.control.as_ref().map(RunControl::awaited_signals);
                Ok(json!(awaited.unwrap_or_default()))
            }
            other => Err(invalid(format!(
                "there is no query `{other}`; there are `{EVENTS}`, `{PROGRESS}` and `{AWAITING}`"
            ))),
        }
    }
}

/// The state of a run and its jobs, for other clients of Temporal.
fn progress(events: &[Event]) -> Json {
    let mut view = RunView::default();
    events.iter().for_each(|event| view.apply(event));
    let job = |job: &JobView| json!({ "job": job.name, "status": job.status });
    let jobs: Vec<Json> = view.jobs().iter().map(job).collect();
    json!({ "status": view.status(), "jobs": jobs })
}

fn invalid(problem: String) -> WorkflowError {
    WorkflowError::Execution(problem.into())
}

/// A signal as the input of an update.
#[derive(Deserialize)]
struct Delivery {
    signal: String,
    #[serde(default)]
    payload: Json,
}

/// The type of all hosted workflows, whose names differ.
pub(crate) struct AnyRun;

impl WorkflowDefinition for AnyRun {
    type Input = RawValue;
    type Output = Json;

    fn name(&self) -> &str {
        "workflow"
    }
}

type Input = Box<dyn Any>;

fn decode(payloads: &Payloads) -> Result<Option<Input>, WorkflowError> {
    let value = payload::read(&payloads.payloads);
    let value = value.map_err(|error| invalid(format!("the payload is not JSON: {error}")))?;
    Ok(Some(Box::new(value)))
}

fn json_of(input: Input) -> Json {
    input.downcast::<Json>().map(|json| *json).unwrap_or_default()
}

impl WorkflowImplementation for Hosted {
    type Run = AnyRun;
    const HAS_INIT: bool = false;
    const INIT_TAKES_INPUT: bool = false;

    fn name() -> &'static str {
        "workflow"
    }

    fn definition() -> WorkflowDefinitionDescriptor {
        WorkflowDefinitionDescriptor {
            workflow_type: names::current(),
            has_init: false,
            init_takes_input: false,
            signals: Vec::new(),
            queries: Vec::new(),
            updates: vec![UpdateDefinitionDescriptor {
                name: DELIVER.to_owned(),
                has_validator: true,
            }],
        }
    }

    fn init(_: WorkflowContextView, _: Option<RawValue>) -> Self {
        unreachable!("workflows are created by a factory")
    }

    fn run(
        ctx: WorkflowContext<Self>,
        input: Option<RawValue>,
    ) -> LocalBoxFuture<'static, Result<Box<dyn WorkflowOutputValue>, WorkflowTermination>> {
        async move {
            let payloads = input.map(|input| input.payloads).unwrap_or_default();
            let input = match payloads.is_empty() {
                true => None,
                false => Some(payload::read(&payloads).map_err(|error| {
                    failed(format!("the input of the workflow is not JSON: {error}"))
                })?),
            };
            let output = drive(&ctx, input).await?;
            Ok(Box::new(output) as Box<dyn WorkflowOutputValue>)
        }
        .boxed_local()
    }

    fn decode_signal_input(
        _: &str,
        payloads: Payloads,
        _: &PayloadConverter,
    ) -> Result<Option<Input>, WorkflowError> {
        decode(&payloads)
    }

    fn dispatch_signal(
        ctx: WorkflowContext<Self>,
        name: &str,
        input: Input,
    ) -> LocalBoxFuture<'static, Result<(), WorkflowError>> {
        let signal = (name.to_owned(), json_of(input));
        ctx.state_mut(|hosted| hosted.signals.push_back(signal));
        std::future::ready(Ok(())).boxed_local()
    }

    fn decode_query_input(
        _: &str,
        payloads: &Payloads,
        _: &PayloadConverter,
    ) -> Result<Option<Input>, WorkflowError> {
        decode(payloads)
    }

    fn dispatch_query(
        &self,
        _: WorkflowContextView,
        name: &str,
        input: Input,
    ) -> Result<Box<dyn WorkflowOutputValue>, WorkflowError> {
        Ok(Box::new(self.answer(name, &json_of(input))?))
    }

    fn decode_update_input(
        _: &str,
        payloads: Payloads,
        _: &PayloadConverter,
    ) -> Result<Option<Input>, WorkflowError> {
        decode(&payloads)
    }

    fn dispatch_update(
        ctx: WorkflowContext<Self>,
        name: &str,
        input: Input,
    ) -> LocalBoxFuture<'static, Result<Box<dyn WorkflowOutputValue>, WorkflowError>> {
        let delivery = delivery(name, json_of(input));
        let delivered = delivery.map(|Delivery { signal, payload }| {
            ctx.state_mut(|hosted| hosted.signals.push_back((signal, payload)));
            Box::new(Json::Null) as Box<dyn WorkflowOutputValue>
        });
        std::future::ready(delivered).boxed_local()
    }

    fn validate_update(
        &self,
        _: WorkflowContextView,
        name: &str,
        input: Input,
    ) -> Result<(), WorkflowError> {
        let Delivery { signal, .. } = delivery(name, json_of(input))?;
        let awaited = self.control.as_ref().map(RunControl::awaited_signals).unwrap_or_default();
        if awaited.contains(&signal) {
            return Ok(());
        }
        Err(invalid(match awaited.is_empty() {
            true => format!("no job waits for signal `{signal}`, or for any other"),
            false => format!("no job waits for signal `{signal}`; awaited: {}", awaited.join(", ")),
        }))
    }
}

fn delivery(update: &str, input: Json) -> Result<Delivery, WorkflowError> {
    if update != DELIVER {
        return Err(invalid(format!("there is no update `{update}`; there is `{DELIVER}`")));
    }
    serde_json::from_value(input).map_err(|error| {
        invalid(format!("invalid input of update `{DELIVER}`: {error}; write {{\"signal\": ..}}"))
    })
}

/// A workflow that has failed for good.
fn failed(message: String) -> WorkflowTermination {
    let failure = ApplicationFailure::builder(message).type_name(RUN_FAILED.to_owned());
    WorkflowTermination::from(failure.non_retryable(true).build())
}

/// Runs the workflow to its end.
async fn drive(
    ctx: &WorkflowContext<Hosted>,
    input: Option<Json>,
) -> Result<Json, WorkflowTermination> {
    let bridge = Bridge::default();
    bridge.set_time(ctx.workflow_time());
    let mut run = start(ctx, input, &bridge).await?;
    let control = run.control();
    ctx.state_mut(|hosted| hosted.control = Some(control.clone()));
    let mut requests: Vec<LocalBoxFuture<'static, Answer>> = Vec::new();
    let (woken, waker) = Woken::new();
    let mut is_cancelled = false;
    let ended = loop {
        bridge.set_time(ctx.workflow_time());
        for (name, payload) in ctx.state_mut(|hosted| std::mem::take(&mut hosted.signals)) {
            control.signal(name, payload);
        }
        let mut ended = None;
        while ended.is_none() && woken.take() {
            let polled = Pin::new(&mut run).poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(result) = polled {
                ended = Some(result);
            }
        }
        if let Some(ended) = ended {
            break ended;
        }
        let plan = ctx.state(|hosted| hosted.plan.clone());
        requests.extend(bridge.take().into_iter().map(|request| begin(ctx, &plan, request)));
        if requests.is_empty() && control.awaited_signals().is_empty() {
            return Err(failed(foreign_wait(ctx.info().workflow_type())));
        }
        let was_cancelled = is_cancelled;
        let answers = until_something_happens(ctx, &mut requests, &woken, &mut is_cancelled);
        for answer in answers.await {
            answer();
        }
        if is_cancelled && !was_cancelled {
            control.cancel();
        }
    };
    // What the engine no longer needs must be cancelled, as it would be in a later task.
    drop(requests);
    finish(ended)
}

/// Begins the run. What another version of the program can repair fails only the workflow task,
/// which Temporal retries.
async fn start(
    ctx: &WorkflowContext<Hosted>,
    input: Option<Json>,
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
    match request.delegate(bridge.clone(), bridge.clone(), id) {
        Ok(run) => Ok(run),
        Err(error @ RunError::Input { .. }) => Err(failed(chain(&error))),
        Err(error) => {
            ctx.force_task_fail(chain(&error));
            std::future::pending().await
        }
    }
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
    requests: &mut Vec<LocalBoxFuture<'static, Answer>>,
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
        requests.retain_mut(|request| match request.as_mut().poll(cx) {
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
