//! Runs commands in the workspace.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a task failed, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A folder of the workspace, with variables for the commands that run there.
#[derive(Clone)]
pub(crate) struct Shell {
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Shell {
    /// The root of the workspace.
    pub(crate) fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("is in a workspace");
        Self { folder: root.to_owned(), variables: Vec::new() }
    }

    /// Disables incremental builds and debug information, which CI does not need: saves half of the
    /// disk space.
    pub(crate) fn without_debug_info(&self) -> Self {
        self.with("CARGO_INCREMENTAL", "0").with("CARGO_PROFILE_DEV_DEBUG", "0")
    }

    pub(crate) fn within(&self, folder: &str) -> Self {
        Self { folder: self.folder.join(folder), variables: self.variables.clone() }
    }

    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut shell = self.clone();
        shell.variables.push((name, value.to_owned()));
        shell
    }

    /// Runs a command to its end, with this program's input and output.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Result<(), Failure> {
        let status = self.command(program, arguments).status();
        let status = status.map_err(|error| Failure(format!("cannot run `{program}`: {error}")))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure(format!("`{program} {}` failed with {status}", arguments.join(" "))))
    }

    /// Returns the output of a command; `None` if it fails.
    pub(crate) fn read(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let output = self.command(program, arguments).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Whether a program is on `PATH`.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Cargo's target folder, which contains this program.
pub(crate) fn target() -> PathBuf {
    let program = std::env::current_exe().expect("this program has a path");
    program.ancestors().nth(2).expect("is in a folder of the target folder").to_owned()
}
