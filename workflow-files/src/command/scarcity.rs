//! Retries starts that fail because the system is out of file descriptors or processes, once
//! another command has ended.
//!
//! A run may start more commands at once than its process may have open files for. The next command
//! should not fail for that.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::error::CommandError;
use super::group::{Group, Requested};

/// The number of running commands of this process.
struct Running {
    count: Mutex<usize>,
    ended: Condvar,
}

static RUNNING: Running = Running { count: Mutex::new(0), ended: Condvar::new() };

/// A place among the running commands, released on drop.
pub(super) struct Place(());

impl Place {
    /// Takes a place once there are probably enough descriptors, some of which stay free for the
    /// rest of the process.
    ///
    /// # Errors
    ///
    /// Fails when the command is cancelled.
    pub(super) fn take(group: &Group) -> Result<Self, CommandError> {
        let mut count = RUNNING.lock();
        while *count > 0 && !has_room(*count) {
            check_cancelled(group)?;
            count = RUNNING.wait(count, LOOK);
        }
        *count += 1;
        Ok(Self(()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *RUNNING.lock() -= 1;
        RUNNING.ended.notify_all();
    }
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a command to end, at most for a while: other code frees descriptors, too.
    fn wait<'g>(&self, count: MutexGuard<'g, usize>, time: Duration) -> MutexGuard<'g, usize> {
        self.ended.wait_timeout(count, time).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Retries an attempt while the system is out of resources: as long as other commands run, which
/// will release theirs, or else for some seconds.
///
/// # Errors
///
/// Fails when the attempt fails for another reason, and when the command is cancelled.
pub(super) fn retry_on_scarcity<T>(
    group: &Group,
    attempt: impl Fn() -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    try_for(PATIENCE, group, attempt)
}

fn try_for<T>(
    patience: Duration,
    group: &Group,
    attempt: impl Fn() -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let mut alone_since = None;
    loop {
        let error = match attempt() {
            Err(error) if is_scarcity(&error) => error,
            done => return done,
        };
        check_cancelled(group)?;
        let count = RUNNING.lock();
        // One of them is the command itself.
        if *count > 1 {
            alone_since = None;
        } else if alone_since.get_or_insert_with(Instant::now).elapsed() > patience {
            return Err(error);
        }
        drop(RUNNING.wait(count, LOOK));
    }
}

fn check_cancelled(group: &Group) -> Result<(), CommandError> {
    match group.requested() {
        Requested::Run => Ok(()),
        Requested::Stop | Requested::Kill => Err(CommandError::Cancelled { exit: None }),
    }
}

/// Whether the error means that the system is out of resources at the moment.
fn is_scarcity(error: &CommandError) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let code = Errno::from_io_error(error);
            return code.is_some_and(|code| SCARCITY.contains(&code));
        }
        source = error.source();
    }
    false
}

/// Too many open files, in this process or in all; too many processes; no memory for one more.
const SCARCITY: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM];

/// Whether one more command leaves enough descriptors to the rest of the process.
fn has_room(running: usize) -> bool {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return true };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let commands = running.saturating_mul(EACH);
    if commands.saturating_add(USUAL) < limit {
        return true;
    }
    // Commands that are about to start have nothing open yet. If open descriptors cannot be
    // counted, the start itself fails.
    let Ok(open) = std::fs::read_dir(DESCRIPTORS) else { return true };
    commands.max(open.count()) + SPARE < limit
}

#[cfg(target_os = "linux")]
const DESCRIPTORS: &str = "/proc/self/fd";
#[cfg(not(target_os = "linux"))]
const DESCRIPTORS: &str = "/dev/fd";

/// The descriptors of a running command in this process: two pipes and its end.
const EACH: usize = 3;
/// More descriptors than a process that runs commands has open otherwise.
const USUAL: usize = 150;
/// The descriptors that a start takes for a moment, and those left to the rest of the process.
const SPARE: usize = 48;
/// The time between two tries while no command ends.
const LOOK: Duration = Duration::from_millis(50);
/// How long the only command waits.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::command::error::while_trying;

    fn refused(code: Errno) -> CommandError {
        while_trying("start `sh`")(io::Error::from(code))
    }

    /// How often something is tried that is refused some times and then done.
    fn tries(code: Errno, refusals: u32) -> (u32, bool) {
        let tried = Cell::new(0);
        let done = retry_on_scarcity(&Group::default(), || {
            tried.set(tried.get() + 1);
            if tried.get() > refusals { Ok(()) } else { Err(refused(code)) }
        });
        (tried.get(), done.is_ok())
    }

    #[test]
    fn only_exhausted_resources_are_retried() {
        for code in SCARCITY {
            assert_eq!(tries(code, 2), (3, true), "{code}");
        }
        for code in [Errno::NOENT, Errno::ACCESS, Errno::NOSPC] {
            assert_eq!(tries(code, 2), (1, false), "{code}");
        }
    }

    #[test]
    fn waiting_for_resources_ends() {
        let end = try_for::<()>(Duration::ZERO, &Group::default(), || Err(refused(Errno::MFILE)));
        let error = end.expect_err("there is never enough").into_job_error();
        assert_eq!(error.to_string(), "cannot start `sh`: too many open files");
    }

    #[test]
    fn a_stopped_command_stops_waiting_for_resources() {
        let group = Group::default();
        let end = retry_on_scarcity::<()>(&group, || {
            group.request(Requested::Stop);
            Err(refused(Errno::AGAIN))
        });
        assert!(matches!(end, Err(CommandError::Cancelled { exit: None })));
    }
}
