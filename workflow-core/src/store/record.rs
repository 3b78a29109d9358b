//! What a store keeps of a run besides its events.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Lease, Owner, OwnerId, StoreError};
use crate::definition::Metadata;
use crate::event::{Blocked, Event, Status, rfc3339};
use crate::id::RunId;
use crate::run_log::path_in;

/// A run that is to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// The run's id.
    pub id: RunId,
    /// Which workflow it runs.
    pub workflow: WorkflowSnapshot,
    /// The number by which the store knows the workflow. Without it the run joins the workflow of
    /// this name that has the same owner and source: for a workflow that is data, the user's own,
    /// and for code, the one that programs register. A store that knows no numbers passes it over.
    pub workflow_id: Option<i64>,
    /// The input; `None` for a workflow that takes none.
    pub input: Option<Json>,
    /// Why it begins.
    pub trigger: Trigger,
    /// The idempotency key: requests with the same key in the same [scope](Self::key_scope), as
    /// one user's are, are one run.
    pub idempotency_key: Option<String>,
    /// The job of another run that this one belongs to.
    pub parent: Option<Parent>,
    /// Who asked for it: the name of the user who was signed in.
    pub user: Option<String>,
    /// Where it has a folder, named by its id, for what its jobs print; `None` where the workflow
    /// says that, or nobody.
    pub runs_dir: Option<PathBuf>,
    /// When it was asked for.
    pub created_at: SystemTime,
    /// Who drives it. Without one, the run is pending until somebody claims it.
    pub owner: Option<Owner>,
}

impl NewRun {
    /// A run of this workflow that somebody asks for now, without an input, and that nobody drives
    /// yet. What is otherwise is set beside it: `NewRun { input, ..NewRun::new(workflow) }`.
    pub fn new(workflow: WorkflowSnapshot) -> Self {
        Self {
            id: RunId::random(),
            workflow,
            workflow_id: None,
            input: None,
            trigger: Trigger::Manual,
            idempotency_key: None,
            parent: None,
            user: None,
            runs_dir: None,
            created_at: SystemTime::now(),
            owner: None,
        }
    }

    /// Checks that the request repeats the one that began this run: stores call it when both have
    /// the same idempotency key. `first` and `existing_first` are the first events of the two, if
    /// there are any.
    ///
    /// # Errors
    ///
    /// Fails with [`StoreError::KeyConflict`] when the other run is of another workflow, has another
    /// input, is a retry where this one is none, or is one of another run.
    pub fn check_repeats(
        &self,
        first: Option<&Event>,
        existing: &StoredRun,
        existing_first: Option<&Event>,
    ) -> Result<(), StoreError> {
        let repeats = |first: Option<&Event>| first.and_then(Event::repeats);
        let difference = if self.workflow.name != existing.workflow.name {
            format!("of workflow `{}`", existing.workflow.name)
        } else if !same_input(self.input.as_ref(), existing.input.as_ref()) {
            "with another input".to_owned()
        } else {
            match (self.trigger == Trigger::Retry, existing.trigger == Trigger::Retry) {
                (true, false) => "which is no retry".to_owned(),
                (false, true) => "which is a retry".to_owned(),
                _ if repeats(first) == repeats(existing_first) => return Ok(()),
                _ => match repeats(existing_first) {
                    Some(run) => format!("which repeats run {run}"),
                    None => "which repeats no run".to_owned(),
                },
            }
        };
        let key = self.idempotency_key.clone().unwrap_or_default();
        Err(StoreError::KeyConflict { key, run: existing.id, difference })
    }
}

/// Whether two inputs are the same, however a database spells their numbers. No input is null.
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

/// What a store is told of the workflow that a run belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowSnapshot {
    /// The workflow's name.
    pub name: String,
    /// What is said about it.
    pub metadata: Metadata,
    /// A text that is the same as long as the graph of the workflow is: its jobs, their order,
    /// and what they ask for.
    pub fingerprint: Arc<str>,
    /// The workflow itself, where it is data rather than code; with it the run can be finished
    /// after the workflow has changed.
    pub source: Option<Arc<Json>>,
    /// The jobs and the edges between them, as [`Graph::to_json`](crate::Graph::to_json) has them.
    pub graph: Arc<Json>,
}

/// Marks the [source](WorkflowSnapshot::source) of a workflow that is a file: its only key.
pub const WORKFLOW_FILE: &str = "workflow_file";

/// How the fingerprint of a workflow begins that engines do not run.
const EXTERNAL: &str = "stored-";

