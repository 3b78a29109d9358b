//! Runs on Temporal, with a worker for each, for scenarios that create workflows as they go.

use std::any::Any;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use workflow_core::definition::Metadata;
use workflow_core::engine::{IntoWorkflow, LookupError};
use workflow_core::event::Event;
use workflow_core::id::{RunId, WorkflowName};
use workflow_core::prelude::*;
use workflow_core::value::Type;
use workflow_core::workflow::{FunctionWorkflow, OutputOf, Plan, PlanError};
use workflow_temporal::{
    CallError, StartError, TemporalClient, TemporalOptions, TemporalRun, TemporalWorker,
    WorkerError,
};

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
        let run = self.begin().await?;
        let outcome = run.outcome().await;
        run.stop().await;
        outcome
    }

    async fn begin(self) -> Result<Running, RunError> {
        let workflow = registered(self.workflow.map_err(RunError::Registry)?);
        // A worker that began before the workflow was registered does not know it.
        let prefix = RunId::random().to_string();
        let options = TemporalOptions::new().address(test_temporal::server().address());
        let client = TemporalClient::connect(&options).await.expect("the server is there");
        let client = client.queue_prefix(prefix.clone());
        let engine = Engine::builder().queue_prefix(prefix).build();
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = TemporalWorker::new(client.clone(), engine);
        let queues = worker.served_queues().expect("a valid registry");
        let worker = worker.task_queues(queues);
        let worker = tokio::spawn(async move { worker.run(async { drop(stopped.await) }).await });
        let mut request = client.run(workflow);
        if let Some(input) = self.input {
            request = request.input(input);
        }
        match request.start().await {
            Ok(run) => Ok(Running { run, stop, worker }),
            Err(StartError::Plan { workflow, error }) => Err(RunError::Plan { workflow, error }),
            Err(error) => panic!("it does not start: {error:?}"),
        }
    }
}

/// A run that continues beside its scenario, with its worker.
pub(crate) struct Running {
    run: TemporalRun,
    stop: oneshot::Sender<()>,
    worker: JoinHandle<Result<(), WorkerError>>,
}

impl Running {
    pub(crate) async fn outcome(&self) -> Result<Report, RunError> {
        match self.run.outcome().await {
            Ok(report) => Ok(report),
            Err(CallError::Run(error)) => Err(error),
            Err(error) => panic!("no outcome: {error:?}"),
        }
    }

    /// Stops the worker.
    async fn stop(self) {
        drop(self.stop);
        self.worker.await.expect("no panic").expect("it serves");
    }
}

/// Starts a run.
pub(crate) async fn start(request: Request) -> Running {
    request.begin().await.expect("it starts")
}

/// Requests that the run is cancelled.
pub(crate) async fn cancel(run: &Running) {
    run.run.cancel().await.expect("it is running");
}

/// Calls a function that blocks, on another thread.
pub(crate) async fn unblock<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(call).await.expect("no panic")
}

/// Waits until the job has started.
pub(crate) async fn until_started(run: &Running, job: &str) {
    let started = format!("{job} started");
    let has_started = |event: &Event| event.kind.to_string() == started;
    while !run.run.events(0).await.is_ok_and(|events| events.into_vec().iter().any(has_started)) {
        tokio::time::sleep(Duration::from_millis(20)).await;
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
