//! Starts workflows on Temporal, and asks for their results and states.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::TryStreamExt as _;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use temporalio_client::errors::{
    WorkflowGetResultError, WorkflowInteractionError, WorkflowQueryError, WorkflowStartError,
};
use temporalio_client::{
    Client, UntypedQuery, UntypedSignal, UntypedWorkflowHandle, WorkflowCancelOptions,
    WorkflowDescribeOptions, WorkflowExecutionInfo, WorkflowExecutionStatus,
    WorkflowFetchHistoryOptions, WorkflowGetResultOptions, WorkflowHandle, WorkflowListOptions,
    WorkflowQueryOptions, WorkflowSignalOptions, WorkflowStartOptions, tonic,
};
use temporalio_common::error::IncomingError;
use temporalio_common::search_attributes::{SearchAttributeKey, SearchAttributes};
use temporalio_common::{MemoValues, UntypedWorkflow};
use workflow_core::definition::Metadata;
use workflow_core::engine::{Engine, IntoWorkflow, LookupError, ResumeError};
use workflow_core::event::{Event, RunView};
use workflow_core::id::RunId;
use workflow_core::store::{DEFAULT_PREFIX, queue_of};
use workflow_core::workflow::PlanError;
use workflow_core::{Report, RunError, Status, Workflow};

use crate::connect::{ConnectError, TemporalOptions};
use crate::message::{AWAITING, DELIVER, EVENTS, PROGRESS, chain};
use crate::payload;

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

const PROJECT: SearchAttributeKey<String> = SearchAttributeKey::keyword("Project");
const DOMAIN: SearchAttributeKey<String> = SearchAttributeKey::keyword("Domain");
const TAGS: SearchAttributeKey<Vec<String>> = SearchAttributeKey::keyword_list("Tags");

impl TemporalClient {
    /// Connects to a server.
    ///
    /// # Errors
    ///
    /// Fails if the options are invalid, and if the server does not answer or rejects the client.
    pub async fn connect(options: &TemporalOptions) -> Result<Self, ConnectError> {
        let client = options.connect().await?;
        Ok(Self { client, queue_prefix: DEFAULT_PREFIX.into(), attributes: Attributes::None })
    }

    /// Sets the prefix of the default task queues, which must be that of the workers' engine:
    /// [`EngineBuilder::queue_prefix`](workflow_core::engine::EngineBuilder::queue_prefix). Default:
    /// `default`.
    #[must_use]
    pub fn queue_prefix(mut self, prefix: impl Into<Arc<str>>) -> Self {
        self.queue_prefix = prefix.into();
        self
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
        }
    }

    /// Returns a handle on the run with this workflow ID: the latest one with it.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub async fn find(&self, workflow_id: &str) -> Result<TemporalRun, CallError> {
        let info = WorkflowExecutionInfo::builder()
            .namespace(self.namespace())
            .workflow_id(workflow_id)
            .build();
        let handle: UntypedWorkflowHandle<Client> = info.bind_untyped(self.client.clone());
        let found = handle.describe(WorkflowDescribeOptions::builder().build()).await?;
        let run = found.run_id().parse().map_err(|_| CallError::foreign(workflow_id))?;
        let name = found.workflow_type().to_owned();
        let id = workflow_id.to_owned();
        Ok(TemporalRun { handle: Arc::new(handle), workflow: name, run, id, input: None })
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
}

impl StartRequest {
    /// Sets the input.
    pub fn input(mut self, input: impl Serialize) -> Self {
        self.input = Some(serde_json::to_value(input));
        self
    }

    /// Sets the workflow ID, which is unique among the running workflows of the namespace. Default:
    /// the name of the workflow and a random UUID.
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

