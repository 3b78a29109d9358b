//! Runs a program for a job: its output is that of the job, and it ends with the job.

use std::io::{self, BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use workflow_core::JobContext;
use workflow_core::run_log::OutputStream;

/// How often a process looks whether its job is cancelled.
const PULSE: Duration = Duration::from_millis(100);

/// Runs a command to its end. The error is a reason for people.
pub(crate) fn run(
    mut command: Command,
    context: &JobContext,
    deadline: Instant,
) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("NO_COLOR", "1");
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            format!("there is no program `{name}`; install Node 18 or newer")
        }
        _ => format!("cannot run `{name}`: {error}"),
    })?;
    let last = follow(&mut child, context, deadline);
    if last.is_err() {
        kill(&mut child);
    }
    let status = child.wait().map_err(|error| format!("cannot wait for `{name}`: {error}"))?;
    match last? {
        _ if status.success() => Ok(()),
        Some(line) => {
            let reason = line.strip_prefix("error: ").unwrap_or(&line);
            Err(format!("`{name}` failed: {reason}"))
        }
        None => Err(format!("`{name}` failed: {status}")),
    }
}

/// Hands on the output until the process ends, and returns its last line.
fn follow(
    child: &mut Child,
    context: &JobContext,
    deadline: Instant,
) -> Result<Option<String>, String> {
    let (sender, lines) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        read(OutputStream::Stdout, output, sender.clone());
    }
    if let Some(output) = child.stderr.take() {
        read(OutputStream::Stderr, output, sender);
    }
    let mut last = None;
    loop {
        match lines.recv_timeout(PULSE) {
            Ok((stream, line)) => {
                context.print(stream, format!("{line}\n"));
                last = Some(line).filter(|line| !line.trim().is_empty()).or(last);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(last),
        }
        if context.is_cancelled() {
            return Err("the run was cancelled".to_owned());
        }
        if Instant::now() > deadline {
            return Err("it takes too long".to_owned());
        }
    }
}

fn read(
    stream: OutputStream,
    from: impl Read + Send + 'static,
    to: Sender<(OutputStream, String)>,
) {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if to.send((stream, line)).is_err() {
                return;
            }
        }
    });
}

/// Ends the process, with all that it has started: npm starts others.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // A group that has ended needs no signal.
        let _ended = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ended = child.kill();
}
