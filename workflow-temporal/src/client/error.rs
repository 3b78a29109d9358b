//! Why a run did not start, or why a call about a run failed.

use temporalio_client::errors::{
    WorkflowGetResultError, WorkflowInteractionError, WorkflowQueryError,
};
use temporalio_common::error::IncomingError;
use workflow_core::engine::{LookupError, ResumeError};
use workflow_core::id::RunId;
use workflow_core::workflow::PlanError;
use workflow_core::{RunError, Status};

use crate::message::{Cause, chain, reason};

/// Why a run did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no such workflow in this program.
    #[error(transparent)]
    Lookup(LookupError),
    /// The input does not serialize to JSON.
    #[error("the input cannot be written as JSON")]
    Input(#[source] serde_json::Error),
    /// The input does not fit the workflow.
    #[error("the input does not fit workflow `{workflow}`: {reason}")]
    Mismatch {
        /// The workflow.
        workflow: String,
        /// What does not fit.
        reason: String,
    },
    /// The workflow limits its runs.
    #[error(
        "workflow `{workflow}` has limits on its runs, which Temporal does not enforce; run it with a \
         store, or remove the limits"
    )]
    Limits {
        /// The workflow.
        workflow: String,
    },
    /// The workflow cannot be planned for this input.
    #[error("workflow `{workflow}` cannot run")]
    Plan {
        /// The workflow.
        workflow: String,
        /// The cause.
        #[source]
        error: PlanError,
    },
    /// The workflow ID belongs to a run of another workflow, or with another input.
    #[error(
        "idempotency key `{key}` was already used for run {run} {difference}; use a new key for a \
         different request"
    )]
    KeyConflict {
        /// The workflow ID.
        key: String,
        /// The run that it belongs to.
        run: RunId,
        /// How that run differs: `of workflow ..`, or `with another input`.
        difference: String,
    },
    /// The server has no such namespace.
    #[error(
        "cannot start workflow `{workflow}`: Temporal has no namespace `{namespace}`; check the \
         name, or create it with `temporal operator namespace create {namespace}`"
    )]
    Namespace {
        /// The workflow.
        workflow: String,
        /// The namespace.
        namespace: String,
    },
    /// The server did not accept the workflow.
    #[error(
        "Temporal did not start workflow `{workflow}`: {}; check the server, and try again",
        reason(&**error)
    )]
    Server {
        /// The workflow.
        workflow: String,
        /// The error of the server.
        error: Cause,
    },
}

impl StartError {
    pub(super) fn server(workflow: &str, error: impl Into<Cause>) -> Self {
        Self::Server { workflow: workflow.to_owned(), error: error.into() }
    }
}

/// Why a request to a run on Temporal failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such run.
    #[error("Temporal has no such run; its retention period may be over")]
    NotFound,
    /// The run has ended, and accepts no more requests.
    #[error("run {run} has ended ({status})")]
    Ended {
        /// The run.
        run: RunId,
        /// The final status.
        status: Status,
    },
    /// The run failed.
    #[error("workflow `{workflow}` failed: {message}")]
    Failed {
        /// The workflow.
        workflow: String,
        /// The failure.
        message: String,
    },
    /// The run was cancelled.
    #[error("workflow `{workflow}` was cancelled")]
    Cancelled {
        /// The workflow.
        workflow: String,
    },
    /// The run did not complete, as its report shows.
    #[error(transparent)]
    Run(RunError),
    /// The report of the run cannot be restored in this program.
    #[error("the report of the run cannot be restored")]
    Restore(#[from] ResumeError),
    /// A payload is not what it must be.
    #[error(
        "a payload is not of the expected type: {0}; use the type that the workflow returns or takes"
    )]
    Payload(serde_json::Error),
    /// This program cannot read the answer of a worker.
    #[error(
        "cannot read a worker's answer to query `{query}`; if the worker has a newer version, \
         update this program"
    )]
    Answer {
        /// The name of the query.
        query: String,
        /// The cause.
        #[source]
        error: serde_json::Error,
    },
    /// This program cannot read the history of the run.
    #[error("cannot read the history of the run: {0}")]
    History(String),
    /// The recorded events of the run are needed, and nobody has them.
    #[error(
        "no worker answers, and this program cannot replay the run; start a worker that has its \
         workflow"
    )]
    NotRecorded,
    /// The workflow is not one of this project.
    #[error("workflow `{0}` of this Temporal namespace is not one that this project runs")]
    Foreign(String),
    /// The server or a worker did not answer.
    #[error("Temporal did not answer: {}; check the server, and try again", reason(&**.0))]
    Server(Cause),
}

impl CallError {
    pub(super) fn foreign(workflow: &str) -> Self {
        Self::Foreign(workflow.to_owned())
    }

    pub(super) fn of_result(workflow: &str, error: WorkflowGetResultError) -> Self {
        let workflow = workflow.to_owned();
        match error {
            WorkflowGetResultError::Failed(error) => match *error {
                IncomingError::Application(failure) => {
                    let message = failure.failure().map(|failure| failure.message.clone());
                    Self::Failed { workflow, message: message.unwrap_or_default() }
                }
                other => Self::Failed { workflow, message: chain(&other) },
            },
            WorkflowGetResultError::Cancelled { .. } => Self::Cancelled { workflow },
            WorkflowGetResultError::Terminated { .. } => {
                Self::Failed { workflow, message: "it was terminated".to_owned() }
            }
            WorkflowGetResultError::TimedOut => {
                Self::Failed { workflow, message: "its Temporal timeout expired".to_owned() }
            }
            WorkflowGetResultError::NotFound(_) => Self::NotFound,
            other => Self::Server(other.into()),
        }
    }

    pub(super) fn of_interaction(error: WorkflowInteractionError) -> Self {
        match error {
            WorkflowInteractionError::NotFound(_) => Self::NotFound,
            other => Self::Server(other.into()),
        }
    }

    pub(super) fn of_query(error: WorkflowQueryError) -> Self {
        match error {
            WorkflowQueryError::NotFound(_) => Self::NotFound,
            other => Self::Server(other.into()),
        }
    }
}
