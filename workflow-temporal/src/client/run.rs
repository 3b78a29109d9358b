//! A run on Temporal: its result, state, signals and history.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use temporalio_client::errors::{WorkflowQueryError, WorkflowUpdateError};
use temporalio_client::grpc::WorkflowService as _;
use temporalio_client::{
    Client, HistoryEventFilterType, RetryOptions, RpcOptions, UntypedQuery, UntypedSignal,
    UntypedWorkflowHandle, WorkflowCancelOptions, WorkflowDescribeOptions,
    WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowFetchHistoryOptions,
    WorkflowGetResultOptions, WorkflowQueryOptions, WorkflowSignalOptions, tonic,
};
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::PendingWorkflowTaskState;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::workflowservice::v1::GetWorkflowExecutionHistoryRequest;
use workflow_core::engine::Engine;
use workflow_core::event::{Event, RunView};
use workflow_core::id::RunId;
use workflow_core::{Report, RunError, Status};

use super::TemporalClient;
use super::error::{CallError, StartError};
use super::events::RunEvents;
use crate::continuation::Arguments;
use crate::message::{AWAITING, DELIVER, EVENTS, EventPage, PROGRESS, chain};
use crate::{history, payload, replay};

/// A run on Temporal: one execution, or several of which each continued the one before as new.
#[derive(Clone)]
pub struct TemporalRun {
    pub(super) client: TemporalClient,
    /// The name of the workflow.
    pub(super) workflow: String,
    /// The run ID of the first execution.
    pub(super) run: RunId,
    /// The workflow ID.
    pub(super) id: String,
}

