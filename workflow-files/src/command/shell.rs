//! Runs commands: the asynchronous side.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, select};

use super::console::Console;
use super::error::{CommandError, while_trying};
use super::finished::Finished;
use super::group::{Group, Requested};
use super::spec::Command;
use super::supervise::{Attempt, is_runnable};
use super::threads;
use workflow_core::job::{JobContext, JobError};
use workflow_core::run_log::RunLog;

/// Runs commands, with settings that all commands of a run share. Clones share them, too.
///
/// ```
/// use workflow_files::command::{Command, CommandError, Shell};
/// use workflow_core::{JobContext, JobError};
///
/// async fn copy(context: &JobContext) -> Result<(), JobError> {
///     let shell = Shell::new().env("REGION", "north; $(not run)");
///     shell.run(&Command::new(r#"echo "copying $REGION""#), context).await?;
///     Ok(())
/// }
/// # futures::executor::block_on(copy(&JobContext::detached())).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Shell {
    program: Option<PathBuf>,
    env: Arc<Vec<(String, String)>>,
    scratch: Option<PathBuf>,
    log: Option<RunLog>,
}

impl Shell {
    /// Creates a shell without a log: `bash` from the `PATH` of the host, or else `/bin/sh`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs commands with this program, which must understand `-c`.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Sets an environment variable of all commands. A variable of the command itself overrides it.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.env).push((name.into(), value.into()));
        self
    }

    /// Sets the folder for files of commands, such as `$WORKFLOW_OUTPUT`, and creates it if it does
    /// not exist. Default: a private folder for temporary files.
    #[must_use]
    pub fn scratch(mut self, folder: impl Into<PathBuf>) -> Self {
        self.scratch = Some(folder.into());
        self
    }

    /// Writes the output of commands to this log.
    #[must_use]
    pub fn log(mut self, log: RunLog) -> Self {
        self.log = Some(log);
        self
    }

    /// Whether the shell is bash.
    pub(crate) fn is_bash(&self) -> bool {
        let program = self.program.as_deref().unwrap_or_else(|| default_shell());
        program.file_name().is_some_and(|name| name == "bash")
    }

    /// Runs a command as part of the attempt of the context. Its output appears in the events of
    /// the run as [`JobOutput`](workflow_core::event::EventKind::JobOutput).
    ///
    /// When the context is cancelled, the command gets `SIGTERM` and, after its grace period on the
    /// engine's clock, `SIGKILL`. The engine waits for the command during the grace period and 5 s
    /// more. A command that even `SIGKILL` does not end by then, because the system blocks it, is
    /// left behind. When the future is dropped, the command is killed at once.
    ///
    /// # Errors
    ///
    /// Fails with a [`CommandError`], found with [`JobError::downcast_ref`], when the command
    /// cannot be run, exits with another code than 0, writes invalid outputs, or is cancelled.
    /// Errors that every attempt would meet are terminal.
    pub async fn run(&self, command: &Command, context: &JobContext) -> Result<Finished, JobError> {
        let end = self.attempt(command, context).await;
        end.map_err(CommandError::into_job_error)
    }

    async fn attempt(
        &self,
        command: &Command,
        context: &JobContext,
    ) -> Result<Finished, CommandError> {
        if !context.reserve_grace(command.grace.saturating_add(KILLED)) {
            return Err(CommandError::Cancelled { exit: None });
        }
        let running = self.start(command, context)?;
        let cancelled = pin!(context.cancelled());
        let running = match select(running, cancelled).await {
            Either::Left((end, _)) => return end,
            Either::Right(((), running)) => running,
        };
        running.group.request(Requested::Stop);
        let grace = pin!(context.sleep_through(command.grace));
        match select(running, grace).await {
            Either::Left((end, _)) => end,
            Either::Right(((), running)) => {
                running.group.request(Requested::Kill);
                running.await
            }
        }
    }

    fn start(&self, command: &Command, context: &JobContext) -> Result<Running, CommandError> {
        let group = Arc::new(Group::default());
        let (answer, end) = oneshot::channel();
        let attempt = Attempt {
            command: command.clone(),
            shell: self.program.clone().unwrap_or_else(|| default_shell().to_owned()),
            env: Arc::clone(&self.env),
            scratch: self.scratch.clone(),
            group: Arc::clone(&group),
            console: Console::new(context, self.log.clone(), command.output_limit),
        };
        let task = move |buffer: &mut [u8]| {
            let end = catch_unwind(AssertUnwindSafe(|| attempt.run(buffer)));
            // Nobody may wait for the result any more.
            let _ = answer.send(end);
        };
        threads::hand_over(Box::new(task))
            .map_err(while_trying("start a thread for the command"))?;
        Ok(Running { group, end })
    }
}

/// How long a killed command may take to end, and its output to be read.
const KILLED: Duration = Duration::from_secs(5);

impl fmt::Debug for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| &**name).collect();
        f.debug_struct("Shell")
            .field("program", &self.program)
            .field("env", &names)
            .field("scratch", &self.scratch)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// A command on its thread, killed if it is dropped before its end.
struct Running {
    group: Arc<Group>,
    end: oneshot::Receiver<thread::Result<Result<Finished, CommandError>>>,
}

impl Future for Running {
    type Output = Result<Finished, CommandError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.end).poll(cx).map(|end| {
            let end = end.expect("a thread answers for each command that it was given");
            end.unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.group.request(Requested::Kill);
    }
}

/// Found once, so that the commands of a run use the same shell.
fn default_shell() -> &'static Path {
    static SHELL: OnceLock<PathBuf> = OnceLock::new();
    SHELL.get_or_init(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
        let mut found = folders.map(|folder| folder.join("bash"));
        found.find(|bash| is_runnable(bash)).unwrap_or_else(|| "/bin/sh".into())
    })
}
