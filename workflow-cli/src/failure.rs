//! Outcomes, errors and exit codes of commands.

use std::io;
use std::process::ExitCode;

use workflow_config::ConfigError;
use workflow_core::asset::plan::RequestError;
use workflow_core::asset::{AssetError, AssetsError};
use workflow_core::error_text::{self, io_reason};
use workflow_core::registry::RegistryError;
use workflow_core::run_log::LogError;
use workflow_core::store::StoreError;
use workflow_core::worker::PresetError;
use workflow_core::{RunError, Status};
use workflow_files::Diagnostics;
use workflow_store::CatalogError;

/// How a command that did its work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Success.
    Success,
    /// The run failed, or a checked file is invalid.
    Failed,
    /// The run was cancelled.
    Cancelled,
    /// Another program, which the command has run, ended with this code.
    #[cfg(feature = "new")]
    Exit(u8),
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
            #[cfg(feature = "new")]
            Outcome::Exit(code) => Self::from(code),
        }
    }
}

/// The exit code that shells use for a program ended by Ctrl-C: 128 plus the number of SIGINT.
pub(crate) const CANCELLED: u8 = 130;

/// Invalid usage or input.
const USAGE: u8 = 2;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The arguments do not make sense.
    #[error("{0}")]
    Usage(String),
    /// The registered workflows of this program are invalid.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// A file is invalid.
    #[error("{0}")]
    File(#[from] Diagnostics),
    /// A configuration is missing or invalid.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The run could not start, or was aborted.
    #[error("{0}")]
    Run(RunError),
    /// A store request failed.
    #[error("{0}")]
    Catalog(CatalogError),
    /// Temporal is unreachable, or did not answer.
    #[cfg(feature = "temporal")]
    #[error("{0}")]
    Temporal(String),
    /// Records or values of assets cannot be read or written.
    #[error("{0}")]
    Assets(#[from] AssetsError),
    /// The log of a run cannot be read.
    #[error("{}", with_cause(.0))]
    Log(#[from] LogError),
    /// The server could not start, or failed.
    #[cfg(feature = "serve")]
    #[error(transparent)]
    Serve(#[from] workflow_server::ServeError),
    /// Writing to standard output failed.
    #[error("cannot write to standard output: {}", io_reason(.0))]
    Output(#[from] io::Error),
    /// The operating system refused a resource.
    #[error("{what}: {}", io_reason(error))]
    Machine {
        /// What failed.
        what: String,
        /// The error of the operating system.
        error: io::Error,
    },
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Output(_) | Self::Machine { .. } | Self::Log(_) => ExitCode::FAILURE,
            #[cfg(feature = "temporal")]
            Self::Temporal(_) => ExitCode::FAILURE,
            #[cfg(feature = "serve")]
            Self::Serve(workflow_server::ServeError::Open(_)) => ExitCode::from(USAGE),
            #[cfg(feature = "serve")]
            Self::Serve(_) => ExitCode::FAILURE,
            Self::Catalog(CatalogError::Store(error)) => of_store(error),
            Self::Run(RunError::Store { error, .. }) => of_store(error),
            Self::Assets(AssetsError::Store(error)) => of_store(error),
            Self::Assets(AssetsError::File { .. }) => ExitCode::FAILURE,
            Self::Usage(_)
            | Self::Registry(_)
            | Self::File(_)
            | Self::Config(_)
            | Self::Run(_)
            | Self::Assets(_)
            | Self::Catalog(_) => ExitCode::from(USAGE),
        }
    }
}

fn with_cause(error: &LogError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {}", error_text::message(cause)),
        None => error.to_string(),
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::NotActive { workflow, id } => not_active(&workflow, id),
            RunError::LimitsNotEnforced { workflow } => Self::Usage(format!(
                "workflow `{workflow}` has limits on its runs, which a database enforces; name one \
                 with --db or WORKFLOW_DB"
            )),
            error => Self::Run(error),
        }
    }
}

#[cfg(feature = "new")]
impl From<minijinja::Error> for Failure {
    fn from(error: minijinja::Error) -> Self {
        Self::Usage(format!(
            "the template is invalid: {error}; this is a bug in workflow-cli, please report it"
        ))
    }
}

impl From<AssetError> for Failure {
    fn from(error: AssetError) -> Self {
        Self::Usage(match error {
            AssetError::Unknown { asset, nearest: Some(nearest), .. } => {
                format!("no asset `{asset}`; did you mean `{nearest}`?")
            }
            AssetError::Unknown { asset, .. } => {
                format!("no asset `{asset}`; `assets list` shows all")
            }
            error => error.to_string(),
        })
    }
}

impl From<PresetError> for Failure {
    fn from(error: PresetError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Asset(error) => error.into(),
            error => Self::Usage(error.to_string()),
        }
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Store(StoreError::NotActive { workflow, id }) => {
                not_active(&workflow, id)
            }
            CatalogError::NoWorkflow(name) => {
                Self::Usage(format!("no workflow `{name}`; see `workflows list`"))
            }
            CatalogError::NoUser(name) => Self::Usage(format!("no user `{name}`; see `user list`")),
            CatalogError::UnknownRun(run) => {
                Self::Usage(format!("no run `{run}`; see `runs list`"))
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

/// The error for an inactive workflow, with the command that activates it.
fn not_active(workflow: &str, id: i64) -> Failure {
    Failure::Usage(format!(
        "workflow `{workflow}` is inactive; activate it with `workflows update {id} --is-active true`"
    ))
}

/// The exit code of a store error: usage for a request that is wrong, failure for a store that is.
fn of_store(error: &StoreError) -> ExitCode {
    match error {
        StoreError::NoRun { .. }
        | StoreError::Address(_)
        | StoreError::Ended { .. }
        | StoreError::External { .. }
        | StoreError::InvalidKey(_)
        | StoreError::InvalidSignal(_)
        | StoreError::KeyConflict { .. } => ExitCode::from(USAGE),
        _ => ExitCode::FAILURE,
    }
}
