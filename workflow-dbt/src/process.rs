//! A process that does not outlive its host.
//!
//! A guard, one small shell, leads the process group of the process. It waits for the end of a pipe
//! that only the host keeps open. If the host dies, even by `SIGKILL`, it interrupts the group, and
//! kills it 5 s later. The guard starts first, so that there is no time without it, and the group
//! keeps its number until the guard is waited for.

use std::io::{self, PipeWriter};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

/// The process, with its guard. Dropping it kills both.
pub(crate) struct Process {
    child: Child,
    guard: Guard,
}

struct Guard {
    shell: Child,
    group: Pid,
    /// Never written to; its end is the signal.
    _lifeline: PipeWriter,
}

const GUARD: &str = "trap '' HUP INT QUIT TERM
while read -r _; do :; done
kill -s INT -- -$$
sleep 5
kill -s KILL -- -$$";

impl Process {
    /// Starts a command with its guard.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let guard = Guard::start()?;
        let group = guard.group.as_raw_nonzero().get();
        let child = command.process_group(group).spawn()?;
        Ok(Self { child, guard })
    }

    /// Its exit status, once it has ended.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Interrupts it, as Ctrl-C does: dbt cancels its open queries.
    pub(crate) fn interrupt(&self) {
        self.guard.send(Signal::INT);
    }

    pub(crate) fn kill(&self) {
        self.guard.send(Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // It was killed, so that this does not take long, and its status is of no interest.
        let _ = self.child.wait();
    }
}

impl Guard {
    fn start() -> io::Result<Self> {
        let (end, lifeline) = io::pipe()?;
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let shell = Command::new("/bin/sh")
            .args(["-c", GUARD])
            .env_clear()
            .env("PATH", path)
            .current_dir("/")
            .process_group(0)
            .stdin(end)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let group = Pid::from_child(&shell);
        Ok(Self { shell, group, _lifeline: lifeline })
    }

    fn send(&self, signal: Signal) {
        // Fails for a group of dead processes, about which nothing can be done.
        let _ = kill_process_group(self.group, signal);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.send(Signal::KILL);
        // As above.
        let _ = self.shell.wait();
    }
}
