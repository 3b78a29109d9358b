//! What a store says when it does not do as asked.

use crate::event::{Status, TransitionError};
use crate::id::RunId;
use crate::store::KeyError;
use crate::value::ValueError;

/// Why a store did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Events were appended that do not follow those that are there.
    #[error("run {run}: event {found} was appended where event {wanted} must follow")]
    Gap {
        /// The run's id.
        run: RunId,
        /// The sequence number that must follow.
        wanted: u64,
        /// The sequence number that was given.
        found: u64,
    },
    /// The run has another owner by now, or none.
    #[error(
        "run {run} is driven by another process, which took it over; this one has let go of it"
    )]
    LeaseLost {
        /// The run's id.
        run: RunId,
    },
    /// The engine that drove the run was shut down, and lets go of it.
    #[error("the engine that drove run {run} was shut down")]
    ShutDown {
        /// The run's id.
        run: RunId,
    },
    /// The runtime that drove the run was shut down before its end. The engine has stopped it and
    /// gives its lease back.
    #[error(
        "the runtime that drove run {run} was shut down; the run is saved, and `Engine::recover` \
         or `Engine::serve` goes on with it"
    )]
    Abandoned {
        /// The run's id.
        run: RunId,
    },
    /// There is no such run.
    #[error("the store has no run {run}")]
    NoRun {
        /// The run's id.
        run: RunId,
    },
    /// There is no workflow that the run could be of.
    #[error("the store has no workflow {workflow}; list the workflows to see which there are")]
    NoWorkflow {
        /// Its number, or its name in backticks.
        workflow: String,
    },
    /// There is a run with this id already.
    #[error("the store has a run {run} already")]
    Exists {
        /// The run's id.
        run: RunId,
    },
    /// The idempotency key began a run of another workflow, or with another input.
    #[error(
        "idempotency key `{key}` was used before, for run {run} {difference}; use a new key for a \
         different request"
    )]
    KeyConflict {
        /// The key.
        key: String,
        /// The run that it began.
        run: RunId,
        /// How that run differs: `of workflow ..`, or `with another input`.
        difference: String,
    },
    /// The text that was given as an idempotency key cannot be one.
    #[error("the idempotency key cannot be used: {0}")]
    InvalidKey(KeyError),
    /// The workflow was taken out of use: no run of it begins.
    #[error(
        "workflow `{workflow}` is not active, so no run of it begins; activate workflow {id} first"
    )]
    NotActive {
        /// The workflow's name.
        workflow: String,
        /// Its number in the store.
        id: i64,
    },
    /// The run is not blocked.
    #[error("run {run} is not blocked")]
    NotBlocked {
        /// The run's id.
        run: RunId,
    },
    /// The run has ended, and takes no more messages.
    #[error("run {run} has ended ({status})")]
    Ended {
        /// The run's id.
        run: RunId,
        /// How it ended.
        status: Status,
    },
    /// The run is another program's, which takes no signals.
    #[error("run {run} takes no signals: another program runs it and reports on it")]
    External {
        /// The run's id.
        run: RunId,
    },
    /// A run cannot change its status in this way.
    #[error("run {run}: {error}")]
    Transition {
        /// The run's id.
        run: RunId,
        /// Both states.
        error: TransitionError,
    },
    /// What came with a signal has no JSON form.
    #[error("run {run}: the signal was not sent: {error}")]
    Payload {
        /// The run's id.
        run: RunId,
        /// What is wrong.
        error: ValueError,
    },
    /// The store was written by something newer, or is damaged: trying again does not help.
    #[error("{0}")]
    Unusable(Box<dyn std::error::Error + Send + Sync>),
    /// The store cannot be reached, or has no room: trying again may help.
    #[error("{0}")]
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
}
