//! Runs of workflows: trait [`Run`], its errors, and the [`Report`].

mod job;
mod output;
mod report;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::event::Event;
pub(crate) use crate::event::Status;
use crate::flow_control::FlowControlError;
use crate::id::{NameError, RunId};
use crate::store::{IdempotencyKeyError, StoreError};
use crate::value::{short, short_unlike};

pub use job::JobReport;
pub(crate) use job::{Annotations, CalledJob, ChildName, JobNames, RunJobLookup};
pub use output::OutputError;
pub(crate) use report::Record;
pub use report::Report;

/// The error of a run that could not begin, failed, or was cancelled.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The workflow was not found.
    #[error("{0}")]
    Registry(Box<dyn std::error::Error + Send + Sync>),
    /// The workflow cannot be planned.
    #[error("workflow `{workflow}`: {error}")]
    Plan {
        /// The workflow's name.
        workflow: String,
        /// The error.
        error: crate::workflow::PlanError,
    },
    /// The environment lacks something that a run of the workflow needs.
    #[error("workflow `{workflow}`: {reason}")]
    NotReady {
        /// The workflow's name.
        workflow: String,
        /// What is missing, and how to fix it.
        reason: String,
    },
    /// The input does not fit the workflow.
    #[error("workflow `{workflow}`: {error}")]
    Input {
        /// The workflow's name.
        workflow: String,
        /// The error.
        error: InputError,
    },
    /// A job names a limit that neither the engine nor the workflow has.
    #[error(
        "workflow `{workflow}`: job `{job}` names the limit `{limit}`, which neither the engine nor \
         the workflow has; add `.limit(\"{limit}\", n)` to the engine's builder, or \
         `flow.limit(\"{limit}\", n)` to the workflow{}",
        known_limits(known)
    )]
    UnknownLimit {
        /// The workflow's name.
        workflow: String,
        /// The job's name.
        job: String,
        /// The unknown limit.
        limit: String,
        /// The known limits.
        known: Vec<String>,
    },
    /// A job takes [state](crate::State) that the engine does not have.
    #[error("workflow `{workflow}`: {}", crate::job::missing_state(job, state, known))]
    MissingState {
        /// The name of the workflow, which may be a child workflow.
        workflow: String,
        /// The job's name.
        job: String,
        /// The missing type.
        state: &'static str,
        /// The types of the engine's state.
        known: Vec<&'static str>,
    },
    /// A job takes a [parameter](crate::job::FromContext) that cannot be made, such as an invalid
    /// configuration.
    #[error("workflow `{workflow}`: job `{job}`: {error}")]
    Parameter {
        /// The name of the workflow, which may be a child workflow.
        workflow: String,
        /// The job's name.
        job: String,
        /// The reason.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The engine's [lease](crate::engine::EngineBuilder::lease) is too long.
    #[error(
        "workflow `{workflow}`: the engine's lease of {} days is too long; set at most {} days \
         with `.lease(..)`",
        days(lease),
        days(longest)
    )]
    LongLease {
        /// The workflow's name.
        workflow: String,
        /// The engine's lease.
        lease: Duration,
        /// The longest possible lease.
        longest: Duration,
    },
    /// The run failed: a job failed for good, or the run timed out.
    #[error("run {} of `{}` failed: {}", .0.id(), .0.workflow(), .0.reason().unwrap_or_default())]
    Failed(Report),
    /// The run was cancelled.
    #[error(
        "run {} of `{}` was cancelled: {}{}",
        .0.id(), .0.workflow(), cancel_reason(.0), .0.progress()
    )]
    Cancelled(Report),
    /// The output of a job cannot be persisted, because its type has no JSON form.
    #[error(
        "workflow `{workflow}`: the output of job `{job}` is a `{}`, which a store cannot \
         persist; derive `serde::Serialize` and `serde::Deserialize` for it",
        short(type_name)
    )]
    NotSerializable {
        /// The workflow's name.
        workflow: String,
        /// The job's name.
        job: String,
        /// The type of its output.
        type_name: &'static str,
    },
    /// The idempotency key belongs to a run of another workflow, or with another input.
    #[error(
        "workflow `{workflow}`: idempotency key `{key}` was already used for run {run} \
         {difference}; use a new key for a different request"
    )]
    KeyConflict {
        /// The workflow's name.
        workflow: String,
        /// The key.
        key: String,
        /// The run that it belongs to.
        run: RunId,
        /// How that run differs: `of workflow ..`, or `with another input`.
        difference: String,
    },
    /// The idempotency key is invalid.
    #[error("workflow `{workflow}`: invalid idempotency key: {error}")]
    InvalidKey {
        /// The workflow's name.
        workflow: String,
        /// The reason.
        error: IdempotencyKeyError,
    },
    /// The name of the task queue is invalid.
    #[error("workflow `{workflow}`: invalid task queue: {error}")]
    InvalidQueue {
        /// The workflow's name.
        workflow: String,
        /// The reason.
        error: NameError,
    },
    /// The flow control is invalid, or the input has no value for one of its keys.
    #[error("workflow `{workflow}`: {error}")]
    FlowControl {
        /// The workflow's name.
        workflow: String,
        /// The reason.
        error: FlowControlError,
    },
    /// The run has limits, and the engine has no store that enforces them.
    #[error(
        "workflow `{workflow}` has limits on its runs, which the engine cannot enforce; give it a \
         store that does: `Engine::builder().store(MemoryStore::new())` for this process, or a \
         database for several"
    )]
    LimitsNotEnforced {
        /// The workflow's name.
        workflow: String,
    },
    /// The workflow is inactive in the engine's store.
    #[error("workflow `{workflow}` is inactive; activate workflow {id} first")]
    NotActive {
        /// The workflow's name.
        workflow: String,
        /// Its number in the store.
        id: i64,
    },
    /// The engine was [shut down](crate::Engine::shutdown) before the run ended.
    #[error("workflow `{workflow}`: {}", shut_down(run))]
    ShutDown {
        /// The workflow's name.
        workflow: String,
        /// The run that was released; `None` if it had not begun.
        run: Option<RunId>,
    },
    /// `wait` was called on a thread that must not block, because the run may need it.
    #[error(
        "`wait` would block a thread of the async runtime; await the request instead (or \
         `outcome()` of a run that has begun), or call `wait` on a thread that may block, as in \
         `tokio::task::spawn_blocking`"
    )]
    WouldBlock,
    /// A stored run cannot be read or resumed.
    #[error("run {run}: {error}")]
    Resume {
        /// The run's ID.
        run: RunId,
        /// The reason.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Child workflows are nested too deeply, as when workflows call each other endlessly.
    #[error(
        "workflow `{workflow}` cannot be run: 100 runs are nested already, which is the limit \
         ({chain}); end one of these workflows without calling another"
    )]
    NestedTooDeep {
        /// The workflow's name.
        workflow: String,
        /// The chain of calls, from the outermost workflow on, up to the first repetition.
        chain: String,
    },
    /// The async runtime of a persisted run was shut down before the run ended. The run was
    /// stopped, and an engine can resume it.
    #[error(
        "run {run} was stopped because its async runtime was shut down; it is saved, and \
         `Engine::recover` or `Engine::serve` will resume it"
    )]
    Abandoned {
        /// The run's ID.
        run: RunId,
    },
    /// The store could not persist the run's events.
    #[error("run {run} was stopped because the store could not persist its events: {error}")]
    Store {
        /// The run's ID.
        run: RunId,
        /// The store's error.
        error: Arc<StoreError>,
    },
}