    /// Starts the run, and returns when Temporal has it.
    ///
    /// # Errors
    ///
    /// Fails if there is no such workflow, if the input does not fit, if a workflow with this ID is
    /// running, or if the server does not accept the workflow.
    pub async fn start(self) -> Result<TemporalRun, StartError> {
        let Self { client, workflow, input, workflow_id, task_queue } = self;
        let workflow = workflow.map_err(StartError::Lookup)?;
        let name = workflow.name().to_string();
        let input = input.transpose().map_err(StartError::Input)?;
        check(&*workflow, input.as_ref())?;
        let metadata = workflow.metadata();
        let id = workflow_id.unwrap_or_else(|| format!("{name}-{}", RunId::random()));
        let queue = task_queue.unwrap_or_else(|| queue_of(&client.queue_prefix, metadata.domain()));
        let mut options = WorkflowStartOptions::new(queue, id.clone()).build();
        options.memo = Some(memo(metadata));
        options.search_attributes = match client.attributes {
            Attributes::None => None,
            Attributes::Search => Some(search_attributes(metadata)),
        };
        options.static_summary = metadata.description().map(str::to_owned);
        let payloads = payload::write_input(input.as_ref());
        let started =
            client.client.start_workflow(UntypedWorkflow::new(name.clone()), payloads, options);
        let handle = match started.await {
            Ok(handle) => handle,
            Err(WorkflowStartError::AlreadyStarted { .. }) => {
                return Err(StartError::AlreadyStarted { id });
            }
            Err(error) => {
                return Err(StartError::Server { workflow: name, error: Box::new(error) });
            }
        };
        let run = handle.run_id().and_then(|run| run.parse().ok());
        let run = run.ok_or_else(|| StartError::Server {
            workflow: name.clone(),
            error: "the server returned no run ID that is a UUID".into(),
        })?;
        Ok(TemporalRun { handle: Arc::new(handle), workflow: name, run, id, input })
    }
}

