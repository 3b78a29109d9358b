//! What a command comes to, and its exit code.

use std::io;
use std::process::ExitCode;

use workflow_config::ConfigError;
use workflow_core::LogError;
use workflow_core::registry::RegistryError;
use workflow_core::{RunError, Status, StoreError};
use workflow_files::Diagnostics;
use workflow_store::CatalogError;

/// How a command ended that did what it was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Success,
    /// The run failed.
    Failed,
    /// The run was cancelled.
    Cancelled,
}

impl From<Status> for Outcome {
    fn from(status: Status) -> Self {
        match status {
            Status::Completed => Self::Success,
            Status::Cancelled => Self::Cancelled,
            _ => Self::Failed,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::SUCCESS,
            Outcome::Failed => Self::FAILURE,
            Outcome::Cancelled => Self::from(CANCELLED),
        }
    }
}

/// What shells call a program that Ctrl-C ended: 128 and the number of SIGINT.
pub(crate) const CANCELLED: u8 = 130;

/// Wrong usage or input.
const USAGE: u8 = 2;

/// Why a command could not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// What is registered in this program is not sound.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// A file is not valid.
    #[error("{0}")]
    File(#[from] Diagnostics),
    /// A configuration is not to be had, or not valid.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The run could not begin, or was given up.
    #[error("{0}")]
    Run(RunError),
    /// The store does not do as asked.
    #[error("{0}")]
    Catalog(CatalogError),
    /// The log of a run cannot be read.
    #[error("{}", with_cause(.0))]
    Log(#[from] LogError),
    /// Standard output was not to be written.
    #[error("standard output cannot be written: {0}")]
    Output(#[from] io::Error),
    /// The machine does not give what is needed.
    #[error("{what}: {error}")]
    Machine {
        /// What could not be had.
        what: String,
        /// What the machine says.
        error: io::Error,
    },
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Output(_) | Self::Machine { .. } | Self::Log(_) => ExitCode::FAILURE,
            Self::Catalog(CatalogError::Store(error)) => of_store(error),
            Self::Run(RunError::Store { error, .. }) => of_store(error),
            Self::Usage(_)
            | Self::Registry(_)
            | Self::File(_)
            | Self::Config(_)
            | Self::Run(_)
            | Self::Catalog(_) => ExitCode::from(USAGE),
        }
    }
}

fn with_cause(error: &LogError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::NotActive { workflow, id } => not_active(&workflow, id),
            error => Self::Run(error),
        }
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Store(StoreError::NotActive { workflow, id }) => {
                not_active(&workflow, id)
            }
            error => Self::Catalog(error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        CatalogError::Store(error).into()
    }
}

/// That a workflow is not active, with the command that activates it.
fn not_active(workflow: &str, id: i64) -> Failure {
    Failure::Usage(format!(
        "workflow `{workflow}` is not active, so no run of it begins; activate it with `workflows \
         update {id} --is-active true`"
    ))
}

/// Whether the store is at fault, or what was asked of it.
fn of_store(error: &StoreError) -> ExitCode {
    match error {
        StoreError::NoRun { .. }
        | StoreError::Ended { .. }
        | StoreError::External { .. }
        | StoreError::InvalidKey(_)
        | StoreError::KeyConflict { .. } => ExitCode::from(USAGE),
        _ => ExitCode::FAILURE,
    }
}
