//! A system that executes the runs of a server in place of engines.

use async_trait::async_trait;
use axum::http::StatusCode;
use serde_json::Value;
use workflow_core::id::RunId;

use crate::problem::Problem;

/// A system that executes runs in place of engines, such as a Temporal cluster.
///
/// The store of the server then has a copy of its runs, which the host keeps up to date. Requests to
/// start, cancel and signal runs go to the system. See [`Server::remote`](crate::Server::remote).
#[async_trait]
pub trait Remote: Send + Sync + 'static {
    /// The name of the system, for error messages.
    fn name(&self) -> &str;

    /// Starts a run, and returns when the system and the store have it.
    ///
    /// # Errors
    ///
    /// Fails if the workflow or its input is invalid, or if the system does not answer.
    async fn start(&self, run: RemoteStart) -> Result<RemoteStarted, RemoteError>;

    /// Requests that a run is cancelled.
    ///
    /// # Errors
    ///
    /// Fails if the run has ended, or if the system does not answer.
    async fn cancel(&self, run: RunId) -> Result<(), RemoteError>;

    /// Sends a signal to a run.
    ///
    /// # Errors
    ///
    /// Fails if the run has ended, or if the system does not answer.
    async fn signal(&self, run: RunId, name: &str, payload: Value) -> Result<(), RemoteError>;
}

/// A request for a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RemoteStart {
    /// The name of the registered workflow.
    pub workflow: String,
    /// The input; `None` for a workflow without one.
    pub input: Option<Value>,
    /// The task queue; `None` for that of the workflow's domain.
    pub task_queue: Option<String>,
    /// The idempotency key: starting again with the same key returns the existing run.
    pub idempotency_key: Option<String>,
    /// The priority among the runs of its task queue.
    pub priority: i32,
}

/// A run that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteStarted {
    /// The run.
    pub run: RunId,
    /// Whether it existed before, with the same idempotency key.
    pub existing: bool,
    /// Why the run will not start soon.
    pub warning: Option<String>,
}

/// Why a request to the system failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The request is invalid.
    #[error("{0}")]
    Invalid(String),
    /// The idempotency key belongs to a run of another workflow, or with another input.
    #[error("{0}")]
    KeyConflict(String),
    /// The run has ended.
    #[error("run {0} has ended")]
    Ended(RunId),
    /// The system did not answer.
    #[error("{0}")]
    Unavailable(String),
}

impl From<RemoteError> for Problem {
    fn from(error: RemoteError) -> Self {
        let text = error.to_string();
        match error {
            RemoteError::Invalid(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "cannot_start", text)
            }
            RemoteError::KeyConflict(_) => Self::conflict("idempotency_key_used", text),
            RemoteError::Ended(_) => Self::conflict("ended", text),
            RemoteError::Unavailable(_) => {
                Self::new(StatusCode::BAD_GATEWAY, "backend_unavailable", text)
            }
        }
    }
}