impl WorkflowSnapshot {
    /// A workflow that engines do not run: a program outside reports on its runs. `version` tells
    /// its definitions apart.
    pub fn external(name: impl Into<String>, version: impl std::fmt::Display, graph: Json) -> Self {
        Self {
            name: name.into(),
            metadata: Metadata::default(),
            fingerprint: format!("{EXTERNAL}{version}").into(),
            source: None,
            graph: Arc::new(graph),
        }
    }

    /// The folder that a run of the workflow has on the machine that it ran on: the log of what its
    /// jobs printed, and what commands leave there. A file says in which folder that is; of code,
    /// [`StoredRun::runs_dir`] does.
    pub fn folder_of(&self, run: RunId, runs_dir: Option<&Path>) -> Option<PathBuf> {
        let said = self
            .source
            .as_ref()
            .and_then(|source| source.get(WORKFLOW_FILE)?.get("runs_dir")?.as_str());
        let runs_dir = said.map(Path::new).or(runs_dir)?;
        Some(runs_dir.join(run.to_string()))
    }

    /// Whether the workflow is a file, whose text is its source.
    pub fn is_file(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.get(WORKFLOW_FILE).is_some())
    }

    /// Whether a program outside reports on the workflow's runs, which engines do not take up.
    pub fn is_external(&self) -> bool {
        Self::is_of_external(&self.fingerprint)
    }

    /// Whether this is the fingerprint of such a workflow, where a store reads no more of it.
    pub fn is_of_external(fingerprint: &str) -> bool {
        fingerprint.starts_with(EXTERNAL)
    }
}

/// Why a run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Trigger {
    /// Somebody asked for it.
    #[default]
    #[serde(rename = "manual")]
    Manual,
    /// Its time had come.
    #[serde(rename = "schedule")]
    Schedule,
    /// A program asked for it over the API.
    #[serde(rename = "api")]
    Api,
    /// It is a job of another run.
    #[serde(rename = "workflow")]
    Workflow,
    /// It repeats a run that ended.
    #[serde(rename = "retry")]
    Retry,
}

impl Trigger {
    /// The trigger as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::Api => "api",
            Self::Workflow => "workflow",
            Self::Retry => "retry",
        }
    }
}

/// The job of a run that another run belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parent {
    /// The outer run.
    pub run: RunId,
    /// The name of its job.
    pub job: String,
}

/// What became of a request to begin a run.
#[derive(Debug, Clone, PartialEq)]
pub enum BeginOutcome {
    /// It began; the lease is there when an owner was named.
    New(Option<Lease>),
    /// There is a run for the same idempotency key.
    Existing(Box<StoredRun>),
}

/// A run as a store has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoredRun {
    /// The run's id.
    pub id: RunId,
    /// Which workflow it runs, as it was when the run began.
    pub workflow: WorkflowSnapshot,
    /// The input.
    pub input: Option<Json>,
    /// Where it stands.
    pub status: Status,
    /// Why it began.
    pub trigger: Trigger,
    /// The idempotency key.
    pub idempotency_key: Option<String>,
    /// The job of another run that this one belongs to.
    pub parent: Option<Parent>,
    /// Who asked for it: the name of the user who was signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it has a folder, named by its id; `None` where the workflow says that, or nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_dir: Option<PathBuf>,
    /// When it was asked for.
    #[serde(with = "rfc3339")]
    pub created_at: SystemTime,
    /// How many events it has.
    pub events: u64,
    /// Who drives it, or drove it last; `None` once it was given back.
    pub owner: Option<OwnerId>,
    /// Why no engine takes it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
}

impl StoredRun {
    /// The run as it is after it began, with this many events.
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
            created_at: run.created_at,
            events,
            owner: run.owner.map(|owner| owner.id),
            blocked: None,
        }
    }

    /// The folder that the run has on the machine that it ran on: the log of what its jobs printed,
    /// and what commands leave there. `None` when it has none.
    pub fn folder(&self) -> Option<PathBuf> {
        self.workflow.folder_of(self.id, self.runs_dir.as_deref())
    }

    /// The log of what its jobs printed, in its [folder](Self::folder); there once one of them has
    /// printed.
    pub fn log(&self) -> Option<PathBuf> {
        Some(path_in(&self.folder()?))
    }
}

/// Something that was sent to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its number among all messages of the store.
    pub number: u64,
    /// The run that it is for.
    pub run: RunId,
    /// What it says.
    #[serde(flatten)]
    pub kind: MessageKind,
}

/// What can be sent to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message")]
#[non_exhaustive]
pub enum MessageKind {
    /// A job may be waiting for this.
    #[serde(rename = "signal")]
    Signal {
        /// The signal's name.
        name: String,
        /// What comes with it; null for nothing.
        payload: Json,
    },
    /// The run is to stop.
    #[serde(rename = "cancel")]
    Cancel,
}
