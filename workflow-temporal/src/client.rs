//! Starts workflows on Temporal, and asks for their results and states.

mod error;
mod events;
mod run;
mod state;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use serde::Serialize;
use serde_json::Value as Json;
use temporalio_client::errors::WorkflowStartError;
use temporalio_client::tonic::{self, IntoRequest as _};
use temporalio_client::{
    Client, UntypedWorkflowHandle, WorkflowDescribeOptions, WorkflowExecution,
    WorkflowExecutionInfo, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowListOptions,
    WorkflowStartOptions,
};
use temporalio_common::UntypedWorkflow;
use temporalio_common::data_converters::RawValue;
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceRequest;
use workflow_core::engine::{Engine, IntoWorkflow, LookupError};
use workflow_core::flow_control::FlowControl;
use workflow_core::id::RunId;
use workflow_core::store::{DEFAULT_PREFIX, queue_of};
use workflow_core::{Status, Workflow};

use crate::client::run::status_of;
use crate::connect::{ConnectError, TemporalOptions};
use crate::labels::{self, Origin, seconds};
use crate::payload;

pub use error::{CallError, StartError};
pub use events::RunEvents;
pub use run::TemporalRun;
pub use state::{AttemptState, RunState};

/// A client of a Temporal server, for workflows that a [`TemporalWorker`](crate::TemporalWorker)
/// runs.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use workflow_temporal::{TemporalClient, TemporalOptions};
///
/// let client = TemporalClient::connect(&TemporalOptions::new()).await?.queue_prefix("shop");
/// let run = client.run("confirm_booking").input(7).start().await?;
/// let text: String = run.result().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TemporalClient {
    client: Client,
    queue_prefix: Arc<str>,
    attributes: Attributes,
    engine: Engine,
}

/// Whether runs get the search attributes `Project`, `Domain` and `Tags`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attributes {
    /// No. The memo of a run has project, domain and tags in any case.
    #[default]
    None,
    /// Yes. The namespace must have them: `Project` and `Domain` of type `Keyword`, `Tags` of type
    /// `KeywordList` (`temporal operator search-attribute create`).
    Search,
}

impl TemporalClient {
    /// Connects to a server.
    ///
    /// # Errors
    ///
    /// Fails if the options are invalid, and if the server does not answer or rejects the client.
    pub async fn connect(options: &TemporalOptions) -> Result<Self, ConnectError> {
        let client = options.connect().await?;
        Ok(Self {
            client,
            queue_prefix: DEFAULT_PREFIX.into(),
            attributes: Attributes::None,
            engine: Engine::default(),
        })
    }

    /// Sets the prefix of the default task queues, which must be that of the workers' engine:
    /// [`EngineBuilder::queue_prefix`](workflow_core::engine::EngineBuilder::queue_prefix). Default:
    /// `default`.
    #[must_use]
    pub fn queue_prefix(mut self, prefix: impl Into<Arc<str>>) -> Self {
        self.queue_prefix = prefix.into();
        self
    }

    /// Sets the engine with the state that jobs of the workflows need, and its prefix of task
    /// queues. It replays the histories of runs that no worker knows. Default: one without state.
    #[must_use]
    pub fn engine(self, engine: Engine) -> Self {
        let prefix: Arc<str> = engine.queue_prefix().into();
        Self { engine, ..self }.queue_prefix(prefix)
    }

    /// Sets whether runs get search attributes. Default: [`Attributes::None`].
    #[must_use]
    pub fn search_attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.client.options().namespace
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.queue_prefix
    }

    pub(crate) fn sdk(&self) -> &Client {
        &self.client
    }

    /// Prepares a run of a workflow, given by its registered name or as a [`Workflow`].
    pub fn run(&self, workflow: impl IntoWorkflow) -> StartRequest {
        StartRequest {
            client: self.clone(),
            workflow: workflow.into_workflow(),
            input: None,
            workflow_id: None,
            task_queue: None,
            priority: 0,
        }
    }

    /// Returns a handle on the run with this workflow ID: the latest one with it.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub async fn find(&self, workflow_id: &str) -> Result<TemporalRun, CallError> {
        self.find_execution(workflow_id, None).await
    }

    /// Returns a handle on the run of which this execution is a part.
    async fn find_execution(
        &self,
        workflow_id: &str,
        execution: Option<String>,
    ) -> Result<TemporalRun, CallError> {
        let handle = self.execution(workflow_id, execution);
        let found = handle.describe(WorkflowDescribeOptions::builder().build()).await;
        let found = found.map_err(CallError::of_interaction)?;
        let first = run::first_execution(&found).parse();
        Ok(TemporalRun {
            client: self.clone(),
            workflow: found.workflow_type().to_owned(),
            run: first.map_err(|_| CallError::foreign(workflow_id))?,
            id: workflow_id.to_owned(),
        })
    }

    /// A handle on an execution: the latest one with this workflow ID, if none is named.
    fn execution(
        &self,
        workflow_id: &str,
        execution: Option<String>,
    ) -> UntypedWorkflowHandle<Client> {
        let info = WorkflowExecutionInfo::builder()
            .namespace(self.namespace())
            .workflow_id(workflow_id)
            .maybe_run_id(execution)
            .build();
        info.bind_untyped(self.client.clone())
    }
}

