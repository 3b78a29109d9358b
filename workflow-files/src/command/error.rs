//! Why a command failed, and whether another attempt may help.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use super::finished::{Exit, ResourceUsage};
use super::outputs::OutputsError;
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
        /// What it took.
        usage: ResourceUsage,
    },
    /// It was asked to stop.
    #[error("the command was asked to stop{}", exit.map(|exit| format!(" and {exit}")).unwrap_or_default())]
    Cancelled {
        /// How it ended; `None` when it had not begun.
        exit: Option<Exit>,
    },
    /// It ended well, but what it wrote to `$WORKFLOW_OUTPUT` cannot be read.
    #[error("the outputs of the command cannot be read")]
    Outputs(#[source] OutputsError),
    /// The folder that it is to run in cannot be entered.
    #[error("the working directory `{}` cannot be entered; create it, or correct `cwd`", path.display())]
    Cwd {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder for temporary files is not there, or cannot be written to.
    #[error(
        "the folder for temporary files, `{}`, cannot be used; create it, or set TMPDIR to another",
        folder.display()
    )]
    Temporary {
        /// The folder: `TMPDIR`, or `/tmp`.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The shell is not there, or may not be run.
    #[error("the shell `{}` cannot be run; install it, or name another", path.display())]
    Shell {
        /// The shell.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The program that the first line of the script names cannot be started.
    #[error(
        "the first line of the script names `{}`, which cannot be started; install it, or correct the line",
        program.display()
    )]
    Interpreter {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// An environment variable has a name that no variable can have.
    #[error(
        "{name:?} is no name of an environment variable; use one that is not empty, without `=` and NUL"
    )]
    VariableName {
        /// The name.
        name: String,
    },
    /// There is a NUL character where the system takes none.
    #[error("{place} holds a NUL character, which no process can be given; remove it")]
    Nul {
        /// Where it is.
        place: String,
    },
    /// Script and environment are more than the system hands to a process.
    #[error(
        "the script and its environment are too long for the system; put the script into a file, or its data into `stdin`"
    )]
    TooLong {
        /// What the system says.
        source: io::Error,
    },
    /// The output could not be kept, and so the command was stopped.
    #[error("the output of the command cannot be kept")]
    Log(#[source] LogError),
    /// The system refused something that running a command needs.
    #[error("cannot {doing}")]
    System {
        /// What was tried.
        doing: String,
        /// What the system says.
        source: io::Error,
    },
}

impl CommandError {
    /// Wraps the error, and says with it whether another attempt may help.
    pub fn into_job_error(self) -> JobError {
        let kind = match self {
            Self::Exit { .. } | Self::Log(_) | Self::System { .. } => JobErrorKind::Retryable,
            // A disk that is full may have room again.
            Self::Temporary { ref source, .. } if source.kind() == ErrorKind::StorageFull => {
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

/// For `map_err`: what was being tried when the system refused.
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
