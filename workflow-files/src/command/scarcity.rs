//! What to do when the system has no more descriptors or processes to give: wait until a command
//! has ended, and try again.
//!
//! A run may want more commands at once than its process may have open files for. That is no fault
//! of the command that happens to be the next, and so it does not fail for it.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::error::CommandError;
use super::group::{Group, Wish};

/// The commands of this process that have been started and not ended.
struct Running {
    count: Mutex<usize>,
    ended: Condvar,
}

static RUNNING: Running = Running { count: Mutex::new(0), ended: Condvar::new() };

/// A place among the commands that run; given back when it is dropped.
pub(super) struct Place(());

impl Place {
    /// Takes a place once there seem to be descriptors enough, some of which stay free for
    /// everything else in this process.
    ///
    /// # Errors
    ///
    /// Fails when the command is no longer wanted.
    pub(super) fn take(group: &Group) -> Result<Self, CommandError> {
        let mut count = RUNNING.lock();
        while *count > 0 && !has_room(*count) {
            wanted(group)?;
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

    /// Waits for a command to end, or for a while: others than commands free descriptors too.
    fn wait<'g>(&self, count: MutexGuard<'g, usize>, time: Duration) -> MutexGuard<'g, usize> {
        self.ended.wait_timeout(count, time).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Does something again and again while the system has not enough for it. Waits as long as other
/// commands run, which will give back what they have; and else for some seconds.
///
/// # Errors
///
/// Fails with what the attempt fails with for another reason, or when the command is no longer
/// wanted.
pub(super) fn until_there_is_enough<T>(
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
        wanted(group)?;
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

fn wanted(group: &Group) -> Result<(), CommandError> {
    match group.wish() {
        Wish::Run => Ok(()),
        Wish::Stop | Wish::Kill => Err(CommandError::Cancelled { exit: None }),
    }
}

/// Whether the error says no more than that the system has not enough at the moment.
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

/// Whether one more command leaves descriptors to the rest of the process.
fn has_room(running: usize) -> bool {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return true };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let commands = running.saturating_mul(EACH);
    if commands.saturating_add(USUAL) < limit {
        return true;
    }
    // Commands that are about to start have nothing open yet. Where what is open cannot be counted,
    // the start itself tells.
    let Ok(open) = std::fs::read_dir(DESCRIPTORS) else { return true };
    commands.max(open.count()) + SPARE < limit
}

#[cfg(target_os = "linux")]
const DESCRIPTORS: &str = "/proc/self/fd";
#[cfg(not(target_os = "linux"))]
const DESCRIPTORS: &str = "/dev/fd";

/// Descriptors that a running command holds in this process: two pipes, and its end.
const EACH: usize = 3;
/// More than a process that runs commands has open beside.
const USUAL: usize = 150;
/// What a start takes for a moment, and what is to stay free for the rest of the process.
const SPARE: usize = 48;
/// Between two tries when no command ends.
const LOOK: Duration = Duration::from_millis(50);
/// How long a command waits that is the only one.
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
        let done = until_there_is_enough(&Group::default(), || {
            tried.set(tried.get() + 1);
            if tried.get() > refusals { Ok(()) } else { Err(refused(code)) }
        });
        (tried.get(), done.is_ok())
    }

    #[test]
    fn what_is_scarce_is_tried_again_and_nothing_else() {
        for code in SCARCITY {
            assert_eq!(tries(code, 2), (3, true), "{code}");
        }
        for code in [Errno::NOENT, Errno::ACCESS, Errno::NOSPC] {
            assert_eq!(tries(code, 2), (1, false), "{code}");
        }
    }

    #[test]
    fn the_only_command_does_not_wait_for_ever() {
        let end = try_for::<()>(Duration::ZERO, &Group::default(), || Err(refused(Errno::MFILE)));
        let error = end.expect_err("there is never enough").into_job_error();
        assert_eq!(error.to_string(), "cannot start `sh`: Too many open files (os error 24)");
    }

    #[test]
    fn a_command_that_is_no_longer_wanted_stops_waiting() {
        let group = Group::default();
        let end = until_there_is_enough::<()>(&group, || {
            group.ask(Wish::Stop);
            Err(refused(Errno::AGAIN))
        });
        assert!(matches!(end, Err(CommandError::Cancelled { exit: None })));
    }
}
