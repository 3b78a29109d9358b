//! Supervises a running command until it has ended and its output has been read.
//!
//! Uses the machine's time: the clock of an engine does not move processes.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use smallvec::SmallVec;

use super::console::Console;
use super::error::{CommandError, while_trying};
use super::group::{Group, Requested};
use super::memory::Peak;
use workflow_core::run_log::OutputStream;

pub(super) struct Watch<'a> {
    leader: Pid,
    /// The open ones of stdout and stderr.
    pipes: SmallVec<[(OutputStream, File); 2]>,
    /// Readable when the leader has ended; `None` if the system has no such descriptor.
    end: Option<OwnedFd>,
    ended: bool,
    pulse: Pulse,
    peak: Peak,
    buffer: &'a mut [u8],
}

impl<'a> Watch<'a> {
    pub(super) fn new(child: &mut Child, leader: Pid, buffer: &'a mut [u8]) -> Self {
        let mut pipes = SmallVec::new();
        if let Some(stdout) = child.stdout.take() {
            pipes.push((OutputStream::Stdout, File::from(OwnedFd::from(stdout))));
        }
        if let Some(stderr) = child.stderr.take() {
            pipes.push((OutputStream::Stderr, File::from(OwnedFd::from(stderr))));
        }
        let end = open_end(leader);
        let pulse = Pulse::new(if end.is_some() { SLOWEST_SAMPLE } else { SLOWEST_LOOK });
        Self { leader, pipes, end, ended: false, pulse, peak: Peak::default(), buffer }
    }

    /// Reads until the leader has ended and its pipes are closed or have stayed open for too long.
    /// Does not wait for the leader.
    pub(super) fn until_end(
        &mut self,
        group: &Group,
        console: &mut Console,
    ) -> Result<(), CommandError> {
        let mut deadline: Option<Instant> = None;
        loop {
            self.turn(deadline, console)?;
            if !self.ended {
                continue;
            }
            let now = Instant::now();
            let at = *deadline.get_or_insert(now + PIPE_TIMEOUT);
            if self.pipes.is_empty() {
                return Ok(());
            }
            if now >= at {
                // A command that is being stopped has its grace period, which the shell watches.
                if group.requested() != Requested::Stop {
                    return Ok(());
                }
                deadline = Some(now + PIPE_TIMEOUT);
            }
        }
    }

    /// Reads what is in the pipes without waiting: a process that has left the group may keep them
    /// open forever.
    pub(super) fn drain(&mut self, console: &mut Console) -> Result<(), CommandError> {
        for _ in 0..LAST_READS {
            let ready = self.wait(Duration::ZERO)?;
            if !ready.iter().any(|ready| *ready) || self.pipes.is_empty() {
                break;
            }
            self.read(&ready, console)?;
        }
        Ok(())
    }

    pub(super) fn into_peak(self) -> Peak {
        self.peak
    }

    /// Waits for the next event and handles it.
    fn turn(
        &mut self,
        deadline: Option<Instant>,
        console: &mut Console,
    ) -> Result<(), CommandError> {
        let now = Instant::now();
        let next = deadline.map_or(self.pulse.at, |deadline| self.pulse.at.min(deadline));
        let ready = self.wait(next.saturating_duration_since(now))?;
        let beat = self.pulse.beats();
        if beat && !self.ended {
            self.peak.sample(self.leader);
        }
        self.ended = self.ended || self.look_for_end(&ready, beat)?;
        self.read(&ready, console)?;
        if beat { console.pass_stale() } else { Ok(()) }
    }

    /// Waits for output or the end. Returns which pipes are ready, and last whether the end is.
    fn wait(&self, time: Duration) -> Result<SmallVec<[bool; 3]>, CommandError> {
        let mut fds: SmallVec<[PollFd<'_>; 3]> = SmallVec::new();
        fds.extend(self.pipes.iter().map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN)));
        let end = self.end.iter().filter(|_| !self.ended);
        fds.extend(end.map(|end| PollFd::new(end, PollFlags::IN)));
        let time = Timespec::try_from(time).ok();
        match poll(&mut fds, time.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(while_trying("wait for the command")(error)),
        }
        Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect())
    }

    fn look_for_end(&self, ready: &[bool], beat: bool) -> Result<bool, CommandError> {
        if self.end.is_some() {
            return Ok(ready.get(self.pipes.len()).is_some_and(|ready| *ready));
        }
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // With both pipes closed, the end is near.
        if !beat && !self.pipes.is_empty() {
            return Ok(false);
        }
        let found = waitid(WaitId::Pid(self.leader), options);
        found
            .map(|status| status.is_some())
            .map_err(while_trying("check for the end of the command"))
    }

    /// Reads once from each pipe that is ready, and drops those that are closed.
    fn read(&mut self, ready: &[bool], console: &mut Console) -> Result<(), CommandError> {
        let mut place = 0;
        let mut result = Ok(());
        let buffer = &mut *self.buffer;
        self.pipes.retain(|(stream, pipe)| {
            place += 1;
            if !ready.get(place - 1).is_some_and(|ready| *ready) || result.is_err() {
                return true;
            }
            match pipe.read(buffer) {
                Ok(0) => return false,
                Ok(count) => result = console.take(*stream, &buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => result = Err(while_trying("read the output of the command")(error)),
            }
            true
        });
        result
    }
}

/// Moments with growing distances.
struct Pulse {
    at: Instant,
    gap: Duration,
    longest: Duration,
}

impl Pulse {
    fn new(longest: Duration) -> Self {
        Self { at: Instant::now() + FIRST_SAMPLE, gap: FIRST_SAMPLE, longest }
    }

    fn beats(&mut self) -> bool {
        let now = Instant::now();
        let beats = now >= self.at;
        if beats {
            self.at = now + self.gap;
            self.gap = (self.gap * 2).min(self.longest);
        }
        beats
    }
}

#[cfg(target_os = "linux")]
fn open_end(leader: Pid) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};

    // Kernels before 5.3 have none.
    pidfd_open(leader, PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn open_end(_: Pid) -> Option<OwnedFd> {
    None
}

/// How long the pipes may stay open after the leader has ended.
const PIPE_TIMEOUT: Duration = Duration::from_secs(1);
const FIRST_SAMPLE: Duration = Duration::from_micros(500);
const SLOWEST_SAMPLE: Duration = Duration::from_secs(1);
/// The time between two checks for the end, if the system does not signal it.
const SLOWEST_LOOK: Duration = Duration::from_millis(20);
/// Enough for a pipe of 1 MiB, the largest without privileges.
const LAST_READS: usize = 32;

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use super::*;
    use workflow_core::job::JobContext;

    #[test]
    fn the_exit_is_noticed_without_a_closed_pipe() {
        for script in ["echo words >&2; exit 3", "echo words >&2; exec >&- 2>&-; exit 3"] {
            let mut child = Command::new("/bin/sh")
                .args(["-c", script])
                .process_group(0)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the shell starts");
            let (leader, group) = (Pid::from_child(&child), Group::default());
            group.begin(leader);
            let mut console = Console::new(&JobContext::detached(), None, 100);
            let mut buffer = [0; 16];
            let mut watch = Watch::new(&mut child, leader, &mut buffer);
            (watch.end, watch.pulse) = (None, Pulse::new(SLOWEST_LOOK));
            watch.until_end(&group, &mut console).expect("it is looked after");
            group.end();
            assert_eq!(child.wait().expect("it ended").code(), Some(3));
            assert_eq!(console.last_words.text(), "words");
        }
    }
}
