//! The record of a run in a store, besides its events.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{DEFAULT_PREFIX, Lease, Owner, OwnerId, StoreError, queue_of};
use crate::definition::Metadata;
use crate::event::{Blocked, Event, Status, rfc3339};
use crate::flow_control::FlowControl;
use crate::id::RunId;
use crate::run_log::path_in;

/// A run to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// The run's ID.
    pub id: RunId,
    /// The workflow that it runs.
    pub workflow: WorkflowSnapshot,
    /// The number of the workflow in the store.
    ///
    /// Without it the run belongs to the workflow of this name with the same owner and source: the
    /// user's own for a workflow that is data, the registered one for code. Stores without numbers
    /// ignore it.
    pub workflow_id: Option<i64>,
    /// The input; `None` for a workflow without an input.
    pub input: Option<Json>,
    /// What triggers the run.
    pub trigger: Trigger,
    /// The idempotency key: all requests with the same key in the same [scope](Self::key_scope),
    /// such as one user's, share one run.
    pub idempotency_key: Option<String>,
    /// The job of another run that started this one.
    pub parent: Option<Parent>,
    /// The name of the signed-in user who requested the run.
    pub user: Option<String>,
    /// The folder in which the run has its own folder, named by its ID, for the output of its jobs.
    /// `None` if the workflow decides that, and without such a folder.
    pub runs_dir: Option<PathBuf>,
    /// The time of the schedule for which the run stands.
    pub scheduled_for: Option<SystemTime>,
    /// The time at which the run was requested.
    pub created_at: SystemTime,
    /// The task queue in which it waits for a worker when no engine drives it.
    pub task_queue: String,
    /// The priority among the runs of its task queue: higher ones begin first.
    pub priority: i32,
    /// Its limits and its place among others, with the values of its input in their keys.
    pub flow_control: FlowControl,
    /// The engine that owns it. Without one, the run is pending until an engine claims it.
    pub owner: Option<Owner>,
}

impl NewRun {
    /// Creates a manual run of this workflow, requested now, without an input or an owner, in the
    /// task queue of the workflow's domain with the [default prefix](super::DEFAULT_PREFIX). Set
    /// other fields with `NewRun { input, ..NewRun::new(workflow) }`.
    pub fn new(workflow: WorkflowSnapshot) -> Self {
        Self {
            id: RunId::random(),
            task_queue: queue_of(DEFAULT_PREFIX, workflow.metadata.domain()),
            priority: 0,
            workflow,
            workflow_id: None,
            input: None,
            trigger: Trigger::Manual,
            idempotency_key: None,
            parent: None,
            user: None,
            runs_dir: None,
            scheduled_for: None,
            created_at: SystemTime::now(),
            flow_control: FlowControl::default(),
            owner: None,
        }
    }

    /// The events with which an engine that does not drive the run begins it. Only the first event
    /// of a retry says which run is retried.
    pub(crate) fn first_events(&self, events: &[Event]) -> Vec<Event> {
        events.iter().filter(|event| event.retry_of().is_some()).cloned().collect()
    }

    /// Checks that this request is the same as the one that began an existing run with the same
    /// idempotency key.
    ///
    /// Stores call this. `first` and `existing_first` are the first events of the two runs, if
    /// there are any.
    ///
    /// # Errors
    ///
    /// Fails with [`StoreError::KeyConflict`] when the existing run has another workflow or, unless
    /// it is debounced, another input, when only one of the two is a retry, and when they are retries of different runs.
    pub fn check_repeats(
        &self,
        first: Option<&Event>,
        existing: &StoredRun,
        existing_first: Option<&Event>,
    ) -> Result<(), StoreError> {
        let retry_of = |first: Option<&Event>| first.and_then(Event::retry_of);
        // Later requests may have replaced its input.
        let takes_any_input = existing.flow_control.debounce.is_some();
        let difference = if self.workflow.name != existing.workflow.name {
            format!("of workflow `{}`", existing.workflow.name)
        } else if !takes_any_input && !same_input(self.input.as_ref(), existing.input.as_ref()) {
            "with another input".to_owned()
        } else {
            match (self.trigger == Trigger::Retry, existing.trigger == Trigger::Retry) {
                (true, false) => "which is not a retry".to_owned(),
                (false, true) => "which is a retry".to_owned(),
                _ if retry_of(first) == retry_of(existing_first) => return Ok(()),
                _ => match retry_of(existing_first) {
                    Some(run) => format!("which retries run {run}"),
                    None => "which retries no known run".to_owned(),
                },
            }
        };
        let key = self.idempotency_key.clone().unwrap_or_default();
        Err(StoreError::KeyConflict { key, run: existing.id, difference })
    }
}