fn shut_down(run: &Option<RunId>) -> String {
    match run {
        Some(run) => format!(
            "run {run} was stopped because its engine was shut down; it continues when an engine \
             resumes it"
        ),
        None => "the engine starts no more runs because it was shut down".to_owned(),
    }
}

fn cancel_reason(report: &Report) -> String {
    report.reason().map(|reason| format!("{reason}; ")).unwrap_or_default()
}

fn days(time: &Duration) -> u64 {
    time.as_secs() / (24 * 3600)
}

fn known_limits(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(" (known limits: {})", known.join(", ")) }
}

impl fmt::Debug for RunError {
    /// The same as `Display`, so that an error returned from `main` is readable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl RunError {
    /// Converts a store's error into the error of a run.
    pub(crate) fn of_store(workflow: &str, run: RunId, error: Arc<StoreError>) -> Self {
        match &*error {
            StoreError::KeyConflict { key, run, difference } => Self::KeyConflict {
                workflow: workflow.to_owned(),
                key: key.clone(),
                run: *run,
                difference: difference.clone(),
            },
            StoreError::InvalidKey(error) => {
                Self::InvalidKey { workflow: workflow.to_owned(), error: *error }
            }
            StoreError::NotActive { workflow, id } => {
                Self::NotActive { workflow: workflow.clone(), id: *id }
            }
            StoreError::ShutDown { run } => {
                Self::ShutDown { workflow: workflow.to_owned(), run: Some(*run) }
            }
            StoreError::Abandoned { run } => Self::Abandoned { run: *run },
            _ => Self::Store { run, error },
        }
    }

