//! Errors of Temporal as failures of commands: usage for a request that is wrong, failure for a
//! server that is.

use std::error::Error;

use workflow_core::error_text;
use workflow_temporal::{CallError, ConnectError, ScheduleSyncError, StartError, WorkerError};

use crate::failure::Failure;

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Connect { .. } => Self::Temporal(text_of(&error)),
            error => Self::Usage(text_of(&error)),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Server { .. } => Self::Temporal(text_of(&error)),
            error => Self::Usage(text_of(&error)),
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Server(_)
            | CallError::Answer { .. }
            | CallError::History(_)
            | CallError::NotRecorded => Self::Temporal(text_of(&error)),
            error => Self::Usage(text_of(&error)),
        }
    }
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Preset(_) | WorkerError::Registry(_) | WorkerError::Registration(_) => {
                Self::Usage(text_of(&error))
            }
            error => Self::Temporal(text_of(&error)),
        }
    }
}

impl From<ScheduleSyncError> for Failure {
    fn from(error: ScheduleSyncError) -> Self {
        match error {
            ScheduleSyncError::Server(_) => Self::Temporal(text_of(&error)),
            error => Self::Usage(text_of(&error)),
        }
    }
}

/// The text of an error with its causes.
pub(super) fn text_of(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {}", error_text::message(error));
        cause = error.source();
    }
    text
}