/// Returns whether two inputs are the same, even if a database formats their numbers differently. A
/// missing input equals null.
fn same_input(one: Option<&Json>, other: Option<&Json>) -> bool {
    same_json(one.unwrap_or(&Json::Null), other.unwrap_or(&Json::Null))
}

fn same_json(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) if one.is_f64() != other.is_f64() => {
            one.as_f64() == other.as_f64()
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| same_json(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            let same = |(key, one): (&String, &Json)| {
                other.get(key).is_some_and(|other| same_json(one, other))
            };
            one.len() == other.len() && one.iter().all(same)
        }
        _ => one == other,
    }
}

/// The workflow of a run, as it was when the run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowSnapshot {
    /// The workflow's name.
    pub name: String,
    /// The metadata.
    pub metadata: Metadata,
    /// A text that changes if the graph of the workflow changes: its jobs, their order or their
    /// options.
    pub fingerprint: Arc<str>,
    /// The workflow itself, if it is data rather than code; the run can then be resumed after the
    /// workflow has changed.
    pub source: Option<Arc<Json>>,
    /// The jobs and edges, as from [`Graph::to_json`](crate::graph::Graph::to_json).
    pub graph: Arc<Json>,
}

/// The only key of the [source](WorkflowSnapshot::source) of a workflow that is a file.
pub const WORKFLOW_FILE: &str = "workflow_file";

/// The prefix of the fingerprint of an external workflow.
const EXTERNAL: &str = "stored-";

impl WorkflowSnapshot {
    /// Creates the snapshot of an external workflow: another program runs it and reports its runs.
    /// `version` distinguishes its definitions.
    pub fn external(name: impl Into<String>, version: impl std::fmt::Display, graph: Json) -> Self {
        Self {
            name: name.into(),
            metadata: Metadata::default(),
            fingerprint: format!("{EXTERNAL}{version}").into(),
            source: None,
            graph: Arc::new(graph),
        }
    }

    /// The folder of a run, on the machine on which it ran, with the log of its jobs' output and
    /// the files of commands.
    ///
    /// A workflow file sets the parent folder itself; for code, `runs_dir` is
    /// [`StoredRun::runs_dir`].
    pub fn folder_of(&self, run: RunId, runs_dir: Option<&Path>) -> Option<PathBuf> {
        let of_file = self
            .source
            .as_ref()
            .and_then(|source| source.get(WORKFLOW_FILE)?.get("runs_dir")?.as_str());
        let runs_dir = of_file.map(Path::new).or(runs_dir)?;
        Some(runs_dir.join(run.to_string()))
    }

    /// Whether the workflow is a file.
    pub fn is_file(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.get(WORKFLOW_FILE).is_some())
    }

    /// Whether the workflow is external: another program runs it and reports its runs, and engines
    /// do not resume them.
    pub fn is_external(&self) -> bool {
        Self::is_of_external(&self.fingerprint)
    }

    /// Whether this is the fingerprint of an external workflow, for stores that read only the
    /// fingerprint.
    pub fn is_of_external(fingerprint: &str) -> bool {
        fingerprint.starts_with(EXTERNAL)
    }
}

/// The trigger of a run: why it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Trigger {
    /// A user requested it.
    #[default]
    #[serde(rename = "manual")]
    Manual,
    /// It was due on its schedule.
    #[serde(rename = "schedule")]
    Schedule,
    /// A program requested it through the API.
    #[serde(rename = "api")]
    Api,
    /// A job of another run started it.
    #[serde(rename = "workflow")]
    Workflow,
    /// It retries a run that ended.
    #[serde(rename = "retry")]
    Retry,
    /// An event started it: an [`EventTrigger`](crate::definition::EventTrigger).
    #[serde(rename = "event")]
    Event,
}

impl Trigger {
    /// The trigger as a string.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::Api => "api",
            Self::Workflow => "workflow",
            Self::Retry => "retry",
            Self::Event => "event",
        }
    }
}

