//! Starts workflows on Temporal, and asks for their results and states.

mod error;
mod run;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::TryStreamExt as _;
use serde::Serialize;
use serde_json::Value as Json;
use temporalio_client::errors::WorkflowStartError;
use temporalio_client::{
    Client, UntypedWorkflowHandle, WorkflowDescribeOptions, WorkflowExecutionInfo,
    WorkflowListOptions, WorkflowStartOptions,
};
use temporalio_common::search_attributes::{SearchAttributeKey, SearchAttributes};
use temporalio_common::{MemoValues, UntypedWorkflow};
use workflow_core::definition::Metadata;
use workflow_core::engine::{IntoWorkflow, LookupError};
use workflow_core::id::RunId;
use workflow_core::store::{DEFAULT_PREFIX, queue_of};
use workflow_core::{Status, Workflow};

use crate::client::run::status_of;
use crate::connect::{ConnectError, TemporalOptions};
use crate::payload;

pub use error::{CallError, StartError};
pub use run::TemporalRun;

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
        let found = handle.describe(WorkflowDescribeOptions::builder().build()).await;
        let found = found.map_err(CallError::of_interaction)?;
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
