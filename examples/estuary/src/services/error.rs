//! Errors of the services, and whether a retry may help.

use std::io;

use workflow_core::JobError;

/// Why a service did not do what was requested.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The service does not answer now.
    #[error("{call}: the service is unavailable")]
    Unavailable {
        /// The call.
        call: String,
    },
    /// The service received too many requests.
    #[error("{call}: too many requests")]
    RateLimited {
        /// The call.
        call: String,
    },
    /// The bank refused the card.
    #[error("{call}: the card was declined")]
    CardDeclined {
        /// The call.
        call: String,
    },
    /// There is no such record.
    #[error("there is no {what} {id}")]
    Missing {
        /// The kind of record.
        what: &'static str,
        /// Its ID.
        id: String,
    },
    /// The record is in a state in which the call makes no sense.
    #[error("{what} {id} is {state}")]
    Conflict {
        /// The kind of record.
        what: &'static str,
        /// Its ID.
        id: u64,
        /// Its state.
        state: String,
    },
    /// The records cannot be read or written.
    #[error("cannot use the records of the service")]
    Records(#[from] io::Error),
}

impl ServiceError {
    /// Converts into the error of an activity. Its type is the name of the variant, which retry
    /// policies list as `non_retryable_errors`. A missing record and a conflict are never retried.
    pub fn into_job(self) -> JobError {
        let error_type = match &self {
            Self::Unavailable { .. } => "Unavailable",
            Self::RateLimited { .. } => "RateLimited",
            Self::CardDeclined { .. } => "CardDeclined",
            Self::Missing { .. } => "Missing",
            Self::Conflict { .. } => "Conflict",
            Self::Records(_) => "Records",
        };
        let error = match self {
            Self::Missing { .. } | Self::Conflict { .. } => JobError::terminal(self),
            _ => JobError::retryable(self),
        };
        error.with_type(error_type)
    }
}