/// The job that started a child run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parent {
    /// The run of the job.
    pub run: RunId,
    /// The name of the job.
    pub job: String,
}

/// The outcome of a request to begin a run.
#[derive(Debug, Clone, PartialEq)]
pub enum BeginOutcome {
    /// The run began; with a lease if an owner was given.
    New(Option<Lease>),
    /// This run stands for the request.
    Existing(Box<StoredRun>, SharedBy),
    /// The run is on record, as cancelled: see
    /// [`OnConflict::CancelNew`](crate::flow_control::OnConflict::CancelNew).
    Cancelled,
}

/// Why a run stands for another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedBy {
    /// Both have the same idempotency key.
    Key,
    /// [Debounce](crate::flow_control::Debounce) delays the run, which has the input of the last
    /// request.
    Debounce,
    /// It holds a slot of the request's concurrency limit, which
    /// [skips](crate::flow_control::OnConflict::Skip) requests beyond it.
    Slot,
}

/// A run in a store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoredRun {
    /// The run's ID.
    pub id: RunId,
    /// The workflow, as it was when the run began.
    pub workflow: WorkflowSnapshot,
    /// The input.
    pub input: Option<Json>,
    /// The status.
    pub status: Status,
    /// What triggered the run.
    pub trigger: Trigger,
    /// The idempotency key.
    pub idempotency_key: Option<String>,
    /// The job of another run that started this one.
    pub parent: Option<Parent>,
    /// The name of the signed-in user who requested the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The folder in which the run has its own folder, named by its ID. `None` if the workflow
    /// decides that, and without such a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_dir: Option<PathBuf>,
    /// The time of the schedule for which the run stands.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339::option")]
    pub scheduled_for: Option<SystemTime>,
    /// The time at which the run was requested.
    #[serde(with = "rfc3339")]
    pub created_at: SystemTime,
    /// The number of events.
    pub events: u64,
    /// The task queue in which it waits for a worker when no engine drives it.
    pub task_queue: String,
    /// The priority among the runs of its task queue: higher ones begin first.
    pub priority: i32,
    /// Its limits and its place among others, with the values of its input in their keys.
    #[serde(default, skip_serializing_if = "FlowControl::is_empty")]
    pub flow_control: FlowControl,
    /// The engine that owns the run, or owned it last; `None` once it was released.
    pub owner: Option<OwnerId>,
    /// The reason why engines cannot resume the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
}

impl StoredRun {
    /// Creates the record of a run that has just begun, with this many events.
    pub fn begun(run: NewRun, status: Status, events: u64) -> Self {
        Self {
            id: run.id,
            workflow: run.workflow,
            input: run.input,
            status,
            trigger: run.trigger,
            idempotency_key: run.idempotency_key,
            parent: run.parent,
            user: run.user,
            runs_dir: run.runs_dir,
            scheduled_for: run.scheduled_for,
            created_at: run.created_at,
            events,
            task_queue: run.task_queue,
            priority: run.priority,
            flow_control: run.flow_control,
            owner: run.owner.map(|owner| owner.id),
            blocked: None,
        }
    }

    /// Whether the run waits in its task queue while no engine drives it. Blocked runs, child runs
    /// and runs of other programs do not.
    pub fn is_queued(&self) -> bool {
        self.blocked.is_none() && self.parent.is_none() && !self.workflow.is_external()
    }

    /// The folder of the run, on the machine on which it ran, with the log of its jobs' output and
    /// the files of commands; `None` without one.
    pub fn folder(&self) -> Option<PathBuf> {
        self.workflow.folder_of(self.id, self.runs_dir.as_deref())
    }

    /// The log of its jobs' output, in its [folder](Self::folder). The file exists once a job has
    /// printed.
    pub fn log(&self) -> Option<PathBuf> {
        Some(path_in(&self.folder()?))
    }
}

/// A message to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The number, unique among all messages of the store.
    pub number: u64,
    /// The receiving run.
    pub run: RunId,
    /// The content.
    #[serde(flatten)]
    pub kind: MessageKind,
}

/// The content of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message")]
#[non_exhaustive]
pub enum MessageKind {
    /// A signal for a job.
    #[serde(rename = "signal")]
    Signal {
        /// The signal's name.
        name: String,
        /// The payload; null for none.
        payload: Json,
    },
    /// A request to cancel the run.
    #[serde(rename = "cancel")]
    Cancel,
}