/// Checks that a workflow accepts an input and can be planned, before Temporal has it.
pub(crate) fn check(workflow: &dyn Workflow, input: Option<&Json>) -> Result<(), StartError> {
    let workflow_name = || workflow.name().to_string();
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

/// Project, domain and tags, for people.
fn memo(metadata: &Metadata) -> MemoValues {
    let mut memo = MemoValues::new();
    for (key, value) in [("project", metadata.project()), ("domain", metadata.domain())] {
        if let Some(value) = value {
            memo.insert(key, value.to_owned());
        }
    }
    let tags: Vec<String> = metadata.tags().map(str::to_owned).collect();
    if !tags.is_empty() {
        memo.insert("tags", tags);
    }
    memo
}

fn search_attributes(metadata: &Metadata) -> SearchAttributes {
    let tags: Vec<String> = metadata.tags().map(str::to_owned).collect();
    let updates = [
        metadata.project().map(|project| PROJECT.value_set(project.to_owned())),
        metadata.domain().map(|domain| DOMAIN.value_set(domain.to_owned())),
        (!tags.is_empty()).then(|| TAGS.value_set(tags)),
    ];
    SearchAttributes::new(updates.into_iter().flatten())
}

/// A run on Temporal.
#[derive(Clone)]
pub struct TemporalRun {
    handle: Arc<WorkflowHandle<Client, UntypedWorkflow>>,
    /// The name of the workflow.
    workflow: String,
    run: RunId,
    id: String,
    /// The input, if this program started the run.
    input: Option<Json>,
}

impl TemporalRun {
    /// The run ID of Temporal, which is the run's ID everywhere.
    pub fn id(&self) -> RunId {
        self.run
    }

    /// The workflow ID.
    pub fn workflow_id(&self) -> &str {
        &self.id
    }

    /// The name of the workflow.
    pub fn workflow(&self) -> &str {
        &self.workflow
    }

    /// Waits for the end of the run, and returns its output.
    ///
    /// # Errors
    ///
    /// Fails if the run fails or is cancelled, or if its output is not a `T`.
    pub async fn result<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        let output = self.output().await?;
        serde_json::from_value(output).map_err(CallError::Payload)
    }

    /// Waits for the end of the run, and returns its output as JSON, or null without one.
    ///
    /// # Errors
    ///
    /// Fails if the run fails or is cancelled.
    pub async fn output(&self) -> Result<Json, CallError> {
        let result = self.handle.get_result(WorkflowGetResultOptions::builder().build()).await;
        match result {
            Ok(output) => payload::read(&output.payloads).map_err(CallError::Payload),
            Err(error) => Err(CallError::of_result(&self.workflow, error)),
        }
    }

    /// Waits for the end of the run, and returns its report, as an engine in this process would. A
    /// worker must be there, to answer the query for the events.
    ///
    /// # Errors
    ///
    /// Fails as the run of an engine does, with [`CallError::Run`], and if the workflow is not in
    /// this program.
    pub async fn outcome(&self) -> Result<Report, CallError> {
        match self.output().await {
            Ok(_) | Err(CallError::Failed { .. } | CallError::Cancelled { .. }) => {}
            Err(error) => return Err(error),
        }
        let events = self.events(0).await?;
        let input = self.input.clone();
        let report = Engine::default().restore_report(&*self.workflow, self.run, input, events)?;
        match report.status() {
            Status::Completed => Ok(report),
            Status::Cancelled => Err(CallError::Run(RunError::Cancelled(report))),
            _ => Err(CallError::Run(RunError::Failed(report))),
        }
    }

    /// Returns the recorded events from this sequence number on. A worker must be there.
    ///
    /// # Errors
    ///
    /// Fails if no worker answers.
    pub async fn events(&self, from: u64) -> Result<Vec<Event>, CallError> {
        self.query(EVENTS, json!({ "from": from })).await
    }

    /// Returns the state of the run and its jobs. A worker must be there.
    ///
    /// # Errors
    ///
    /// Fails if no worker answers.
    pub async fn progress(&self) -> Result<RunView, CallError> {
        let mut view = RunView::default();
        self.events(0).await?.iter().for_each(|event| view.apply(event));
        Ok(view)
    }

    /// Returns the state of the run and its jobs as JSON, as other clients of Temporal query it.
    ///
    /// # Errors
    ///
    /// Fails if no worker answers.
    pub async fn progress_json(&self) -> Result<Json, CallError> {
        self.query(PROGRESS, Json::Null).await
    }

    /// Returns the names of the signals for which jobs of the run wait. A worker must be there.
    ///
    /// # Errors
    ///
    /// Fails if no worker answers.
    pub async fn awaited_signals(&self) -> Result<Vec<String>, CallError> {
        self.query(AWAITING, Json::Null).await
    }

    async fn query<T: DeserializeOwned>(&self, name: &str, input: Json) -> Result<T, CallError> {
        let mut tries = 1;
        let answer = loop {
            let query = UntypedQuery::new(name);
            let options = WorkflowQueryOptions::builder().build();
            match self.handle.query(query, payload::write(&input), options).await {
                Err(WorkflowQueryError::Rpc(status))
                    if is_transient(&status) && tries < QUERY_TRIES =>
                {
                    tries += 1;
                    tokio::time::sleep(QUERY_PAUSE).await;
                }
                answer => break answer?,
            }
        };
        let answer = payload::read(&answer.payloads).map_err(CallError::Payload)?;
        serde_json::from_value(answer).map_err(CallError::Payload)
    }

    /// Returns the history of the run as JSON, for [`replay`](crate::replay).
    ///
    /// # Errors
    ///
    /// Fails if the server does not have the history.
    pub async fn history(&self) -> Result<Vec<u8>, CallError> {
        let history = self.handle.fetch_history(WorkflowFetchHistoryOptions::builder().build());
        history.to_json().await.map_err(|error| CallError::Server(error.into()))
    }

    /// Sends a signal, for a job that waits for this name now or later.
    ///
    /// # Errors
    ///
    /// Fails if the run has ended, or if the payload does not serialize to JSON.
    pub async fn signal(&self, name: &str, payload: impl Serialize) -> Result<(), CallError> {
        let payload = serde_json::to_value(payload).map_err(CallError::Payload)?;
        let (signal, options) =
            (UntypedSignal::new(name), WorkflowSignalOptions::builder().build());
        Ok(self.handle.signal(signal, payload::write(&payload), options).await?)
    }

    /// Sends a signal only if a job waits for it.
    ///
    /// # Errors
    ///
    /// Fails if no job waits for it, or no worker answers.
    pub async fn deliver(&self, name: &str, payload: impl Serialize) -> Result<(), CallError> {
        use temporalio_client::{UntypedUpdate, WorkflowExecuteUpdateOptions};
        let payload = serde_json::to_value(payload).map_err(CallError::Payload)?;
        let input = json!({ "signal": name, "payload": payload });
        let update = UntypedUpdate::new(DELIVER);
        let options = WorkflowExecuteUpdateOptions::default();
        let delivered = self.handle.execute_update(update, payload::write(&input), options);
        let rejected = |error| CallError::Server(chain(&error).into());
        delivered.await.map(drop).map_err(rejected)
    }

    /// Requests that the run is cancelled. Its jobs stop first.
    ///
    /// # Errors
    ///
    /// Fails if the run has ended.
    pub async fn cancel(&self) -> Result<(), CallError> {
        Ok(self.handle.cancel(WorkflowCancelOptions::builder().build()).await?)
    }

    /// The status of the run, from the server: no worker is needed.
    ///
    /// # Errors
    ///
    /// Fails if the server does not know the run.
    pub async fn status(&self) -> Result<Status, CallError> {
        let found = self.handle.describe(WorkflowDescribeOptions::builder().build()).await?;
        Ok(status_of(found.status()))
    }
}

