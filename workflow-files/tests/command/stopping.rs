//! Commands that are stopped, and what they leave behind.

use std::time::Duration;

use futures::FutureExt as _;
use futures::executor::block_on_stream;
use workflow_core::event::EventKind;
use workflow_core::job::JobErrorKind;
use workflow_core::run_log::RunLog;
use workflow_core::workflow::FunctionWorkflow;
use workflow_core::{Engine, Job, JobContext, JobError, Run as _, call_job, registry};
use workflow_files::command::{Command, CommandError, Exit, Finished, Shell};

use super::{Folder, eventually, is_alive, lines_of, lines_of_run, printed, run, workflow};

/// Cancels a run as soon as its command prints `ready`; returns how the command ended, and what
/// it printed after that.
fn cancel(command: Command) -> (Result<Finished, JobError>, Vec<String>) {
    let (workflow, ended) = workflow(Shell::new(), command);
    let run = Engine::default().run(workflow).start().expect("the run starts");
    let mut lines = lines_of_run(&run);
    assert_eq!(lines.next().expect("the command prints"), "ready");
    run.cancel();
    let end = ended.recv().expect("the command ends");
    run.wait().expect_err("the run was cancelled");
    (end, lines.collect())
}

fn stopped(end: Result<Finished, JobError>) -> Exit {
    let error = end.expect_err("it was asked to stop");
    assert_eq!(error.kind(), JobErrorKind::Cancelled);
    match error.downcast_ref() {
        Some(CommandError::Cancelled { exit: Some(exit) }) => *exit,
        _ => panic!("{error}"),
    }
}

/// Before the last line there may be words of the shell about what was killed.
fn last(lines: &[String]) -> Option<&str> {
    lines.last().map(String::as_str)
}

/// A command with no grace that anyone would wait for: it has to end by being asked.
fn patient(script: &str) -> Command {
    Command { grace: Duration::from_secs(3600), ..Command::new(script) }
}

#[test]
fn a_stopped_command_gets_sigterm_first() {
    let (end, _) = cancel(patient("echo ready; sleep 1000"));
    assert_eq!(stopped(end), Exit::Signal(15));
}

#[test]
fn a_command_may_clean_up_on_sigterm() {
    let script = "trap 'echo put back; exit 7' TERM; echo ready; sleep 1000 & wait";
    let (end, lines) = cancel(patient(script));
    assert_eq!((stopped(end), last(&lines)), (Exit::Code(7), Some("put back")));
}

#[test]
fn a_paused_command_receives_sigterm() {
    let (end, _) = cancel(patient("echo ready; kill -STOP $$; sleep 1000"));
    assert_eq!(stopped(end), Exit::Signal(15));
}

#[test]
fn a_command_that_ignores_sigterm_is_killed_with_its_children() {
    let script = "trap '' TERM; sleep 1000 & printf 'ready\\n%s\\n' $!; wait; wait";
    let command = Command { grace: Duration::from_millis(50), ..Command::new(script) };
    let (end, lines) = cancel(command);
    assert_eq!(stopped(end), Exit::Signal(9));
    let child =
        lines.iter().find(|line| line.parse::<u32>().is_ok()).expect("it printed its child");
    eventually("the child is gone", || !is_alive(child));
}

/// Cancels a run whose command takes its time to end, though its job asked for no grace period;
/// returns how the command ended, and its process.
fn cancel_slowly(
    wrap: impl FnOnce(FunctionWorkflow) -> FunctionWorkflow,
) -> (Result<Finished, JobError>, String) {
    let folder = Folder::new();
    let script = "trap '' TERM; echo $$ > pid; mv pid ready; sleep 1000 & wait; wait";
    let command = Command {
        grace: Duration::from_millis(100),
        cwd: Some(folder.0.clone()),
        ..Command::new(script)
    };
    let (workflow, ended) = workflow(Shell::new(), command);
    let run = Engine::default().run(wrap(workflow)).start().expect("the run starts");
    eventually("the command has begun", || folder.path("ready").exists());
    run.cancel();
    run.wait().expect_err("the run was cancelled");
    let pid = lines_of(&folder.path("ready")).concat();
    (ended.try_recv().expect("the command has ended before its run"), pid)
}

fn assert_killed((end, pid): (Result<Finished, JobError>, String)) {
    assert_eq!(stopped(end), Exit::Signal(9));
    assert!(!is_alive(&pid), "the run has ended, and with it its command");
}

#[test]
fn the_engine_waits_for_a_command_that_is_being_stopped() {
    assert_killed(cancel_slowly(|workflow| workflow));
}

