//! One execution of a workflow, as its owner sees it.

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
use crate::id::RunId;
use crate::store::{KeyError, StoreError};
use crate::value::{short, short_unlike};

pub use job::JobReport;
pub(crate) use job::{Annotations, CalledJob, ChildName, JobNames, RunJobLookup};
pub use output::OutputError;
pub(crate) use report::Record;
pub use report::Report;

/// Why a run did not begin, or did not end well.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The workflow is not to be had, with the registry's reason.
    #[error("{0}")]
    Registry(Box<dyn std::error::Error + Send + Sync>),
    /// The workflow cannot be planned.
    #[error("workflow `{workflow}`: {error}")]
    Plan {
        /// The workflow's name.
        workflow: String,
        /// What is wrong with it.
        error: crate::workflow::PlanError,
    },
    /// The surroundings lack what a run of the workflow needs.
    #[error("workflow `{workflow}`: {reason}")]
    NotReady {
        /// The workflow's name.
        workflow: String,
        /// What is missing, and the cure.
        reason: String,
    },
    /// The input does not fit the workflow.
    #[error("workflow `{workflow}`: {error}")]
    Input {
        /// The workflow's name.
        workflow: String,
        /// What is wrong with it.
        error: InputError,
    },
    /// A job names a limit that neither the engine nor the workflow has.
    #[error(
        "workflow `{workflow}`: job `{job}` names the limit `{limit}`, which neither the engine nor \
         the workflow has; add `.limit(\"{limit}\", n)` to the engine's builder, or \
         `flow.limit(\"{limit}\", n)` to the workflow{}",
        also(known)
    )]
    UnknownLimit {
        /// The workflow's name.
        workflow: String,
        /// The job's name.
        job: String,
        /// The limit that it names.
        limit: String,
        /// The limits that there are.
        known: Vec<String>,
    },
    /// A job takes [state](crate::State) that the engine was not given.
    #[error("workflow `{workflow}`: {}", crate::job::missing_state(job, state, known))]
    MissingState {
        /// The workflow's name; of an inner one where that has the job.
        workflow: String,
        /// The job's name.
        job: String,
        /// The type that the engine was not given.
        state: &'static str,
        /// The types that it was given.
        known: Vec<&'static str>,
    },
    /// The engine's [lease](crate::EngineBuilder::lease) is too long.
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
        /// The longest that is possible.
        longest: Duration,
    },
    /// A job failed for good, or the run took too long.
    #[error("run {} of `{}` failed: {}", .0.id(), .0.workflow(), .0.reason().unwrap_or_default())]
    Failed(Report),
    /// The run was cancelled.
    #[error(
        "run {} of `{}` was cancelled: {}{}",
        .0.id(), .0.workflow(), because(.0), .0.progress()
    )]
    Cancelled(Report),
    /// What a job leaves has no JSON form, and the engine has a store.
    #[error(
        "workflow `{workflow}`: job `{job}` leaves a `{}`, which a store cannot keep; derive \
         `serde::Serialize` and `serde::Deserialize` for it",
        short(type_name)
    )]
    Unkeepable {
        /// The workflow's name.
        workflow: String,
        /// The job's name.
        job: String,
        /// The type of its output.
        type_name: &'static str,
    },
    /// The idempotency key began a run of another workflow, or with another input.
    #[error(
        "workflow `{workflow}`: idempotency key `{key}` was used before, for run {run} \
         {difference}; use a new key for a different request"
    )]
    KeyConflict {
        /// The workflow's name.
        workflow: String,
        /// The key.
        key: String,
        /// The run that it began.
        run: RunId,
        /// How that run differs: `of workflow ..`, or `with another input`.
        difference: String,
    },
    /// The text that was given as an idempotency key cannot be one.
    #[error("workflow `{workflow}`: the idempotency key cannot be used: {error}")]
    InvalidKey {
        /// The workflow's name.
        workflow: String,
        /// What is wrong with it.
        error: KeyError,
    },
    /// The workflow was taken out of use in the engine's store.
    #[error(
        "workflow `{workflow}` is not active, so no run of it begins; activate workflow {id} first"
    )]
    NotActive {
        /// The workflow's name.
        workflow: String,
        /// Its number in the store.
        id: i64,
    },
    /// The engine was [shut down](crate::Engine::shutdown) before the run began, or before it ended.
    #[error("workflow `{workflow}`: {}", shut_down(run))]
    ShutDown {
        /// The workflow's name.
        workflow: String,
        /// The run that was given back to its store; `None` when it had not begun.
        run: Option<RunId>,
    },
    /// `wait` was called on a thread that must not block: the run, or what its jobs wait
    /// for, may need it.
    #[error(
        "`wait` would block a thread that drives the async runtime; await it instead (of a run that \
         has begun, its `outcome()`), or call `wait` on a thread that may block, such as that of \
         `tokio::task::spawn_blocking`"
    )]
    WouldBlock,
    /// A run on record cannot be looked at or taken up.
    #[error("run {run}: {error}")]
    Resume {
        /// The run's id.
        run: RunId,
        /// Why not.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The workflow would run too deep inside of others: workflows that call each other without
    /// end come to an end here.
    #[error(
        "workflow `{workflow}` was not run: 100 runs are inside of each other already, which is the \
         most ({chain}); let one of these workflows end without calling another"
    )]
    NestedTooDeep {
        /// The workflow's name.
        workflow: String,
        /// Which workflow calls which, from the outside in, as far as that repeats itself.
        chain: String,
    },
    /// The runtime that drove the run was shut down before its end, and a store has the run: it
    /// was stopped, and goes on where an engine takes it up.
    #[error(
        "run {run} was stopped, because the runtime that drove it was shut down; it is saved, and \
         `Engine::recover` or `Engine::serve` goes on with it"
    )]
    Abandoned {
        /// The run's id.
        run: RunId,
    },
    /// The store did not take the run's events.
    #[error("the store did not keep the events of run {run}, which was stopped: {error}")]
    Store {
        /// The run's id.
        run: RunId,
        /// What the store said.
        error: Arc<StoreError>,
    },
}

