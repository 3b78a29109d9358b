//! Runs on Temporal, with a worker for each, for scenarios that create workflows as they go.

use std::any::Any;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use workflow_core::definition::Metadata;
use workflow_core::engine::{IntoWorkflow, LookupError};
use workflow_core::id::{RunId, WorkflowName};
use workflow_core::prelude::*;
use workflow_core::value::Type;
use workflow_core::workflow::{FunctionWorkflow, OutputOf, Plan, PlanError};
use workflow_temporal::{CallError, StartError, TemporalClient, TemporalOptions, TemporalWorker};

/// A request for a run on Temporal, which behaves like one of an engine.
pub(crate) struct Request {
    workflow: Result<Arc<dyn Workflow>, LookupError>,
    input: Option<serde_json::Value>,
}

/// Requests a run.
pub(crate) fn run(workflow: impl IntoWorkflow) -> Request {
    Request { workflow: workflow.into_workflow(), input: None }
}

impl Request {
    pub(crate) fn input(mut self, input: impl Serialize) -> Self {
        self.input = Some(serde_json::to_value(input).expect("it has a JSON form"));
        self
    }

    async fn outcome(self) -> Result<Report, RunError> {
        let workflow = registered(self.workflow.map_err(RunError::Registry)?);
        // A worker that began before the workflow was registered does not know it.
        let prefix = RunId::random().to_string();
        let options = TemporalOptions::new().address(test_temporal::server().address());
        let client = TemporalClient::connect(&options).await.expect("the server is there");
        let client = client.queue_prefix(prefix.clone());
        let engine = Engine::builder().queue_prefix(prefix).build();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let worker = TemporalWorker::new(client.clone(), engine);
        let queues = worker.served_queues().expect("a valid registry");
        let worker = worker.task_queues(queues);
        let worker = tokio::spawn(async move { worker.run(async { drop(stopped.await) }).await });
        let mut request = client.run(workflow);
        if let Some(input) = self.input {
            request = request.input(input);
        }
        let outcome = match request.start().await {
            Ok(run) => run.outcome().await,
            Err(StartError::Plan { workflow, error }) => {
                Err(CallError::Run(RunError::Plan { workflow, error }))
            }
            Err(error) => panic!("it does not start: {error:?}"),
        };
        drop(stop);
        worker.await.expect("no panic").expect("it serves");
        match outcome {
            Ok(report) => Ok(report),
            Err(CallError::Run(error)) => Err(error),
            Err(error) => panic!("no outcome: {error:?}"),
        }
    }
}

impl IntoFuture for Request {
    type Output = Result<Report, RunError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.outcome())
    }
}

/// The workflow if it is registered, or else under a unique name.
fn registered(workflow: Arc<dyn Workflow>) -> Arc<dyn Workflow> {
    let known = registry::get(workflow.name().as_str()).map(|entry| entry.workflow());
    if known.is_ok_and(|known| Arc::ptr_eq(&known, &workflow)) {
        return workflow;
    }
    let name = format!("{}-{}", workflow.name(), RunId::random());
    let name = WorkflowName::new(name).expect("a name");
    registry::register(Renamed { workflow, name }).expect("a unique name").workflow()
}

struct Renamed {
    workflow: Arc<dyn Workflow>,
    name: WorkflowName,
}

impl Workflow for Renamed {
    fn name(&self) -> &WorkflowName {
        &self.name
    }

    fn metadata(&self) -> &Metadata {
        self.workflow.metadata()
    }

    fn input(&self) -> Option<Type> {
        self.workflow.input()
    }

    fn output(&self) -> Option<Type> {
        self.workflow.output()
    }

    fn plan(&self, input: Option<&(dyn Any + Send + Sync)>) -> Result<Arc<Plan>, PlanError> {
        self.workflow.plan(input)
    }
}

/// As the helper of the engine's suite.
#[track_caller]
pub(crate) fn workflow<D: OutputOf>(
    draw: impl Fn(&mut Flow) -> D + Send + Sync + 'static,
) -> FunctionWorkflow {
    let file = Path::new(Location::caller().file()).file_stem().expect("a file");
    FunctionWorkflow::new(&file.to_string_lossy(), draw).expect("a name")
}

/// Yields this many times.
pub(crate) async fn turns(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}
