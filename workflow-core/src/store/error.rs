//! Errors of stores.

use crate::event::{Status, TransitionError};
use crate::id::RunId;
use crate::store::{IdempotencyKeyError, MOST_UNREAD_SIGNALS, SharedBy, SignalError};
use crate::value::ValueError;

/// The error of a store operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The sequence numbers of appended events do not follow those of the stored events.
    #[error("run {run}: event {found} was appended, but event {wanted} must be next")]
    Gap {
        /// The run's ID.
        run: RunId,
        /// The sequence number that must be next.
        wanted: u64,
        /// The sequence number of the appended event.
        found: u64,
    },
    /// The run has another owner by now, or none.
    #[error("lost the lease on run {run}: another process has taken it over")]
    LeaseLost {
        /// The run's ID.
        run: RunId,
    },
    /// The engine that owns the run was shut down and releases it.
    #[error("the engine of run {run} was shut down")]
    ShutDown {
        /// The run's ID.
        run: RunId,
    },
    /// The async runtime of the run was shut down before the run ended. The engine has stopped the
    /// run and releases its lease.
    #[error(
        "the async runtime of run {run} was shut down; the run is saved, and `Engine::recover` or \
         `Engine::serve` will resume it"
    )]
    Abandoned {
        /// The run's ID.
        run: RunId,
    },
    /// The engine has evicted the run from its memory, because it waits. A worker resumes it when
    /// its wait ends.
    #[error("run {run} was evicted to the store; a worker of its task queue resumes it")]
    Evicted {
        /// The run's ID.
        run: RunId,
    },
    /// There is no such run.
    #[error("the store has no run {run}")]
    NoRun {
        /// The run's ID.
        run: RunId,
    },
    /// There is no such workflow.
    #[error("the store has no workflow {workflow}; list the workflows to see which there are")]
    NoWorkflow {
        /// Its number, or its name in backticks.
        workflow: String,
    },
    /// A run with this ID exists already.
    #[error("run {run} already exists in the store")]
    Exists {
        /// The run's ID.
        run: RunId,
    },
    /// Another run stands for the request.
    #[error("run {run} stands for the request")]
    Shared {
        /// The run that stands for it.
        run: RunId,
        /// Why it does.
        by: SharedBy,
    },
    /// The run is on record and has limits: it continues where it is claimed once they allow that.
    #[error("run {run} waits for its limits")]
    Waits {
        /// The run's ID.
        run: RunId,
    },
    /// The idempotency key belongs to a run of another workflow, or with another input.
    #[error(
        "idempotency key `{key}` was already used for run {run} {difference}; use a new key for a \
         different request"
    )]
    KeyConflict {
        /// The key.
        key: String,
        /// The run that it belongs to.
        run: RunId,
        /// How that run differs: `of workflow ..`, or `with another input`.
        difference: String,
    },
    /// The idempotency key is invalid.
    #[error("invalid idempotency key: {0}")]
    InvalidKey(IdempotencyKeyError),
    /// The workflow is inactive, so it starts no runs.
    #[error("workflow `{workflow}` is inactive; activate workflow {id} first")]
    NotActive {
        /// The workflow's name.
        workflow: String,
        /// Its number in the store.
        id: i64,
    },
    /// The run is not blocked.
    #[error("run {run} is not blocked")]
    NotBlocked {
        /// The run's ID.
        run: RunId,
    },
    /// The run has ended and accepts no more messages.
    #[error("run {run} has ended ({status})")]
    Ended {
        /// The run's ID.
        run: RunId,
        /// The final status.
        status: Status,
    },
    /// The run belongs to an external program, which cannot receive signals.
    #[error("run {run} cannot receive signals: an external program runs it")]
    External {
        /// The run's ID.
        run: RunId,
    },
    /// The name of the signal is invalid.
    #[error("invalid name of a signal: {0}")]
    InvalidSignal(SignalError),
    /// Too many signals of the run wait to be received.
    #[error(
        "{MOST_UNREAD_SIGNALS} signals of run {run} were not received yet; send more when its jobs \
         have received some"
    )]
    TooManySignals {
        /// The run's ID.
        run: RunId,
    },
    /// A run cannot change its status in this way.
    #[error("run {run}: {error}")]
    Transition {
        /// The run's ID.
        run: RunId,
        /// The invalid change.
        error: TransitionError,
    },
    /// The payload of a signal has no JSON form.
    #[error("run {run}: the signal was not sent: {error}")]
    Payload {
        /// The run's ID.
        run: RunId,
        /// What is wrong.
        error: ValueError,
    },
    /// The address is not that of a store.
    #[error("{0}")]
    Address(String),
    /// The store was written by a newer version, or is damaged. A retry does not help.
    #[error("{0}")]
    Unusable(Box<dyn std::error::Error + Send + Sync>),
    /// The store cannot be reached, or is full. A retry may help.
    #[error("{0}")]
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
}
