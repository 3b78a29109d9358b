//! A run on Temporal: its result, state, signals and history.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use temporalio_client::errors::WorkflowQueryError;
use temporalio_client::{
    Client, UntypedQuery, UntypedSignal, WorkflowCancelOptions, WorkflowDescribeOptions,
    WorkflowExecutionStatus, WorkflowFetchHistoryOptions, WorkflowGetResultOptions, WorkflowHandle,
    WorkflowQueryOptions, WorkflowSignalOptions, tonic,
};
use temporalio_common::UntypedWorkflow;
use workflow_core::engine::Engine;
use workflow_core::event::{Event, RunView};
use workflow_core::id::RunId;
use workflow_core::{Report, RunError, Status};

use super::error::CallError;
use crate::message::{AWAITING, DELIVER, EVENTS, PROGRESS, chain};
use crate::payload;

/// A run on Temporal.
#[derive(Clone)]
pub struct TemporalRun {
    pub(super) handle: Arc<WorkflowHandle<Client, UntypedWorkflow>>,
    /// The name of the workflow.
    pub(super) workflow: String,
    pub(super) run: RunId,
    pub(super) id: String,
    /// The input, if this program started the run.
    pub(super) input: Option<Json>,
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
                answer => break answer.map_err(CallError::of_query)?,
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
        let sent = self.handle.signal(signal, payload::write(&payload), options).await;
        sent.map_err(CallError::of_interaction)
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
        let requested = self.handle.cancel(WorkflowCancelOptions::builder().build()).await;
        requested.map_err(CallError::of_interaction)
    }

    /// The status of the run, from the server: no worker is needed.
    ///
    /// # Errors
    ///
    /// Fails if the server does not know the run.
    pub async fn status(&self) -> Result<Status, CallError> {
        let found = self.handle.describe(WorkflowDescribeOptions::builder().build()).await;
        Ok(status_of(found.map_err(CallError::of_interaction)?.status()))
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
