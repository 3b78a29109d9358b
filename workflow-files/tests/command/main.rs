//! Shell commands, run for real.
#![cfg(target_os = "linux")]

mod ends;
mod host;
mod log;
mod stopping;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures::executor::block_on_stream;
use workflow_core::engine::RunHandle;
use workflow_core::event::EventKind;
use workflow_core::id::RunId;
use workflow_core::run_log::RunLog;
use workflow_core::workflow::FunctionWorkflow;
use workflow_core::{Job, JobContext, JobError, Run, call_job};
use workflow_files::command::{Command, CommandError, Exit, Finished, Shell};

fn block_on<F: Future>(future: F) -> F::Output {
    futures::executor::block_on(future)
}

/// Runs a command outside of any run.
fn run(command: &Command) -> Result<Finished, JobError> {
    block_on(Shell::new().run(command, &JobContext::detached()))
}

/// What a command that succeeds writes to stdout.
fn printed(command: &Command) -> String {
    let folder = Folder::new();
    let path = folder.path("run.log");
    let shell = Shell::new().log(RunLog::open(&path).expect("the log opens"));
    block_on(shell.run(command, &JobContext::detached())).expect("the command succeeds");
    let log = RunLog::read(&path, "", 1).expect("the log is read");
    String::from_utf8(log.stdout()).expect("the output is text")
}

fn exit(error: &JobError) -> Exit {
    match error.downcast_ref() {
        Some(CommandError::Exit { exit, .. }) => *exit,
        _ => panic!("{error}"),
    }
}

/// A workflow of one job that runs a command; what comes of it is sent to the test.
struct Runs {
    shell: Shell,
    command: Command,
    end: mpsc::Sender<Result<Finished, JobError>>,
}

#[async_trait::async_trait]
impl Job for Runs {
    type Input = ();
    type Output = ();

    fn name(&self) -> &'static str {
        "command"
    }

    async fn run(&self, context: &JobContext, (): &()) -> Result<(), JobError> {
        let end = self.shell.run(&self.command, context).await;
        self.end.send(end).expect("the test waits for the end");
        Ok(())
    }
}

fn workflow(
    shell: Shell,
    command: Command,
) -> (FunctionWorkflow, mpsc::Receiver<Result<Finished, JobError>>) {
    let (end, ended) = mpsc::channel();
    let workflow = FunctionWorkflow::new("commands", move |flow| {
        let input = flow.value(());
        let runs = Runs { shell: shell.clone(), command: command.clone(), end: end.clone() };
        flow.job(call_job(runs, input));
    });
    (workflow.expect("the name is well formed"), ended)
}

/// The lines that the jobs of a run print, as they print them, up to the end of the run.
fn lines_of_run(run: &RunHandle) -> impl Iterator<Item = String> + use<> {
    let texts = block_on_stream(run.events()).filter_map(|event| match event.kind {
        EventKind::JobOutput { text, .. } => Some(text),
        _ => None,
    });
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
}

/// A pipe that commands wait at, for a line each: `read -r _ < gate`.
fn gate(folder: &Folder) -> fs::File {
    let gate = folder.path("gate");
    let made = std::process::Command::new("mkfifo").arg(&gate).status().expect("mkfifo runs");
    assert!(made.success());
    // Open for both, so that no command waits for someone to open the other end.
    fs::OpenOptions::new().read(true).write(true).open(gate).expect("it opens")
}

/// A folder that is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("workflow-test-{}", RunId::random()));
        fs::create_dir(&folder).expect("the temporary folder can be written");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the folder of a test can be removed");
    }
}

/// Whether a process is there and has not ended.
fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

/// Looks until it holds; fails if it never does.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "still not: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn lines_of(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}
