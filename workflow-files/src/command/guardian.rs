//! Makes sure that no command outlives the host, however the host ends.
//!
//! A guard, one small shell process per host, waits for the end of a pipe that only the host keeps
//! open. It then kills the groups in the [`Register`], and every process with the host's token in
//! its environment.
//!
//! What could go wrong:
//!
//! - The host dies between starting a command and registering it. The token is then in its
//!   environment. Before its `exec` it is not, but until then the process has a copy of the pipe,
//!   which the `exec` closes, so the guard starts only after that.
//! - A number in the register is reused for another process. An entry is removed before its process
//!   is waited for, and until then the number is taken.
//! - The guard itself is killed. The next command starts a new one with the same register.
//!
//! The guard has its own environment, without the token of an outer host that may run this host as
//! a command: the outer guard kills the hosts, and the guard of each host kills its commands.

use std::fs::File;
use std::io::{self, PipeWriter};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::Pid;

use super::error::{CommandError, while_trying};
use super::scratch::{host_token, in_temporary, nameless, own_folder};

/// The guard of this host.
pub(super) struct Guardian {
    process: Child,
    /// Never written to; closing it is the signal.
    _lifeline: PipeWriter,
}

/// The running process groups: a file without a name, with a line for each. An entry costs one
/// write and wakes no process.
pub(super) struct Register {
    file: File,
    /// The free lines, and the number of all lines.
    lines: Mutex<(Vec<u64>, u64)>,
}

/// A line of the register, with a process group in it.
pub(super) struct Entry {
    register: Arc<Register>,
    line: u64,
}

static GUARDIAN: Mutex<Option<(Arc<Register>, Guardian)>> = Mutex::new(None);

/// Returns the register, with a guard that watches it.
///
/// # Errors
///
/// Fails when the register cannot be written, or the guard cannot be started.
pub(super) fn guarded() -> Result<Arc<Register>, CommandError> {
    let mut place = GUARDIAN.lock().unwrap_or_else(PoisonError::into_inner);
    let register = match &mut *place {
        Some((register, guardian)) => {
            let register = Arc::clone(register);
            let ended = guardian.process.try_wait();
            if ended.map_err(while_trying("check the guard of commands"))?.is_none() {
                return Ok(register);
            }
            register
        }
        None => Arc::new(Register::new().map_err(in_temporary)?),
    };
    let started = Guardian::start(&register);
    let guardian = started.map_err(while_trying("start `/bin/sh` as the guard of commands"))?;
    *place = Some((Arc::clone(&register), guardian));
    Ok(register)
}

impl Guardian {
    fn start(register: &Register) -> io::Result<Self> {
        let (end, lifeline) = io::pipe()?;
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let process = Command::new("/bin/sh")
            .args(["-c", include_str!("guardian.sh"), "workflow-guardian", host_token()])
            .arg(own_folder())
            .env_clear()
            .env("PATH", path)
            .current_dir("/")
            .process_group(0)
            .stdin(end)
            .stdout(register.file.try_clone()?)
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { process, _lifeline: lifeline })
    }
}

impl Register {
    fn new() -> io::Result<Self> {
        let file = nameless(&own_folder().with_extension("register"), b"")?;
        Ok(Self { file, lines: Mutex::default() })
    }

    /// Registers a group to be killed if the host dies.
    pub(super) fn enter(self: &Arc<Self>, group: Pid) -> io::Result<Entry> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.0.pop().unwrap_or_else(|| {
            lines.1 += 1;
            lines.1 - 1
        });
        // Under the lock, so that lines are added in order and without gaps.
        self.write(line, &group.to_string())?;
        drop(lines);
        Ok(Entry { register: Arc::clone(self), line })
    }

    fn write(&self, line: u64, text: &str) -> io::Result<()> {
        self.file.write_all_at(format!("{text:<11}\n").as_bytes(), line * LINE)
    }
}

impl Entry {
    /// Removes the group, whose leader must not have been waited for yet.
    pub(super) fn remove(self) -> io::Result<()> {
        self.register.write(self.line, "")?;
        self.register.lines.lock().unwrap_or_else(PoisonError::into_inner).0.push(self.line);
        Ok(())
    }
}

/// The length of a line with its line break: that of the longest number.
const LINE: u64 = 12;
