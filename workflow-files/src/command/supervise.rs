//! One attempt of a command, from its start to its end, on its own thread.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;

use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::Pid;
use wait4::{ResUse, Wait4};

use super::console::Console;
use super::error::{CommandError, while_trying};
use super::finished::{Exit, Finished, ResourceUsage};
use super::group::{Group, Requested};
use super::guardian::{Register, guarded};
use super::interpreter::Interpreter;
use super::memory::Peak;
use super::outputs::OutputFile;
use super::scarcity::{Place, retry_on_scarcity};
use super::scratch::{Scratch, ScriptFile, host_token};
use super::spec::{Command, check_env};
use super::watch::Watch;

/// The input of the thread.
pub(super) struct Attempt {
    pub(super) command: Command,
    pub(super) shell: PathBuf,
    /// The variables of the shell, which the command's own override.
    pub(super) env: Arc<Vec<(String, String)>>,
    pub(super) scratch: Option<PathBuf>,
    pub(super) group: Arc<Group>,
    pub(super) console: Console,
}

impl Attempt {
    pub(super) fn run(mut self, buffer: &mut [u8]) -> Result<Finished, CommandError> {
        self.command.check()?;
        check_env(&self.env)?;
        if self.group.requested() != Requested::Run {
            return Err(CommandError::Cancelled { exit: None });
        }
        let _place = Place::take(&self.group)?;
        let register = retry_on_scarcity(&self.group, guarded)?;
        let scratch = Scratch::new(self.scratch.as_deref())?;
        let outputs = scratch.output_file();
        self.console.begin()?;
        let script = retry_on_scarcity(&self.group, || {
            let interpreter = Interpreter::of(&self.command.script);
            interpreter.map(|_| scratch.script(&self.command.script)).transpose()
        })?;
        let start = || self.start(&scratch, script.as_ref(), &outputs);
        let child = retry_on_scarcity(&self.group, start)?;
        let (exit, usage) = self.look_after(child, &register, buffer)?;
        self.judge(exit, usage, &outputs)
    }

    fn start(
        &self,
        scratch: &Scratch,
        script: Option<&ScriptFile>,
        outputs: &OutputFile,
    ) -> Result<Child, CommandError> {
        use std::os::unix::process::CommandExt;

        let mut process = self.process(script);
        let variables = self.env.iter().chain(&self.command.env);
        process.envs(variables.map(|(name, value)| (name, value)));
        process.env("WORKFLOW_OUTPUT", outputs.path()).env("WORKFLOW_HOST", host_token());
        if let Some(cwd) = &self.command.cwd {
            process.current_dir(cwd);
        }
        match &self.command.stdin {
            Some(text) => process.stdin(scratch.stdin(text)?),
            None => process.stdin(Stdio::null()),
        };
        process.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        process.spawn().map_err(|error| self.explain(error))
    }

    /// The program and its arguments.
    fn process(&self, script: Option<&ScriptFile>) -> Process {
        match (Interpreter::of(&self.command.script), script) {
            (Some(interpreter), Some(script)) => {
                let mut process = Process::new(interpreter.program);
                process.args(interpreter.argument).arg(script.path());
                process
            }
            _ => {
                let mut process = Process::new(&self.shell);
                process.arg("-c").arg(&self.command.script);
                process
            }
        }
    }

    /// Reads output until the command ends, kills the rest of its group, and waits for it.
    fn look_after(
        &mut self,
        mut child: Child,
        register: &Arc<Register>,
        buffer: &mut [u8],
    ) -> Result<(Exit, ResourceUsage), CommandError> {
        let leader = Pid::from_child(&child);
        let mut entry = None;
        let mut watch = Watch::new(&mut child, leader, buffer);
        self.group.begin(leader);
        // Output wakes subscribers, and the command must not outlive their panics.
        let watched = catch_unwind(AssertUnwindSafe(|| {
            let entered = register.enter(leader).map_err(while_trying("register the command"))?;
            entry = Some(entered);
            watch.until_end(&self.group, &mut self.console)?;
            self.group.end();
            watch.drain(&mut self.console)?;
            self.console.close()
        }));
        self.group.end();
        let removed = entry.map_or(Ok(()), |entry| entry.remove());
        let peak = watch.into_peak();
        let ended =
            wait_for(&mut child).map_err(while_trying("wait for the end of the command"))?;
        watched.unwrap_or_else(|panic| resume_unwind(panic))?;
        removed.map_err(while_trying("remove the command from the register"))?;
        Ok((Exit::from(ended.status), self.usage(&ended, &peak)))
    }

    fn usage(&self, ended: &ResUse, peak: &Peak) -> ResourceUsage {
        ResourceUsage {
            peak_memory_bytes: peak.settle(ended.rusage.maxrss),
            cpu_time: ended.rusage.utime + ended.rusage.stime,
            dropped_output_bytes: self.console.dropped,
        }
    }

    fn judge(
        &self,
        exit: Exit,
        usage: ResourceUsage,
        outputs: &OutputFile,
    ) -> Result<Finished, CommandError> {
        if self.group.requested() != Requested::Run {
            return Err(CommandError::Cancelled { exit: Some(exit) });
        }
        if !exit.is_success() {
            return Err(CommandError::Exit { exit, stderr: self.console.last_words.text(), usage });
        }
        let read = || outputs.read().map_err(CommandError::Outputs);
        let outputs = retry_on_scarcity(&self.group, read)?;
        Ok(Finished { exit, outputs, usage })
    }

    /// Finds the cause of a failed start: the system's error names neither the folder nor the
    /// shell.
    fn explain(&self, source: io::Error) -> CommandError {
        if Errno::from_io_error(&source) == Some(Errno::TOOBIG) {
            return CommandError::TooLong { source };
        }
        if let Some(cwd) = &self.command.cwd
            && let Err(reason) = access(cwd.join("."), Access::EXEC_OK)
        {
            return CommandError::Cwd { path: cwd.clone(), error: reason.into() };
        }
        if let Some(interpreter) = Interpreter::of(&self.command.script) {
            let program = PathBuf::from(interpreter.program);
            return CommandError::Interpreter { program, error: source };
        }
        let path = self.shell.clone();
        if !is_runnable(&path) {
            return CommandError::Shell { path, error: source };
        }
        while_trying(format!("start `{}`", path.display()))(source)
    }
}

pub(super) fn is_runnable(program: &Path) -> bool {
    program.is_file() && access(program, Access::EXEC_OK).is_ok()
}

fn wait_for(child: &mut Child) -> io::Result<ResUse> {
    loop {
        match child.wait4() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            ended => return ended,
        }
    }
}
