//! Commands as plain data.

use std::path::PathBuf;
use std::time::Duration;

use super::error::CommandError;
use workflow_core::run_log::OUTPUT_LIMIT;

/// A shell command: a script, its environment and its stdin.
///
/// Values reach the script through its environment and its stdin, never through its text, so the
/// shell cannot read them as code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The script. The shell runs it with `-c`, unless its first line names an interpreter, such as
    /// `#!/usr/bin/env python3`.
    pub script: String,
    /// Environment variables, added to the host's. The last of several with one name counts.
    pub env: Vec<(String, String)>,
    /// The working directory. Default: the host's.
    pub cwd: Option<PathBuf>,
    /// The stdin of the command. Default: nothing (`/dev/null`).
    pub stdin: Option<String>,
    /// The grace period: the time between `SIGTERM` and `SIGKILL`. Default: 10 s. The engine waits
    /// for this time and 5 s more, even if its own grace period is shorter.
    pub grace: Duration,
    /// The most bytes of output that are stored and published, stdout and stderr together. More
    /// output is counted and dropped. Default: 16 MiB.
    pub output_limit: u64,
}

impl Command {
    /// Creates a command with default settings.
    pub fn new(script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            env: Vec::new(),
            cwd: None,
            stdin: None,
            grace: DEFAULT_GRACE,
            output_limit: OUTPUT_LIMIT,
        }
    }

    pub(super) fn check(&self) -> Result<(), CommandError> {
        if self.script.contains('\0') {
            return Err(CommandError::Nul { place: "the script".to_owned() });
        }
        let cwd = self.cwd.as_deref().map(|cwd| cwd.as_os_str().as_encoded_bytes());
        if cwd.is_some_and(|cwd| cwd.contains(&0)) {
            return Err(CommandError::Nul { place: "`cwd`".to_owned() });
        }
        check_env(&self.env)
    }
}

/// Rejects names and values that an environment cannot contain.
pub(super) fn check_env(env: &[(String, String)]) -> Result<(), CommandError> {
    for (name, value) in env {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(CommandError::VariableName { name: name.clone() });
        }
        if value.contains('\0') {
            let place = format!("the environment variable `{name}`");
            return Err(CommandError::Nul { place });
        }
    }
    Ok(())
}

const DEFAULT_GRACE: Duration = Duration::from_secs(10);