fn shut_down(run: &Option<RunId>) -> String {
    match run {
        Some(run) => format!(
            "run {run} was stopped, because its engine was shut down; it goes on when an engine \
             takes it up"
        ),
        None => "the engine takes no runs, because it was shut down".to_owned(),
    }
}

fn because(report: &Report) -> String {
    report.reason().map(|reason| format!("{reason}; ")).unwrap_or_default()
}

fn days(time: &Duration) -> u64 {
    time.as_secs() / (24 * 3600)
}

fn also(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(" (known limits: {})", known.join(", ")) }
}

impl fmt::Debug for RunError {
    /// The same as `Display`, so that an error which leaves `main` reads well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl RunError {
    /// What a store's error means for the run of a workflow.
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

    /// The run that began before under the idempotency key of this one.
    pub(crate) fn existing(&self) -> Option<RunId> {
        match self {
            Self::Store { run, error } => match **error {
                StoreError::Exists { run: existing } if existing != *run => Some(existing),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the run goes on where another engine, or this one, takes it up.
    pub(crate) fn is_left_to_others(&self) -> bool {
        match self {
            Self::Abandoned { .. } => true,
            Self::Store { error, .. } => {
                matches!(**error, crate::store::StoreError::LeaseLost { .. })
            }
            _ => false,
        }
    }

    /// The report of a run that began, moved out.
    pub fn into_report(self) -> Option<Report> {
        match self {
            Self::Failed(report) | Self::Cancelled(report) => Some(report),
            _ => None,
        }
    }

    /// The report of a run that began.
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Failed(report) | Self::Cancelled(report) => Some(report),
            _ => None,
        }
    }
}

/// Why an input does not fit a workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The workflow needs one.
    #[error("it needs an input of type `{}`; give one with `.input(..)`", short(wanted))]
    Missing {
        /// The type that it needs.
        wanted: &'static str,
    },
    /// The workflow takes none.
    #[error("it takes no input, but one was given; leave `.input(..)` away")]
    Unwanted,
    /// The input has another type or shape.
    #[error("its input is wrong: {}{}", .0, by_value(.0))]
    Shape(crate::value::ValueError),
    /// The value given with `input_value` is of another type.
    #[error(
        "its input is of type `{}`, but a `{}` was given",
        short_unlike(wanted, found),
        short_unlike(found, wanted)
    )]
    Type {
        /// The type that it needs.
        wanted: &'static str,
        /// The type that was given.
        found: &'static str,
    },
}

/// The other way to give an input, where JSON is none.
fn by_value(error: &crate::value::ValueError) -> &'static str {
    match error {
        crate::value::ValueError::Opaque { .. } => ", or give it with `.input_value(..)`",
        _ => "",
    }
}

/// A run that has begun, wherever it is driven.
#[async_trait]
pub trait Run: Send + Sync {
    /// The run's id.
    fn id(&self) -> RunId;

    /// The name of the workflow.
    fn workflow(&self) -> &str;

    /// Where the run stands.
    fn status(&self) -> Status;

    /// Asks the run to stop. Jobs are asked first, and dropped after a grace period; no more are
    /// started. Does nothing when the run has ended.
    fn cancel(&self);

    /// What happened so far, and then what happens, up to the last event: without a gap and
    /// without a repeat, whenever it is called.
    ///
    /// In its place among that is what jobs print, which is not
    /// [recorded](crate::EventKind::is_recorded): a subscriber gets the latest that the run still
    /// holds, and what comes after. One that reads too slowly holds nobody up, and is told how
    /// much it has missed.
    fn events(&self) -> BoxStream<'static, Event>;

    /// Waits for the run to end. Where a thread may block, [`RunHandle::wait`](crate::RunHandle::wait)
    /// does the same.
    ///
    /// # Errors
    ///
    /// Fails when the run failed or was cancelled; the error holds the report.
    async fn outcome(&self) -> Result<Report, RunError>;

    /// The output as JSON, once the run has completed; `None` before.
    ///
    /// # Errors
    ///
    /// Fails when the workflow has no output, or one without a JSON form.
    fn output(&self) -> Option<Result<serde_json::Value, OutputError>>;
}
