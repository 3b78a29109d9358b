//! Runs the binaries and returns their output.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

/// The output and exit code of a process.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}{}", self.out, self.err))
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("it says text");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A command of the user `ada`, independent of the environment of the test run.
pub(crate) fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    command.env("USER", "ada");
    for name in SETTINGS {
        command.env_remove(name);
    }
    command
}

/// Variables that would change the output.
const SETTINGS: [&str; 8] = [
    "RUST_LOG",
    "WORKFLOW_DB",
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "WORKFLOW_CONFIG_DIR",
    "WORKFLOW_PROFILE",
    "WORKFLOW_SECRETS_DIR",
];

/// Runs the binary `workflow`, which has no registered workflows.
pub(crate) fn workflow(args: &[&str]) -> Outcome {
    let binary = assert_cmd::cargo::cargo_bin!("workflow");
    command(binary).args(args).output().expect("it starts").into()
}

/// Runs the binary `workflow` in this directory.
pub(crate) fn workflow_in(folder: &Path, args: &[&str]) -> Outcome {
    let binary = assert_cmd::cargo::cargo_bin!("workflow");
    command(binary).args(args).current_dir(folder).output().expect("it starts").into()
}

/// A command of the binary `workflow` in this directory.
pub(crate) fn process_in(folder: &Path, args: &[&str]) -> Command {
    let mut command = command(assert_cmd::cargo::cargo_bin!("workflow"));
    command.args(args).current_dir(folder);
    command
}

/// The example `host`.
pub(crate) fn host_binary() -> PathBuf {
    example("host")
}

/// An example, built by cargo next to this test.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let profile = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    let path = profile.join("examples").join(name);
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "build it with `cargo build -p workflow-cli --example {name}`");
    path
}

pub(crate) fn host(args: &[&str]) -> Outcome {
    command(&host_binary()).args(args).output().expect("it starts").into()
}

/// Runs the host in this directory.
pub(crate) fn host_in(folder: &Path, args: &[&str]) -> Outcome {
    command(&host_binary()).args(args).current_dir(folder).output().expect("it starts").into()
}

/// Runs the host with this standard input.
pub(crate) fn host_reads(args: &[&str], input: &str) -> Outcome {
    reads(&host_binary(), args, input)
}

/// Runs the binary `workflow` with this standard input.
pub(crate) fn workflow_reads(args: &[&str], input: &str) -> Outcome {
    reads(assert_cmd::cargo::cargo_bin!("workflow"), args, input)
}

/// Runs the binary `workflow` in this directory with this standard input.
pub(crate) fn workflow_reads_in(folder: &Path, args: &[&str], input: &str) -> Outcome {
    let mut command = command(assert_cmd::cargo::cargo_bin!("workflow"));
    command.current_dir(folder);
    output_of(command, args, input)
}

fn reads(binary: &Path, args: &[&str], input: &str) -> Outcome {
    output_of(command(binary), args, input)
}

fn output_of(mut command: Command, args: &[&str], input: &str) -> Outcome {
    let piped = Stdio::piped;
    command.args(args).stdin(piped()).stdout(piped()).stderr(piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends").into()
}

/// Replaces values that differ from run to run.
pub(crate) fn same() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?", "<when>");
    settings.add_filter(r"\b\d\d:\d\d:\d\d\b", "<clock>");
    settings.add_filter(r"process \d+", "process <n>");
    settings.add_filter(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>");
    settings.add_filter(r" *(<1|\d+(\.\d+)?)(ms|s)\b", " <time>");
    settings
}

/// Like [`same`], for tables whose column widths depend on such values.
pub(crate) fn tables() -> insta::Settings {
    let mut settings = same();
    settings.add_filter(r" {2,}", "  ");
    settings
}

/// An empty directory with these files, for one test.
pub(crate) fn folder(test: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
    std::fs::create_dir_all(&folder).expect("it can be made");
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }
    folder
}

/// A worker in a process of its own, killed when this is dropped.
pub(crate) struct Worker(Child);

impl Worker {
    /// Starts a command, without its output.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }

    /// Starts `worker` of the host in this directory.
    pub(crate) fn of_host(folder: &Path, args: &[&str]) -> Self {
        let mut worker = command(&host_binary());
        worker.arg("worker").args(args).current_dir(folder);
        Self::start(worker)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("it runs");
    }

    /// Waits until it ends.
    pub(crate) fn wait(&mut self) {
        self.0.wait().expect("it ends");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}