/// A request for a run on Temporal.
#[must_use = "a run begins when it is started"]
pub struct StartRequest {
    client: TemporalClient,
    workflow: Result<Arc<dyn Workflow>, LookupError>,
    input: Option<Result<Json, serde_json::Error>>,
    workflow_id: Option<String>,
    task_queue: Option<String>,
    priority: i32,
}

impl StartRequest {
    /// Sets the input.
    pub fn input(mut self, input: impl Serialize) -> Self {
        self.input = Some(serde_json::to_value(input));
        self
    }

    /// Sets the workflow ID. It is an idempotency key: starting again with the same ID returns the
    /// existing run, also after its end, until the retention period of the namespace is over.
    /// Default: the name of the workflow and a random UUID.
    pub fn workflow_id(mut self, id: impl Into<String>) -> Self {
        self.workflow_id = Some(id.into());
        self
    }

    /// Sets the task queue. Default: `{prefix}-{domain}`, or `{prefix}-workflows` for a workflow
    /// without a domain.
    pub fn task_queue(mut self, name: impl Into<String>) -> Self {
        self.task_queue = Some(name.into());
        self
    }

    /// Sets the priority of the run among those of its task queue: higher ones begin first, and
    /// their jobs run first. Temporal has five priorities: more than 2 counts as 2, and less than -2
    /// as -2. Default: 0.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Starts the run, and returns when Temporal has it. Returns the existing run if there is one
    /// with this workflow ID.
    ///
    /// # Errors
    ///
    /// Fails if there is no such workflow, if the input does not fit, if the run with this ID has
    /// another workflow or input, or if the server does not accept the workflow. Fails after some
    /// seconds if the server has no such namespace, because it notices a new one late.
    pub async fn start(self) -> Result<TemporalRun, StartError> {
        Ok(self.start_once().await?.into_run())
    }

    /// Starts the run as [`start`](Self::start) does, and says whether it existed.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_once(self) -> Result<Started, StartError> {
        let Self { client, workflow, input, workflow_id, task_queue, priority } = self;
        let workflow = workflow.map_err(StartError::Lookup)?;
        let name = workflow.name().to_string();
        let input = input.transpose().map_err(StartError::Input)?;
        check(&*workflow, input.as_ref())?;
        let metadata = workflow.metadata();
        let id = workflow_id.unwrap_or_else(|| format!("{name}-{}", RunId::random()));
        let queue = task_queue.unwrap_or_else(|| queue_of(&client.queue_prefix, metadata.domain()));
        let mut options = WorkflowStartOptions::new(queue, id.clone()).build();
        options.id_reuse_policy = WorkflowIdReusePolicy::RejectDuplicate;
        options.id_conflict_policy = WorkflowIdConflictPolicy::Fail;
        // Temporal counts from 1, for the most urgent runs, to 5.
        options.priority.priority_key = Some((3 - priority.clamp(-2, 2)).unsigned_abs());
        options.memo = Some(labels::memo(metadata));
        options.search_attributes = match client.attributes {
            Attributes::None => None,
            Attributes::Search => Some(labels::search_attributes(metadata)),
        };
        options.static_summary = metadata.description().map(str::to_owned);
        let payloads = payload::write_input(input.as_ref());
        let handle = match client.start_in_namespace(&name, payloads, options).await {
            Ok(handle) => handle,
            Err(WorkflowStartError::AlreadyStarted { run_id, .. }) => {
                let existing = client.find_execution(&id, run_id).await;
                let existing = existing.map_err(|error| StartError::server(&name, error))?;
                existing.check_repeated(&name, input.as_ref()).await?;
                return Ok(Started::Existing(existing));
            }
            Err(error) if names_unknown_namespace(&error) => {
                let namespace = client.namespace().to_owned();
                return Err(StartError::Namespace { workflow: name, namespace });
            }
            Err(error) => return Err(StartError::server(&name, error)),
        };
        let run = handle.run_id().and_then(|run| run.parse().ok());
        let invalid = "the server returned no run ID that is a UUID";
        let run = run.ok_or_else(|| StartError::server(&name, invalid))?;
        Ok(Started::New(TemporalRun { client, workflow: name, run, id }))
    }
}

