//! Sees to it that no command outlives the host, however the host ends.
//!
//! A guard, one small shell process per host, waits for the end of a pipe that only the host
//! holds open. It then kills the groups in the [`Register`], and whoever carries the host's token in
//! its environment.
//!
//! What could go wrong between the two:
//!
//! - The host dies between starting a command and entering it: the token is in its environment.
//!   Before its `exec` it is not, but until then the process holds a copy of the pipe, which the
//!   `exec` closes; so the guard does not begin before every start has come that far.
//! - A number in the register comes to mean another process: an entry is removed before its process
//!   is waited for, and until then the number is taken.
//! - The guard itself is killed: the next command brings a new one, with the same register.
//!
//! The guard has an environment of its own, without the token of a host that this host may itself
//! be a command of: that host's guard kills the hosts, each of whose guards kills its commands.

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
    /// Never written to: its end is the message.
    _lifeline: PipeWriter,
}

/// The process groups that run: a file without a name, a line for each. An entry costs one write
/// and wakes nobody.
pub(super) struct Register {
    file: File,
    /// Lines that are free, and how many there are in all.
    lines: Mutex<(Vec<u64>, u64)>,
}

/// A line of the register, with a process group in it.
pub(super) struct Entry {
    register: Arc<Register>,
    line: u64,
}

static GUARDIAN: Mutex<Option<(Arc<Register>, Guardian)>> = Mutex::new(None);

/// The register, with a guard who watches over it.
///
/// # Errors
///
/// Fails when there is no room for the register, or the guard cannot be started.
pub(super) fn guarded() -> Result<Arc<Register>, CommandError> {
    let mut place = GUARDIAN.lock().unwrap_or_else(PoisonError::into_inner);
    let register = match &mut *place {
        Some((register, guardian)) => {
            let register = Arc::clone(register);
            let ended = guardian.process.try_wait();
            if ended.map_err(while_trying("look after the guard of commands"))?.is_none() {
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

    /// Has the group killed if the host should die.
    pub(super) fn enter(self: &Arc<Self>, group: Pid) -> io::Result<Entry> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.0.pop().unwrap_or_else(|| {
            lines.1 += 1;
            lines.1 - 1
        });
        // Under the lock, so that lines are added in their order and none is missing.
        self.write(line, &group.to_string())?;
        drop(lines);
        Ok(Entry { register: Arc::clone(self), line })
    }

    fn write(&self, line: u64, text: &str) -> io::Result<()> {
        self.file.write_all_at(format!("{text:<11}\n").as_bytes(), line * LINE)
    }
}

impl Entry {
    /// Takes the group out, which must not have been waited for yet.
    pub(super) fn remove(self) -> io::Result<()> {
        self.register.write(self.line, "")?;
        self.register.lines.lock().unwrap_or_else(PoisonError::into_inner).0.push(self.line);
        Ok(())
    }
}

/// The length of a line, its end included: that of the longest number.
const LINE: u64 = 12;
