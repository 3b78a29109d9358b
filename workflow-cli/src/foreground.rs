//! Other programs that a command runs in the foreground: npm, dbt.
//!
//! A program has a process group of its own, because npm does not hand signals on to what it has
//! started. The first signal of this process goes to the whole group, and the second kills it. Its
//! standard input is empty.

use std::io;
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::{Failure, Outcome};
use crate::interrupt;

/// Runs a program to its end, with its output on that of this process. `missing` is the cure if
/// there is no such program.
///
/// # Errors
///
/// Fails when the program cannot be started.
pub(crate) fn run(mut command: Command, missing: &str) -> Result<Outcome, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let fail = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::Usage(format!("there is no program `{name}`; {missing}"))
        }
        _ => Failure::Machine { what: format!("cannot run `{name}`"), error },
    };
    command.stdin(Stdio::null());
    interrupt::listen();
    let status = wait(command).map_err(fail)?;
    Ok(outcome(status))
}

#[cfg(unix)]
fn wait(mut command: Command) -> io::Result<ExitStatus> {
    use std::os::unix::process::CommandExt as _;

    use rustix::process::{Pid, Signal, kill_process_group};

    let mut child = command.process_group(0).spawn()?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let send = move |signal| {
        if let Some(group) = group {
            // A group that has ended needs no signal.
            let _ended = kill_process_group(group, signal);
        }
    };
    interrupt::kill_on_exit(move || send(Signal::KILL));
    interrupt::on_signal(move |signal| {
        if let Some(signal) = Signal::from_named_raw(signal) {
            send(signal);
        }
    });
    let status = child.wait();
    interrupt::disarm();
    status
}

#[cfg(not(unix))]
fn wait(mut command: Command) -> io::Result<ExitStatus> {
    command.status()
}

/// The exit code of the program. For one that a signal ended, it is that of shells.
fn outcome(status: ExitStatus) -> Outcome {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    let code = status.code().or_else(|| Some(128 + signal?));
    match code {
        Some(0) => Outcome::Success,
        code => Outcome::Exit(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
    }
}