/// What a request to start a run returned.
#[derive(Clone)]
pub enum Started {
    /// The request started this run.
    New(TemporalRun),
    /// An earlier request with the same workflow ID started this run.
    Existing(TemporalRun),
}

impl Started {
    /// The run, whichever request started it.
    pub fn into_run(self) -> TemporalRun {
        match self {
            Self::New(run) | Self::Existing(run) => run,
        }
    }
}

impl TemporalClient {
    /// Starts a workflow. The server may not know a namespace for a moment that it has.
    async fn start_in_namespace(
        &self,
        workflow: &str,
        input: RawValue,
        options: WorkflowStartOptions,
    ) -> Result<UntypedWorkflowHandle<Client>, WorkflowStartError> {
        let began = Instant::now();
        loop {
            let workflow = UntypedWorkflow::new(workflow.to_owned());
            let started = self.client.start_workflow(workflow, input.clone(), options.clone());
            match started.await {
                Err(error) if names_unknown_namespace(&error) => {
                    let within =
                        if self.is_missing().await { NOTICED_WITHIN } else { KNOWN_WITHIN };
                    if began.elapsed() > within {
                        return Err(error);
                    }
                    tokio::time::sleep(KNOWN_PAUSE).await;
                }
                started => return started,
            }
        }
    }

    /// Whether the server says that the namespace does not exist. It looks into its database for
    /// this, and not into a copy.
    async fn is_missing(&self) -> bool {
        let namespace = self.namespace().to_owned();
        let request = DescribeNamespaceRequest { namespace, ..Default::default() };
        let mut service = self.client.connection().workflow_service();
        let described = service.describe_namespace(request.into_request()).await;
        described.is_err_and(|status| status.code() == tonic::Code::NotFound)
    }
}

/// A start refers to nothing else that could be missing.
fn names_unknown_namespace(error: &WorkflowStartError) -> bool {
    matches!(error, WorkflowStartError::Rpc(status) if status.code() == tonic::Code::NotFound)
}

/// How long a namespace is tried that exists. Each service of a server keeps a copy of the
/// namespaces, and reads a missing one from the database, for at most 3 s. Under load, one that had
/// been in use was seen missing for 5 s.
const KNOWN_WITHIN: Duration = Duration::from_secs(60);
/// How long one is tried that does not exist, because it may be made just now.
const NOTICED_WITHIN: Duration = Duration::from_secs(4);
/// How often. A service remembers for a second that there is no such namespace.
const KNOWN_PAUSE: Duration = Duration::from_millis(1100);

