//! How dbt is started for a project: the program, its options and its environment.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Map, Value as Json};
use workflow_core::RetryPolicy;

use crate::program::Program;

/// Everything that all processes of dbt for a project share.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) folder: PathBuf,
    pub(crate) program: Program,
    pub(crate) profiles_dir: Option<PathBuf>,
    pub(crate) profile: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) vars: Map<String, Json>,
    pub(crate) threads: Option<u32>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) grace: Duration,
    pub(crate) retry: Option<RetryPolicy>,
}

impl Settings {
    pub(crate) fn new(folder: PathBuf, program: Program) -> Self {
        Self {
            folder,
            program,
            profiles_dir: None,
            profile: None,
            target: None,
            vars: Map::new(),
            threads: None,
            env: Vec::new(),
            grace: Duration::from_secs(10),
            retry: None,
        }
    }

    /// A command of dbt, such as `ls`, with these options of dbt itself before it.
    pub(crate) fn command(&self, options: &[&str], command: &str) -> Command {
        self.with(Command::new(self.program.path()), options, command)
    }

    fn with(&self, mut process: Command, options: &[&str], command: &str) -> Command {
        process.current_dir(&self.folder).stdin(Stdio::null());
        process.args([
            "--no-send-anonymous-usage-stats",
            "--no-use-colors",
            "--no-use-colors-file",
        ]);
        process.args(options).arg(command);
        if let Some(folder) = &self.profiles_dir {
            process.arg("--profiles-dir").arg(folder);
        }
        let options = [("--profile", &self.profile), ("--target", &self.target)];
        for (option, value) in options {
            if let Some(value) = value {
                process.arg(option).arg(value);
            }
        }
        if !self.vars.is_empty() {
            process.arg("--vars").arg(Json::Object(self.vars.clone()).to_string());
        }
        process.arg("--target-path").arg(self.target_path());
        process.envs(self.env.iter().map(|(name, value)| (name, value)));
        process.env("DO_NOT_TRACK", "1").env("PYTHONUNBUFFERED", "1");
        process
    }

    /// The command that builds what the state in this folder selects, with its log in the other.
    pub(crate) fn build(&self, state: &Path, log: &Path) -> Command {
        let options = [
            "--log-level=none",
            "--log-format-file=json",
            "--log-level-file=debug",
            // Without rotation: the file is read while it grows.
            "--log-file-max-bytes=0",
        ];
        let mut process = self.with(interruptible(self.program.path()), &options, "build");
        process.arg("--log-path").arg(log).arg("--state").arg(state).arg("--no-defer");
        process.args(["--select", "result:error", "--indirect-selection", "empty"]);
        if let Some(threads) = self.threads {
            process.arg("--threads").arg(threads.to_string());
        }
        process
    }

    /// The folder of `manifest.json` and `run_results.json`.
    pub(crate) fn target_path(&self) -> PathBuf {
        self.folder.join("target")
    }

    /// The folder of what this crate writes.
    pub(crate) fn own_folder(&self) -> PathBuf {
        self.folder.join(".workflow")
    }
}

/// A command that can be interrupted, also if this process ignores SIGINT. Programs that a shell
/// script starts in the background do, and so would dbt, which has to be killed then.
fn interruptible(program: &Path) -> Command {
    static RESETS: OnceLock<bool> = OnceLock::new();
    // Of GNU coreutils. By its path: the environment of dbt may have another PATH.
    let env = || {
        let mut env = Command::new("/usr/bin/env");
        env.arg("--default-signal=INT");
        env
    };
    let works = || {
        let mut probe = env();
        probe.args(["/bin/sh", "-c", ":"]);
        probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    };
    if !*RESETS.get_or_init(works) {
        return Command::new(program);
    }
    let mut command = env();
    // `env` takes such a path for an assignment. Other paths do without the shell, which may drop
    // variables with unusual names.
    if program.as_os_str().as_bytes().contains(&b'=') {
        command.args(["/bin/sh", "-c", "exec \"$@\"", "sh"]);
    }
    command.arg(program);
    command
}