impl TemporalRun {
    /// The run ID of the first execution, which is the run's ID everywhere.
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
        let latest = self.latest().await?;
        let result = latest.get_result(WorkflowGetResultOptions::builder().build()).await;
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
        let events = match self.events(0).await? {
            RunEvents::Recorded(events) | RunEvents::Replayed(events) => events,
            RunEvents::Translated(_) => return Err(CallError::NotRecorded),
        };
        let input = self.input().await?;
        let report = Engine::default().restore_report(&*self.workflow, self.run, input, events)?;
        match report.status() {
            Status::Completed => Ok(report),
            Status::Cancelled => Err(CallError::Run(RunError::Cancelled(report))),
            _ => Err(CallError::Run(RunError::Failed(report))),
        }
    }

    /// Returns the input, from the history. `None` without one.
    ///
    /// # Errors
    ///
    /// Fails if the server does not answer, and if the input is not JSON.
    pub async fn input(&self) -> Result<Option<Json>, CallError> {
        let events = self.client.first_events(&self.id, &self.run.to_string(), 1).await?;
        match events.into_iter().next().and_then(|first| first.attributes) {
            Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
                let payloads = started.input.unwrap_or_default().payloads;
                let arguments = Arguments::read(&payloads).map_err(CallError::History)?;
                Ok(arguments.input)
            }
            _ => Err(CallError::History("it does not begin with a start".to_owned())),
        }
    }

    /// Checks that a request for this workflow and input is the one that started the run.
    pub(super) async fn check_repeated(
        &self,
        workflow: &str,
        input: Option<&Json>,
    ) -> Result<(), StartError> {
        let existing = self.input().await;
        let existing = existing.map_err(|error| StartError::server(workflow, error))?;
        let difference = if self.workflow != workflow {
            format!("of workflow `{}`", self.workflow)
        } else if input.unwrap_or(&Json::Null) != existing.as_ref().unwrap_or(&Json::Null) {
            "with another input".to_owned()
        } else {
            return Ok(());
        };
        Err(StartError::KeyConflict { key: self.id.clone(), run: self.run, difference })
    }

    /// Returns the events from this sequence number on. If no worker answers soon, they come from
    /// the history: this program replays it if it has the workflow. Otherwise, and if no worker
    /// answers at all, it translates the history, into [other events](RunEvents::Translated).
    ///
    /// # Errors
    ///
    /// Fails if the server does not answer, and if this program cannot read what a worker answers
    /// or what the history has.
    pub async fn events(&self, from: u64) -> Result<RunEvents, CallError> {
        let answer = pin!(self.events_of_worker(from));
        let late = pin!(async {
            tokio::time::sleep(ANSWERS_SOON).await;
            let state = self.state().await?;
            // Workers that cannot resume the run do not know it.
            let may_answer = state.has_worker && state.blocked.is_none();
            Ok::<_, CallError>((self.events_of_history(from).await?, may_answer))
        });
        match select(answer, late).await {
            Either::Left((answered, _)) => self.unless_answered(answered, from).await,
            Either::Right((read, answer)) => match read? {
                (RunEvents::Translated(_), true) => self.unless_answered(answer.await, from).await,
                (read, _) => Ok(read),
            },
        }
    }

    /// The events of the worker, or those of the history if it did not answer.
    async fn unless_answered(
        &self,
        answered: Result<Vec<Event>, CallError>,
        from: u64,
    ) -> Result<RunEvents, CallError> {
        match answered {
            Err(CallError::Server(error)) => {
                tracing::debug!(workflow_id = self.id, %error, "no worker answers");
                self.events_of_history(from).await
            }
            answered => answered.map(RunEvents::Recorded),
        }
    }

    async fn events_of_history(&self, from: u64) -> Result<RunEvents, CallError> {
        let latest = self.latest().await?;
        let history = latest.fetch_history(WorkflowFetchHistoryOptions::builder().build());
        let history = history.into_events().await.map_err(CallError::of_interaction)?;
        let engine = self.client.engine.clone();
        let read = tokio::task::spawn_blocking(move || match replay::events(&engine, &history) {
            Ok(mut events) => {
                events.retain(|event| event.sequence >= from);
                Ok(RunEvents::Replayed(events))
            }
            Err(error) => {
                tracing::debug!(%error, "the history is translated");
                history::translate(&history).map(RunEvents::Translated)
            }
        });
        let read = read.await.map_err(|error| CallError::Server(error.into()))?;
        read.map_err(CallError::History)
    }

    async fn events_of_worker(&self, from: u64) -> Result<Vec<Event>, CallError> {
        let mut events = Vec::new();
        let mut next = Some(from);
        while let Some(from) = next {
            let page: EventPage = self.query(EVENTS, json!({ "from": from })).await?;
            events.extend(page.events);
            next = page.next;
        }
        Ok(events)
    }

    /// Returns the state of the run and its jobs, from its [events](Self::events).
    ///
    /// # Errors
    ///
    /// Fails if the server does not answer.
    pub async fn progress(&self) -> Result<RunView, CallError> {
        let mut view = RunView::default();
        self.events(0).await?.into_vec().iter().for_each(|event| view.apply(event));
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
        let began = Instant::now();
        let latest = self.latest().await?;
        let answer = loop {
            let query = UntypedQuery::new(name);
            let rpc = RpcOptions::builder()
                .timeout(QUERY_TIMEOUT)
                .retry_options(RetryOptions::no_retries())
                .build();
            let options = WorkflowQueryOptions::builder().rpc_options(rpc).build();
            match latest.query(query, payload::write(&input), options).await {
                Err(WorkflowQueryError::Rpc(status))
                    if is_transient(&status) && began.elapsed() < QUERY_PATIENCE =>
                {
                    tokio::time::sleep(QUERY_PAUSE).await;
                }
                answer => break answer.map_err(CallError::of_query)?,
            }
        };
        let answer = payload::read(&answer.payloads).and_then(serde_json::from_value);
        answer.map_err(|error| CallError::Answer { query: name.to_owned(), error })
    }

    /// Returns the history of the run's latest execution as JSON, for [`replay`](crate::replay).
    ///
    /// # Errors
    ///
    /// Fails if the server does not have the history.
    pub async fn history(&self) -> Result<Vec<u8>, CallError> {
        let latest = self.latest().await?;
        let history = latest.fetch_history(WorkflowFetchHistoryOptions::builder().build());
        history.to_json().await.map_err(|error| CallError::Server(error.into()))
    }

    /// Sends a signal, for a job that waits for this name now or later.
    ///
    /// # Errors
    ///
    /// Fails if the run has ended, or if the payload does not serialize to JSON.
    pub async fn signal(&self, name: &str, payload: impl Serialize) -> Result<(), CallError> {
        let payload = serde_json::to_value(payload).map_err(CallError::Payload)?;
        self.on_latest(|latest| {
            let (signal, payload) = (UntypedSignal::new(name), payload::write(&payload));
            async move {
                let options = WorkflowSignalOptions::builder().build();
                let sent = latest.signal(signal, payload, options).await;
                sent.map_err(CallError::of_interaction)
            }
        })
        .await
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
        self.on_latest(|latest| {
            let (update, input) = (UntypedUpdate::new(DELIVER), payload::write(&input));
            async move {
                let options = WorkflowExecuteUpdateOptions::default();
                let delivered = latest.execute_update(update, input, options).await;
                delivered.map(drop).map_err(|error| match error {
                    WorkflowUpdateError::NotFound(_) => CallError::NotFound,
                    error => CallError::Server(chain(&error).into()),
                })
            }
        })
        .await
    }

    /// Requests that the run is cancelled. Its jobs stop first.
    ///
    /// # Errors
    ///
    /// Fails if the run has ended.
    pub async fn cancel(&self) -> Result<(), CallError> {
        self.on_latest(|latest| async move {
            let requested = latest.cancel(WorkflowCancelOptions::builder().build()).await;
            requested.map_err(CallError::of_interaction)
        })
        .await
    }

    /// The status of the run, from the server: no worker is needed.
    ///
    /// # Errors
    ///
    /// Fails if the server does not know the run.
    pub async fn status(&self) -> Result<Status, CallError> {
        let latest = self.latest().await?;
        let found = latest.describe(WorkflowDescribeOptions::builder().build()).await;
        self.client.latest_status(&found.map_err(CallError::of_interaction)?).await
    }

    /// The latest execution of the run.
    pub(super) async fn latest(&self) -> Result<Execution, CallError> {
        let newest = self.client.execution(&self.id, None);
        let found = newest.describe(WorkflowDescribeOptions::builder().build()).await;
        let found = found.map_err(CallError::of_interaction)?;
        if first_execution(&found) == self.run.to_string() {
            return Ok(self.client.execution(&self.id, Some(found.run_id().to_owned())));
        }
        // A later run has the same workflow ID.
        let mut execution = self.client.execution(&self.id, Some(self.run.to_string()));
        while let Some(next) = next_execution(&execution).await? {
            execution = self.client.execution(&self.id, Some(next));
        }
        Ok(execution)
    }

    /// Makes a request to the latest execution, and again if it continued as new meanwhile. Fails if
    /// the run has ended: the server accepts some requests to an ended run, without any effect.
    async fn on_latest<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        request: impl Fn(Execution) -> F,
    ) -> Result<T, CallError> {
        self.check_open().await?;
        let mut latest = self.latest().await?;
        loop {
            let execution = latest.run_id().map(str::to_owned);
            let answer = request(latest).await;
            let Err(CallError::NotFound) = answer else { return answer };
            latest = self.latest().await?;
            if latest.run_id() == execution.as_deref() {
                self.check_open().await?;
                return answer;
            }
        }
    }

    async fn check_open(&self) -> Result<(), CallError> {
        let status = self.status().await?;
        match status.is_final() {
            true => Err(CallError::Ended { run: self.run, status }),
            false => Ok(()),
        }
    }
}

