//! The duties of process 1 in a container: reaping orphans and forwarding signals.
//!
//! Linux makes process 1 the parent of every orphaned process and expects it to reap them. It also
//! withholds signals that process 1 does not handle. Workflow commands may leave orphans behind. So
//! a program that runs as process 1, in a container without an init process, starts itself a second
//! time as a child, and only reaps and forwards signals.

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

/// If this process is process 1, runs the program again as a child and returns its exit code.
/// Returns `None` if this process should do the work itself.
pub(crate) fn run_as_init() -> Option<ExitCode> {
    if std::process::id() != 1 {
        return None;
    }
    let code = spawn().map(|(program, signals)| supervise(program, signals));
    // If the child cannot be started, this process does the work, and orphans stay.
    code.ok()
}

/// Starts the program in its own process group, and returns it with the signals to forward.
fn spawn() -> io::Result<(Pid, Signals)> {
    // From here on signals are queued until they are forwarded.
    let signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2])?;
    let mut arguments = std::env::args_os();
    let mut program = Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        program.arg0(name);
    }
    let child = program.args(arguments).process_group(0).spawn()?;
    let child = Pid::from_child(&child);
    // The terminal sends its signals to the program. Without a terminal this fails harmlessly.
    if tcsetpgrp(io::stdin(), child).is_ok() {
        // The program may have been stopped for reading from the terminal before this point.
        let _awake = kill_process_group(child, Signal::CONT);
    }
    Ok((child, signals))
}

fn supervise(program: Pid, mut signals: Signals) -> ExitCode {
    let listening = signals.handle();
    let forward = thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever().filter_map(Signal::from_named_raw) {
            // Fails only if the program has ended.
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

/// Waits for a child to end. Returns `None` if there is none.
fn next_child(options: WaitOptions) -> Option<(Pid, WaitStatus)> {
    loop {
        match wait(options) {
            Err(rustix::io::Errno::INTR) => {}
            ended => return ended.ok().flatten(),
        }
    }
}

/// Gives processes that still clean up some time to end, because the container ends with this
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

/// How long remaining processes may take.
const ORPHANS_TIMEOUT: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(5);
