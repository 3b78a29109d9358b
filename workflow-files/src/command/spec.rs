//! What to run, as plain data.

use std::path::PathBuf;
use std::time::Duration;

use super::error::CommandError;
use workflow_core::run_log::OUTPUT_LIMIT;

/// A shell command: the script, and what it is given to work with.
///
/// Values reach the script through its environment and its stdin, never through its text: whatever
/// they hold, the shell does not read it as code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What the shell is given after `-c`. A script whose first line names an interpreter, such as
    /// `#!/usr/bin/env python3`, is run by that instead.
    pub script: String,
    /// Environment variables, on top of the host's; of two with one name the later counts.
    pub env: Vec<(String, String)>,
    /// Where the command runs; by default where the host does.
    pub cwd: Option<PathBuf>,
    /// What the command reads from stdin; by default nothing (`/dev/null`).
    pub stdin: Option<String>,
    /// The time between asking the command to stop and killing it. Default: 10 s. The engine gives
    /// its job this long, and 5 s more, even where its own grace period is shorter.
    pub grace: Duration,
    /// How many bytes of output are kept and shown, stdout and stderr together; what comes
    /// after is counted and dropped. Default: 16 MiB.
    pub output_limit: u64,
}

impl Command {
    /// A command with no more than a script.
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

/// Says no to names and values that no environment can hold.
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
