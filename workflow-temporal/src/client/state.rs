//! What the server says about a run, whether or not a worker answers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use temporalio_client::grpc::WorkflowService;
use temporalio_client::{WorkflowDescribeOptions, WorkflowFetchHistoryOptions, tonic};
use temporalio_common::protos::temporal::api::enums::v1::{PendingActivityState, TaskQueueType};
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::taskqueue::v1::{PollerInfo, TaskQueue};
use temporalio_common::protos::temporal::api::workflow::v1::PendingActivityInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeTaskQueueRequest;
use workflow_core::Status;
use workflow_core::event::Blocked;
use workflow_core::executor::UNKNOWN_DEFINITION;

use super::run::TemporalRun;
use super::{CallError, TemporalClient};
use crate::activity_id::attempt_of;
use crate::labels::Origin;

/// What the server says about a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunState {
    /// The status.
    pub status: Status,
    /// The task queue.
    pub task_queue: String,
    /// When the run started.
    pub started_at: Option<SystemTime>,
    /// Whether a worker has polled the task queue in the last 65 s.
    pub has_worker: bool,
    /// Why the workers cannot resume the run, until one of them can.
    pub blocked: Option<Blocked>,
    /// The attempts that are activities.
    pub attempts: Vec<AttemptState>,
}

/// What the server says about an attempt of a job.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AttemptState {
    /// The job.
    pub job: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// Whether a worker makes the attempt. Otherwise it waits for one.
    pub is_running: bool,
    /// When the attempt started or was scheduled.
    pub since: SystemTime,
}

impl TemporalRun {
    /// Asks the server about the run. No worker is needed.
    ///
    /// # Errors
    ///
    /// Fails if the server does not know the run.
    pub async fn state(&self) -> Result<RunState, CallError> {
        let latest = self.latest().await?;
        let found = latest.describe(WorkflowDescribeOptions::builder().build()).await;
        let found = found.map_err(CallError::of_interaction)?;
        let status = self.client.latest_status(&found).await?;
        let task_queue = found.task_queue().to_owned();
        let origin = Origin::of(&found.memo());
        let started_at = origin.and_then(|origin| origin.started_at).or(found.start_time());
        let raw = found.into_raw();
        let mut blocked = raw.pending_activities.iter().find_map(unknown_definition);
        // The first failure of a workflow task is in the history. Temporal tries it again.
        if raw.pending_workflow_task.is_some_and(|task| task.attempt > 1) {
            let all = WorkflowFetchHistoryOptions::builder().build();
            let events = latest.fetch_history(all).into_events().await;
            blocked = failed_task(&events.map_err(CallError::of_interaction)?).or(blocked);
        }
        Ok(RunState {
            has_worker: self.client.has_worker(&task_queue).await?,
            attempts: raw.pending_activities.iter().map(AttemptState::of).collect(),
            status,
            task_queue,
            started_at,
            blocked,
        })
    }
}

impl TemporalClient {
    /// Whether a worker has polled this task queue in the last 65 s.
    ///
    /// # Errors
    ///
    /// Fails if the server does not answer.
    pub async fn has_worker(&self, task_queue: &str) -> Result<bool, CallError> {
        Ok(!self.workers(task_queue).await?.is_empty())
    }

    /// Returns the identities of the workers that have polled this task queue in the last 65 s.
    ///
    /// # Errors
    ///
    /// Fails if the server does not answer.
    pub async fn workers(&self, task_queue: &str) -> Result<Vec<String>, CallError> {
        let request = DescribeTaskQueueRequest {
            namespace: self.namespace().to_owned(),
            task_queue: Some(TaskQueue { name: task_queue.to_owned(), ..TaskQueue::default() }),
            task_queue_type: TaskQueueType::Workflow.into(),
            ..DescribeTaskQueueRequest::default()
        };
        let mut client = self.sdk().clone();
        let found = client.describe_task_queue(tonic::Request::new(request)).await;
        let found = found.map_err(|status| CallError::Server(status.into()))?;
        let now = SystemTime::now();
        let is_alive = |poller: &PollerInfo| {
            let accessed = poller.last_access_time.as_ref();
            let accessed = accessed.map(|accessed| time((accessed.seconds, accessed.nanos)));
            let silent_for = accessed.and_then(|accessed| now.duration_since(accessed).ok());
            silent_for.is_none_or(|silent_for| silent_for < SILENT)
        };
        let alive = found.into_inner().pollers.into_iter().filter(is_alive);
        Ok(alive.map(|poller| poller.identity).collect())
    }
}

/// How long a worker that lives is silent, at most: a poll takes a minute. The server lists a worker
/// for five minutes after its last poll.
const SILENT: Duration = Duration::from_secs(65);

impl AttemptState {
    fn of(pending: &PendingActivityInfo) -> Self {
        let (job, attempt) = attempt_of(&pending.activity_id);
        let is_running = pending.state() == PendingActivityState::Started;
        let times = (pending.last_started_time.as_ref(), pending.scheduled_time.as_ref());
        let since = if is_running { times.0.or(times.1) } else { times.1 };
        let since = since.map(|time| (time.seconds, time.nanos)).unwrap_or_default();
        Self { job, attempt, is_running, since: time(since) }
    }
}

/// A time of Temporal, in seconds and nanoseconds since 1970.
fn time((seconds, nanos): (i64, i32)) -> SystemTime {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    UNIX_EPOCH + Duration::new(seconds, u32::try_from(nanos).unwrap_or_default())
}

/// Why no worker can make this attempt.
fn unknown_definition(pending: &PendingActivityInfo) -> Option<Blocked> {
    let failure = pending.last_failure.as_ref()?;
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) if info.r#type == UNKNOWN_DEFINITION => {
            Some(Blocked::DefinitionChanged { difference: failure.message.clone() })
        }
        _ => None,
    }
}

/// Why the latest workflow task failed.
fn failed_task(history: &[HistoryEvent]) -> Option<Blocked> {
    let attributes = history.iter().rev().filter_map(|event| event.attributes.as_ref());
    let decisive = attributes.into_iter().find_map(|attributes| match attributes {
        Attributes::WorkflowTaskCompletedEventAttributes(_) => Some(None),
        Attributes::WorkflowTaskFailedEventAttributes(failed) => Some(failed.failure.as_ref()),
        _ => None,
    });
    let problem = decisive.flatten().map(|failure| failure.message.clone())?;
    Some(match problem.contains(NOT_REGISTERED) {
        true => Blocked::WorkflowMissing { problem },
        false => Blocked::DefinitionChanged { difference: problem },
    })
}

/// What the SDK says about a workflow that a worker does not have.
const NOT_REGISTERED: &str = "not registered";