/// How often, and how fast, a query is asked that the server gave up: as when the worker that has
/// the workflow in memory has just stopped.
const QUERY_TRIES: u32 = 5;
const QUERY_PAUSE: Duration = Duration::from_millis(200);

fn is_transient(status: &tonic::Status) -> bool {
    matches!(
        status.code(),
        tonic::Code::Cancelled | tonic::Code::DeadlineExceeded | tonic::Code::Unavailable
    )
}

/// A status of Temporal in the words of this project.
pub(crate) fn status_of(status: WorkflowExecutionStatus) -> Status {
    match status {
        WorkflowExecutionStatus::Completed => Status::Completed,
        WorkflowExecutionStatus::Canceled => Status::Cancelled,
        WorkflowExecutionStatus::Failed
        | WorkflowExecutionStatus::TimedOut
        | WorkflowExecutionStatus::Terminated => Status::Failed,
        _ => Status::Running,
    }
}

/// Why a run did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no such workflow in this program.
    #[error(transparent)]
    Lookup(LookupError),
    /// The input does not serialize to JSON.
    #[error("the input cannot be written as JSON")]
    Input(#[source] serde_json::Error),
    /// The input does not fit the workflow.
    #[error("the input does not fit workflow `{workflow}`: {reason}")]
    Mismatch {
        /// The workflow.
        workflow: String,
        /// What does not fit.
        reason: String,
    },
    /// The workflow cannot be planned for this input.
    #[error("workflow `{workflow}` cannot run")]
    Plan {
        /// The workflow.
        workflow: String,
        /// The cause.
        #[source]
        error: PlanError,
    },
    /// A workflow with this ID is running.
    #[error(
        "a workflow with the ID `{id}` is already running; choose another ID, or find that run"
    )]
    AlreadyStarted {
        /// The workflow ID.
        id: String,
    },
    /// The server did not accept the workflow.
    #[error("Temporal did not start workflow `{workflow}`")]
    Server {
        /// The workflow.
        workflow: String,
        /// The cause.
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why a request to a run on Temporal failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such run.
    #[error("Temporal has no such run; its retention period may be over")]
    NotFound,
    /// The run failed.
    #[error("workflow `{workflow}` failed: {message}")]
    Failed {
        /// The workflow.
        workflow: String,
        /// The failure.
        message: String,
    },
    /// The run was cancelled.
    #[error("workflow `{workflow}` was cancelled")]
    Cancelled {
        /// The workflow.
        workflow: String,
    },
    /// The run did not complete, as its report shows.
    #[error(transparent)]
    Run(RunError),
    /// The report of the run cannot be restored in this program.
    #[error("the report of the run cannot be restored")]
    Restore(#[from] ResumeError),
    /// A payload is not what it must be.
    #[error("unexpected payload")]
    Payload(#[source] serde_json::Error),
    /// The workflow is not one of this project.
    #[error("workflow `{0}` of this Temporal namespace is not one that this project runs")]
    Foreign(String),
    /// The server or a worker did not answer.
    #[error("Temporal did not answer")]
    Server(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl CallError {
    fn foreign(workflow: &str) -> Self {
        Self::Foreign(workflow.to_owned())
    }

    fn of_result(workflow: &str, error: WorkflowGetResultError) -> Self {
        let workflow = workflow.to_owned();
        match error {
            WorkflowGetResultError::Failed(error) => match *error {
                IncomingError::Application(failure) => {
                    let message = failure.failure().map(|failure| failure.message.clone());
                    Self::Failed { workflow, message: message.unwrap_or_default() }
                }
                other => Self::Failed { workflow, message: chain(&other) },
            },
            WorkflowGetResultError::Cancelled { .. } => Self::Cancelled { workflow },
            WorkflowGetResultError::Terminated { .. } => {
                Self::Failed { workflow, message: "it was terminated".to_owned() }
            }
            WorkflowGetResultError::TimedOut => {
                Self::Failed { workflow, message: "Temporal's timeout of it is over".to_owned() }
            }
            WorkflowGetResultError::NotFound(_) => Self::NotFound,
            other => Self::Server(other.into()),
        }
    }
}

impl From<WorkflowInteractionError> for CallError {
    fn from(error: WorkflowInteractionError) -> Self {
        match error {
            WorkflowInteractionError::NotFound(_) => Self::NotFound,
            other => Self::Server(other.into()),
        }
    }
}

impl From<WorkflowQueryError> for CallError {
    fn from(error: WorkflowQueryError) -> Self {
        match error {
            WorkflowQueryError::NotFound(_) => Self::NotFound,
            other => Self::Server(other.into()),
        }
    }
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunSummary {
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

impl TemporalClient {
    /// Lists the latest runs of the namespace, the newest first. `filter` is a list filter of
    /// Temporal, such as `WorkflowType = 'book' AND ExecutionStatus = 'Running'`; empty for all.
    ///
    /// # Errors
    ///
    /// Fails if the filter is invalid, or if the server does not answer.
    pub async fn list(&self, filter: &str, limit: usize) -> Result<Vec<RunSummary>, CallError> {
        let options = WorkflowListOptions::builder().limit(limit).build();
        let found = self.client.list_workflows(filter, options);
        let found: Vec<_> =
            found.try_collect().await.map_err(|error| CallError::Server(error.into()))?;
        let seconds = |time: SystemTime| {
            time.duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
        };
        let summary = |run: &temporalio_client::WorkflowExecution| RunSummary {
            workflow_id: run.id().to_owned(),
            run_id: run.run_id().to_owned(),
            workflow: run.workflow_type().to_owned(),
            status: status_of(run.status()),
            task_queue: run.task_queue().to_owned(),
            started_at: run.start_time().map(seconds),
            ended_at: run.close_time().map(seconds),
        };
        Ok(found.iter().map(summary).collect())
    }

    /// Finds a run by what people write: its workflow ID, its run ID, or `latest`.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub async fn select(&self, text: &str) -> Result<TemporalRun, CallError> {
        if text == "latest" {
            let newest = self.list("", 1).await?;
            return self.find(&newest.first().ok_or(CallError::NotFound)?.workflow_id).await;
        }
        match self.find(text).await {
            Err(CallError::NotFound) if text.parse::<RunId>().is_ok() => {
                let found = self.list(&format!("RunId = '{text}'"), 1).await?;
                self.find(&found.first().ok_or(CallError::NotFound)?.workflow_id).await
            }
            found => found,
        }
    }
}
