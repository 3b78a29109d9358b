//! A registered workflow as a workflow of the SDK: its signals, queries and updates.

mod drive;

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use temporalio_common::WorkflowDefinition;
use temporalio_common::data_converters::{PayloadConverter, RawValue};
use temporalio_common::protos::temporal::api::common::v1::Payloads;
use temporalio_sdk::workflow_interceptors::WorkflowOutputValue;
use temporalio_sdk::workflows::{
    UpdateDefinitionDescriptor, WorkflowDefinitionDescriptor, WorkflowError, WorkflowImplementation,
};
use temporalio_sdk::{WorkflowContext, WorkflowContextView, WorkflowTermination};
use workflow_core::Workflow;
use workflow_core::event::{Event, JobView, RunView};
use workflow_core::executor::RunControl;

use crate::message::{AWAITING, DELIVER, EVENTS, EventPage, PROGRESS};
use crate::request::Plan;
use crate::{names, payload};

use drive::drive;

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
            EVENTS => {
                let from = input["from"].as_u64().unwrap_or_default();
                Ok(json!(EventPage::of(from, self.events(from))))
            }
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
    let value = value.map_err(|_| invalid("the payload is not JSON".to_owned()))?;
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
            let output = drive(&ctx, &payloads).await?;
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
    workflow_core::json::from_value(input).map_err(|error| {
        invalid(format!("invalid input of update `{DELIVER}`: {error}; write {{\"signal\": ..}}"))
    })
}