    /// The run to follow instead: one that stands for the request, or the run itself if it waits
    /// for its limits.
    pub(crate) fn continues_as(&self) -> Option<RunId> {
        match self {
            Self::Store { error, .. } => match **error {
                StoreError::Shared { run, .. } | StoreError::Waits { run } => Some(run),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether an engine can still resume the run.
    pub(crate) fn is_left_to_others(&self) -> bool {
        match self {
            Self::Abandoned { .. } => true,
            Self::Store { error, .. } => {
                matches!(
                    **error,
                    StoreError::LeaseLost { .. }
                        | StoreError::Waits { .. }
                        | StoreError::Evicted { .. }
                )
            }
            _ => false,
        }
    }

    /// Converts into the report of a run that failed or was cancelled.
    pub fn into_report(self) -> Option<Report> {
        match self {
            Self::Failed(report) | Self::Cancelled(report) => Some(report),
            _ => None,
        }
    }

    /// The report of a run that failed or was cancelled.
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Failed(report) | Self::Cancelled(report) => Some(report),
            _ => None,
        }
    }
}

/// The reason why an input does not fit a workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The workflow needs an input.
    #[error("it needs an input of type `{}`; pass one with `.input(..)`", short(wanted))]
    Missing {
        /// The type of the workflow's input.
        wanted: &'static str,
    },
    /// The workflow takes no input.
    #[error("it takes no input, but one was given; remove `.input(..)`")]
    Unwanted,
    /// The input has the wrong type or shape.
    #[error("invalid input: {}{}", .0, by_value(.0))]
    Shape(crate::value::ValueError),
    /// The value passed with `input_value` has the wrong type.
    #[error(
        "its input is of type `{}`, but a `{}` was given",
        short_unlike(wanted, found),
        short_unlike(found, wanted)
    )]
    Type {
        /// The type of the workflow's input.
        wanted: &'static str,
        /// The type of the value.
        found: &'static str,
    },
}

/// A hint to the other way to pass an input, for types without a JSON form.
fn by_value(error: &crate::value::ValueError) -> &'static str {
    match error {
        crate::value::ValueError::Opaque { .. } => ", or pass it with `.input_value(..)`",
        _ => "",
    }
}

/// A run that has begun, on any engine.
#[async_trait]
pub trait Run: Send + Sync {
    /// The run's ID.
    fn id(&self) -> RunId;

    /// The name of the workflow.
    fn workflow(&self) -> &str;

    /// The status of the run.
    fn status(&self) -> Status;

    /// Cancels the run: starts no more jobs, cancels the running ones, and drops them after their
    /// grace period. Does nothing if the run has ended.
    fn cancel(&self);

    /// Returns all events of the run, past and future, up to the last one: without gaps or
    /// duplicates, whenever it is called.
    ///
    /// The stream includes the output of jobs, which is not
    /// [recorded](crate::event::EventKind::is_recorded): a subscriber receives the latest output
    /// that the run still buffers, and all later output. A slow subscriber does not slow the run
    /// down; it receives an event with the number of bytes that it missed.
    fn events(&self) -> BoxStream<'static, Event>;

    /// Waits for the run to end. On a thread that may block, use
    /// [`RunHandle::wait`](crate::engine::RunHandle::wait).
    ///
    /// # Errors
    ///
    /// Fails when the run failed or was cancelled; the error holds the report.
    async fn outcome(&self) -> Result<Report, RunError>;

    /// The output as JSON; `None` until the run has completed.
    ///
    /// # Errors
    ///
    /// Fails when the workflow has no output, or its output has no JSON form.
    fn output(&self) -> Option<Result<serde_json::Value, OutputError>>;
}