#[test]
fn the_engine_waits_for_a_command_of_a_run_inside_a_run() {
    assert_killed(cancel_slowly(|inner| {
        registry::register(inner).expect("the name is free");
        let outer = FunctionWorkflow::new("outer", |flow| {
            let input = flow.value(());
            flow.job(registry::call::<(), ()>("commands", input));
        });
        outer.expect("the name is well formed")
    }));
}

#[test]
fn no_command_starts_for_a_job_that_is_stopping() {
    let late = FunctionWorkflow::new("late", |flow| {
        let input = flow.value(());
        flow.job(call_job(Late, input).default_grace());
    });
    let run = Engine::default().run(late.expect("a name")).start().expect("the run starts");
    let mut events = block_on_stream(run.events());
    assert!(events.any(|event| matches!(event.kind, EventKind::JobStarted { .. })));
    run.cancel();
    let error = run.wait().expect_err("the run was cancelled");
    let job = error.report().and_then(|report| report.job("late")).expect("a job");
    let message = job.error.expect("it was cancelled").message;
    assert_eq!(message, "cancelled: the command was cancelled");
}

/// Runs a command once it has been asked to stop.
struct Late;

#[async_trait::async_trait]
impl Job for Late {
    type Input = ();
    type Output = ();

    fn name(&self) -> &'static str {
        "late"
    }

    async fn run(&self, context: &JobContext, (): &()) -> Result<(), JobError> {
        context.cancelled().await;
        Shell::new().run(&Command::new("exit 3"), context).await.map(drop)
    }
}

#[test]
fn child_processes_get_the_grace_period_too() {
    // The shell dies of the signal at once; the child prints when that is over.
    let script = "(trap 'sleep 1.5; echo put back; exit' TERM; echo ready; while :; do sleep 0.05; done) & wait";
    let (end, lines) = cancel(patient(script));
    assert_eq!((stopped(end), last(&lines)), (Exit::Signal(15), Some("put back")));
}

#[test]
fn a_dropped_future_kills() {
    let folder = Folder::new();
    let pids = folder.path("pids");
    let script = "trap '' TERM; sleep 1000 & echo $! >> pids; echo $$ >> pids; wait; sleep 1000";
    let command = Command { cwd: Some(folder.0.clone()), ..patient(script) };
    let (shell, context) = (Shell::new(), JobContext::detached());
    let mut running = Box::pin(shell.run(&command, &context));
    assert!(running.as_mut().now_or_never().is_none());
    eventually("both run", || lines_of(&pids).len() == 2);
    drop(running);
    for pid in lines_of(&pids) {
        eventually("the process is gone", || !is_alive(&pid));
    }
}

/// Whether this process has the file open.
#[cfg(target_os = "linux")]
fn is_open(path: &std::path::Path) -> bool {
    let open = std::fs::read_dir("/proc/self/fd").expect("Linux has it");
    open.flatten().any(|open| std::fs::read_link(open.path()).is_ok_and(|it| it == path))
}

#[test]
fn dropping_the_future_early_leaves_no_process() {
    let folder = Folder::new();
    let path = folder.path("run.log");
    let shell = Shell::new().log(RunLog::open(&path).expect("the log opens"));
    let context = JobContext::detached();
    for _ in 0..50 {
        let command = patient("echo $$; sleep 1000");
        assert!(shell.run(&command, &context).now_or_never().is_none());
    }
    drop(shell);
    #[cfg(target_os = "linux")]
    eventually("the last thread has let go of its command", || !is_open(&path));
    let printed = RunLog::read(&path, "", 1).expect("the log is read").stdout();
    for pid in String::from_utf8(printed).expect("numbers").lines() {
        eventually("the process is gone", || !is_alive(pid));
    }
}

#[test]
fn background_processes_end_with_the_script() {
    let script = "sleep 1000 & echo $!; (sleep 1000 > /dev/null 2>&1 & echo $!)";
    let output = printed(&Command::new(script));
    assert_eq!(output.lines().count(), 2);
    for pid in output.lines() {
        eventually("the process is gone", || !is_alive(pid));
    }
}

#[test]
fn a_process_that_left_the_group_does_not_delay_the_command() {
    let output = printed(&Command::new("setsid sleep 1000 & echo $!"));
    let pid = output.trim_end();
    let kill = std::process::Command::new("kill").arg(pid).status().expect("kill runs");
    assert!(kill.success(), "{pid} had left the group, and was still there");
}

#[test]
fn output_after_the_end_of_the_shell_is_read() {
    assert_eq!(printed(&Command::new("(sleep 0.1; echo late) & echo early")), "early\nlate\n");
    run(&Command::new("exec > /dev/null 2>&1; sleep 0.1")).expect("closed pipes are no end");
}
