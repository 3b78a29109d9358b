//! What falls to process 1 of a container: children that lost their parent, and signals.
//!
//! Linux makes process 1 the parent of all processes whose own has ended, and expects it to wait for
//! them; it also keeps signals from it that it does not listen to. Commands of workflows may leave
//! such processes behind. So a program that is started as process 1, in a container without an init
//! of its own, starts itself once more, and does no more than wait and pass signals on.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};
use std::{io, iter};

use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, wait,
};
use rustix::termios::tcsetpgrp;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

/// Runs this program once more and waits for it, if this process is process 1. Gives its exit code;
/// `None` when this process is to do the work itself.
pub(crate) fn run_as_init() -> Option<ExitCode> {
    if std::process::id() != 1 {
        return None;
    }
    let code = spawn().map(|(program, signals)| supervise(program, signals));
    // Where it cannot be started once more, the work is done here, and orphans stay.
    code.ok()
}

/// The program, in a process group of its own, and the signals that it is to hear of.
fn spawn() -> io::Result<(Pid, Signals)> {
    // From here on signals wait to be passed on.
    let signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2])?;
    let mut arguments = std::env::args_os();
    let mut program = Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        program.arg0(name);
    }
    let child = program.args(arguments).process_group(0).spawn()?;
    let child = Pid::from_child(&child);
    // What a terminal sends goes to the program. Without one there is nothing to hand over.
    if tcsetpgrp(io::stdin(), child).is_ok() {
        // It may have read from the terminal too early, and have been stopped for it.
        let _awake = kill_process_group(child, Signal::CONT);
    }
    Ok((child, signals))
}

fn supervise(program: Pid, mut signals: Signals) -> ExitCode {
    let listening = signals.handle();
    let forward = thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever().filter_map(Signal::from_named_raw) {
            // One that has ended hears nothing any more.
            let _gone = kill_process(program, signal);
        }
    });
    let ended =
        iter::from_fn(|| next_child(WaitOptions::empty())).find(|(child, _)| *child == program);
    listening.close();
    drop(forward);
    reap_remaining();
    let status = ended.map(|(_, status)| status);
    let code = status.and_then(|status| {
        status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal))
    });
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The next child that has ended; `None` when there is none.
fn next_child(options: WaitOptions) -> Option<(Pid, WaitStatus)> {
    loop {
        match wait(options) {
            Err(rustix::io::Errno::INTR) => {}
            ended => return ended.ok().flatten(),
        }
    }
}

/// Lets those who clean up after the program come to their end: the container ends with this
/// process.
fn reap_remaining() {
    let deadline = Instant::now() + ORPHANS_TIMEOUT;
    while Instant::now() < deadline {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => thread::sleep(POLL_INTERVAL),
            Err(_) => return,
        }
    }
}

/// How long those who clean up may take.
const ORPHANS_TIMEOUT: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(5);