/// Checks that a workflow accepts an input and can be planned, before Temporal has it.
pub(crate) fn check(workflow: &dyn Workflow, input: Option<&Json>) -> Result<(), StartError> {
    let workflow_name = || workflow.name().to_string();
    if workflow.metadata().flow_control().is_some_and(FlowControl::has_limits) {
        return Err(StartError::Limits { workflow: workflow_name() });
    }
    let mismatch = |reason| StartError::Mismatch { workflow: workflow_name(), reason };
    let input = match (workflow.input(), input) {
        (None, None | Some(Json::Null)) => None,
        (None, Some(_)) => return Err(mismatch("it takes no input".to_owned())),
        (Some(kind), input) => {
            let read = kind.read(input.cloned().unwrap_or_default());
            Some(read.map_err(|error| mismatch(error.to_string()))?)
        }
    };
    let planned = workflow.plan(input.as_deref()).map(drop);
    planned.map_err(|error| StartError::Plan { workflow: workflow_name(), error })
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TemporalRunSummary {
    /// The workflow ID.
    pub workflow_id: String,
    /// The run ID.
    pub run_id: String,
    /// The name of the workflow.
    pub workflow: String,
    /// The status.
    pub status: Status,
    /// The task queue.
    pub task_queue: String,
    /// When it started, in seconds since 1970.
    pub started_at: Option<u64>,
    /// When it ended, in seconds since 1970.
    pub ended_at: Option<u64>,
}

impl TemporalRunSummary {
    fn of(execution: &WorkflowExecution) -> Self {
        let origin = Origin::of(&execution.memo());
        let run = origin.as_ref().map(|origin| origin.run.to_string());
        let started_at = origin.and_then(|origin| origin.started_at).or(execution.start_time());
        Self {
            workflow_id: execution.id().to_owned(),
            run_id: run.unwrap_or_else(|| execution.run_id().to_owned()),
            workflow: execution.workflow_type().to_owned(),
            status: status_of(execution.status()),
            task_queue: execution.task_queue().to_owned(),
            started_at: started_at.map(seconds),
            ended_at: execution.close_time().map(seconds),
        }
    }
}

impl TemporalClient {
    /// Lists the latest runs of the namespace, the newest first. `filter` is a list filter of
    /// Temporal, such as `WorkflowType = 'book' AND ExecutionStatus = 'Running'`; empty for all.
    ///
    /// # Errors
    ///
    /// Fails if the filter is invalid, or if the server does not answer.
    pub async fn list(
        &self,
        filter: &str,
        limit: usize,
    ) -> Result<Vec<TemporalRunSummary>, CallError> {
        let options = WorkflowListOptions::builder().limit(limit).build();
        // The other executions of a run that continued as new.
        let latest = "ExecutionStatus != 'ContinuedAsNew'";
        let filter = match filter.trim() {
            "" => latest.to_owned(),
            filter => format!("({filter}) AND {latest}"),
        };
        let found = self.client.list_workflows(filter, options);
        let found: Vec<_> =
            found.try_collect().await.map_err(|error| CallError::Server(error.into()))?;
        Ok(found.iter().map(TemporalRunSummary::of).collect())
    }

    /// Returns a handle on a listed run. Makes no request.
    ///
    /// # Errors
    ///
    /// Fails if the workflow is not one of this project.
    pub fn handle(&self, listed: &TemporalRunSummary) -> Result<TemporalRun, CallError> {
        let run = listed.run_id.parse().map_err(|_| CallError::foreign(&listed.workflow_id))?;
        Ok(TemporalRun {
            client: self.clone(),
            workflow: listed.workflow.clone(),
            run,
            id: listed.workflow_id.clone(),
        })
    }

    /// Finds a run by what people write: its workflow ID, its run ID, or `latest`.
    ///
    /// # Errors
    ///
    /// Fails if there is none, after some seconds for a run ID, because the server lists a new run
    /// late.
    pub async fn select(&self, text: &str) -> Result<TemporalRun, CallError> {
        if text == "latest" {
            let newest = self.list("", 1).await?;
            return self.find(&newest.first().ok_or(CallError::NotFound)?.workflow_id).await;
        }
        match self.find(text).await {
            Err(CallError::NotFound) if text.parse::<RunId>().is_ok() => {
                let found = self.listed(text).await?;
                self.find_execution(found.id(), Some(found.run_id().to_owned())).await
            }
            found => found,
        }
    }

    /// The execution with this run ID. The server lists one some time after its start.
    async fn listed(&self, run_id: &str) -> Result<WorkflowExecution, CallError> {
        let began = Instant::now();
        loop {
            let options = WorkflowListOptions::builder().limit(1).build();
            let found = self.client.list_workflows(format!("RunId = '{run_id}'"), options);
            let found: Vec<_> =
                found.try_collect().await.map_err(|error| CallError::Server(error.into()))?;
            match found.into_iter().next() {
                Some(found) => return Ok(found),
                None if began.elapsed() > LISTED_WITHIN => return Err(CallError::NotFound),
                None => tokio::time::sleep(LISTED_PAUSE).await,
            }
        }
    }
}

/// How long an execution is looked for that the server does not list, and how often. Temporal
/// promises no time; up to a second was seen under load.
const LISTED_WITHIN: Duration = Duration::from_secs(5);
const LISTED_PAUSE: Duration = Duration::from_millis(100);