impl TemporalClient {
    /// The first events of an execution.
    async fn first_events(
        &self,
        workflow_id: &str,
        run_id: &str,
        count: i32,
    ) -> Result<Vec<HistoryEvent>, CallError> {
        let (workflow_id, run_id) = (workflow_id.to_owned(), run_id.to_owned());
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: self.namespace().to_owned(),
            execution: Some(WorkflowExecution { workflow_id, run_id }),
            maximum_page_size: count,
            ..GetWorkflowExecutionHistoryRequest::default()
        };
        let mut client = self.sdk().clone();
        let found = client.get_workflow_execution_history(tonic::Request::new(request)).await;
        let found = found.map_err(|status| match status.code() {
            tonic::Code::NotFound => CallError::NotFound,
            _ => CallError::Server(status.into()),
        })?;
        Ok(found.into_inner().history.unwrap_or_default().events)
    }

    /// The status of a run whose latest execution the server describes. It is pending until a worker
    /// has begun it.
    pub(super) async fn latest_status(
        &self,
        found: &WorkflowExecutionDescription,
    ) -> Result<Status, CallError> {
        let status = status_of(found.status());
        let is_continued = first_execution(found) != found.run_id();
        if status != Status::Running || is_continued {
            return Ok(status);
        }
        let is_started = match &found.raw().pending_workflow_task {
            _ if found.history_length() <= UNSTARTED => false,
            Some(task) if task.state() == PendingWorkflowTaskState::Scheduled => {
                // Signals and requests to cancel are events, too.
                let first = self.first_events(found.id(), found.run_id(), EARLY_EVENTS).await?;
                replay::is_started(&first)
            }
            _ => true,
        };
        Ok(if is_started { Status::Running } else { Status::Pending })
    }
}

type Execution = UntypedWorkflowHandle<Client>;

/// The run ID of the first execution of the run.
pub(super) fn first_execution(found: &WorkflowExecutionDescription) -> &str {
    let info = found.raw().workflow_execution_info.as_ref();
    match info.map(|info| info.first_run_id.as_str()) {
        Some(first) if !first.is_empty() => first,
        _ => found.run_id(),
    }
}

/// The run ID of the execution that continues this one.
async fn next_execution(execution: &Execution) -> Result<Option<String>, CallError> {
    let last = WorkflowFetchHistoryOptions::builder()
        .event_filter_type(HistoryEventFilterType::CloseEvent)
        .build();
    let events = execution.fetch_history(last).into_events().await;
    let last = events.map_err(CallError::of_interaction)?.pop();
    Ok(match last.and_then(|event| event.attributes) {
        Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(continued)) => {
            Some(continued.new_execution_run_id)
        }
        _ => None,
    })
}

/// How long a worker that is there and not busy takes to answer, at most. Without one, the server
/// keeps a query for 10 s.
const ANSWERS_SOON: Duration = Duration::from_millis(500);

/// The longest time for an answer to a query.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long, and how fast, a query is asked again that the server gave up: as when the worker that
/// has the workflow in memory has just stopped.
const QUERY_PATIENCE: Duration = Duration::from_secs(8);
const QUERY_PAUSE: Duration = Duration::from_millis(200);

fn is_transient(status: &tonic::Status) -> bool {
    matches!(
        status.code(),
        tonic::Code::Cancelled | tonic::Code::DeadlineExceeded | tonic::Code::Unavailable
    )
}

/// The number of events until a worker begins a workflow: its start, and the first task.
const UNSTARTED: usize = 2;
/// Among how many events the first one of a worker is looked for.
const EARLY_EVENTS: i32 = 100;

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
