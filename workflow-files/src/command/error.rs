//! Why a command failed, and whether a retry may help.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use super::finished::{Exit, ResourceUsage};
use super::outputs::OutputsError;
use workflow_core::error_text::io_reason;
use workflow_core::job::{JobError, JobErrorKind, STDERR_FOLLOWS};
use workflow_core::run_log::LogError;

/// Why a command failed.
///
/// [`Shell::run`](super::Shell::run) wraps it into a [`JobError`], where it can be found again:
///
/// ```
/// use workflow_core::JobError;
/// use workflow_files::command::CommandError;
///
/// fn exit_code(error: &JobError) -> Option<i32> {
///     match error.downcast_ref()? {
///         CommandError::Exit { exit, .. } => exit.code(),
///         _ => None,
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It exited with a code other than 0, or a signal killed it.
    #[error("the command {exit}; {}", last_words(stderr))]
    Exit {
        /// The code or the signal.
        exit: Exit,
        /// The last lines of stderr, at most 10 of them and 2 KiB, control characters escaped.
        stderr: String,
        /// Its resource usage.
        usage: ResourceUsage,
    },
    /// It was cancelled.
    #[error("the command {}", exit.map_or_else(|| "was cancelled".to_owned(), |exit| exit.to_string()))]
    Cancelled {
        /// How it ended; `None` if it had not started.
        exit: Option<Exit>,
    },
    /// It succeeded, but its `$WORKFLOW_OUTPUT` is invalid.
    #[error("cannot read the outputs of the command")]
    Outputs(#[source] OutputsError),
    /// Its working directory cannot be entered.
    #[error(
        "cannot enter the working directory `{}`: {}; create it, or correct `cwd`",
        path.display(),
        io_reason(error)
    )]
    Cwd {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The folder for temporary files does not exist, or is not writable.
    #[error(
        "cannot use the folder for temporary files, `{}`: {}; create it, or set TMPDIR to another",
        folder.display(),
        io_reason(error)
    )]
    Temporary {
        /// The folder: `TMPDIR`, or `/tmp`.
        folder: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The shell does not exist, or is not executable.
    #[error(
        "cannot run the shell `{}`: {}; install it, or choose another",
        path.display(),
        io_reason(error)
    )]
    Shell {
        /// The shell.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The interpreter in the first line of the script cannot be started.
    #[error(
        "cannot start `{}`, which the first line of the script names: {}; install it, or correct the line",
        program.display(),
        io_reason(error)
    )]
    Interpreter {
        /// The program.
        program: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The name of an environment variable is invalid.
    #[error(
        "{name:?} is not a valid name of an environment variable; use a name without `=` and NUL"
    )]
    VariableName {
        /// The name.
        name: String,
    },
    /// A NUL character, which the system does not allow here.
    #[error("{place} contains a NUL character, which cannot be passed to a process; remove it")]
    Nul {
        /// Where it is.
        place: String,
    },
    /// The script and its environment exceed the limit of the system.
    #[error(
        "the script and its environment are too long for the system; put the script into a file, or its data into `stdin`"
    )]
    TooLong {
        /// The system's error.
        source: io::Error,
    },
    /// The output could not be written to the log, so the command was stopped.
    #[error("cannot write the output of the command to the log")]
    Log(#[source] LogError),
    /// A system call that runs commands failed.
    #[error("cannot {doing}")]
    System {
        /// What failed, such as "start a thread".
        doing: String,
        /// The system's error.
        source: io::Error,
    },
}

impl CommandError {
    /// Converts the error to a [`JobError`], which knows whether a retry may help.
    pub fn into_job_error(self) -> JobError {
        let kind = match self {
            Self::Exit { .. } | Self::Log(_) | Self::System { .. } => JobErrorKind::Retryable,
            // A full disk may have free space later.
            Self::Temporary { ref error, .. } if error.kind() == ErrorKind::StorageFull => {
                JobErrorKind::Retryable
            }
            Self::Cancelled { .. } => JobErrorKind::Cancelled,
            Self::Outputs(_)
            | Self::Cwd { .. }
            | Self::Temporary { .. }
            | Self::Shell { .. }
            | Self::Interpreter { .. }
            | Self::VariableName { .. }
            | Self::Nul { .. }
            | Self::TooLong { .. } => JobErrorKind::Terminal,
        };
        JobError::of_kind(kind, self)
    }
}

/// For `map_err`: names the action that failed.
pub(super) fn while_trying<E: Into<io::Error>>(
    doing: impl Into<String>,
) -> impl FnOnce(E) -> CommandError {
    move |source| CommandError::System { doing: doing.into(), source: source.into() }
}

fn last_words(stderr: &str) -> String {
    if stderr.is_empty() {
        return "it wrote nothing to stderr".to_owned();
    }
    format!("{STDERR_FOLLOWS}{stderr}")
}
