//! The output of a run's commands in one file that only grows.
//!
//! # Format
//!
//! A first line, `{"workflow_log":1}`, then records. A record is a line of JSON, the bytes that it
//! announces (a piece of one stream, as it is also shown to those who watch), and a line break:
//!
//! ```text
//! {"job":"build","attempt":1,"stream":"stderr","after_ms":17,"bytes":12}
//! no such file
//! {"job":"build","attempt":1,"after_ms":90,"bytes":0,"dropped":4711}
//!
//! ```
//!
//! `after_ms` counts from the start of the attempt. A record with `dropped` says how much output
//! beyond the limit was not kept so far; the last of an attempt counts.
//!
//! Records are found by their lengths, so nothing that a command prints can pass for one, and
//! reading one attempt skips the bytes of the others. There is no index to write or to lose:
//! whatever a crash leaves is readable up to the record that it interrupted, which
//! [`RunLog::open`] cuts away before it goes on.

mod read;
mod record;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use read::Records;
pub use read::{AttemptLog, LogChunk, LogEntry, LogRecord, LogRecords};
use record::FIRST_LINE;
pub(super) use record::{Header, MAX_BODY};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::job::LogPlace;

/// Why a log could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The system refused.
    #[error("the log `{}` cannot be {doing}", path.display())]
    System {
        /// The log.
        path: PathBuf,
        /// Opened, written or read.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Someone else has the log open for writing.
    #[error("the log `{}` is being written by another process, or by another handle in this one; wait for its run to end, or name another file", .0.display())]
    Busy(PathBuf),
    /// The file is not what this room writes.
    #[error("the log `{}` is damaged at byte {offset}: {reason}; move it away to begin a new one", path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
        /// Where reading had to stop.
        offset: u64,
        /// What is there.
        reason: String,
    },
}

/// The log of one run, open for writing; clones write to the same file.
#[derive(Debug, Clone)]
pub struct RunLog(Arc<Mutex<Writer>>);

#[derive(Debug)]
struct Writer {
    path: PathBuf,
    file: File,
    /// Up to here the file holds whole records.
    length: u64,
    /// Whether more was written than whole records.
    torn: bool,
    /// A record in the making; kept for its memory.
    record: Vec<u8>,
}

impl RunLog {
    /// Opens the log at this path, and makes it if there is none. A record that a crash left
    /// unfinished is removed.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be opened, is no log, or is being written by someone else.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, LogError> {
        let path = path.into();
        let system =
            |source: io::Error| LogError::System { path: path.clone(), doing: "opened", source };
        let options = OpenOptions::new().read(true).append(true).create(true).clone();
        let file = options.open(&path).map_err(system)?;
        // Where the file system has no locks, the log goes without.
        if flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(LogError::Busy(path));
        }
        let length = Records::open(&path)?.length_of_whole_records()?;
        if length < file.metadata().map_err(system)?.len() {
            file.set_len(length).map_err(system)?;
        }
        let mut writer = Writer { path, file, length, torn: false, record: Vec::new() };
        if length == 0 {
            writer.record.extend_from_slice(FIRST_LINE);
            writer.write_record()?;
        }
        Ok(Self(Arc::new(Mutex::new(writer))))
    }

    /// What one attempt of a job printed, in the order in which it was read; empty when there is
    /// nothing of it. May be called while the log is written.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, or is no log.
    pub fn read(path: impl AsRef<Path>, job: &str, attempt: u32) -> Result<AttemptLog, LogError> {
        Records::open(path.as_ref())?.attempt(job, attempt)
    }

    /// What was printed from this byte of the file on, by all jobs, in the order in which it was
    /// written: 0 for everything, or the [`end`](LogPlace::end) of a place that the log or an
    /// event has told. May be called while the log is written; what comes later is not waited for.
    ///
    /// ```no_run
    /// use workflow_core::command::{LogError, RunLog};
    ///
    /// /// Shows what is new; returns where to go on the next time.
    /// fn follow(path: &str, from: u64) -> Result<u64, LogError> {
    ///     let mut end = from;
    ///     for record in RunLog::read_from(path, from)? {
    ///         let record = record?;
    ///         print!("{}: {}", record.job, String::from_utf8_lossy(&record.chunk.bytes));
    ///         end = record.place.end();
    ///     }
    ///     Ok(end)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, or is no log; the records do, when no record begins at
    /// this byte.
    pub fn read_from(path: impl AsRef<Path>, offset: u64) -> Result<LogRecords, LogError> {
        Records::open(path.as_ref())?.starting_at(offset).map(LogRecords)
    }

    /// The attempts that printed something, with how much, in the order of their first output.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, or is no log.
    pub fn attempts(path: impl AsRef<Path>) -> Result<Vec<LogEntry>, LogError> {
        Records::open(path.as_ref())?.entries()
    }

    /// Adds a record, and says where it is; the header's `bytes` is the length of the body.
    pub(super) fn append(&self, header: &Header<'_>, body: &[u8]) -> Result<LogPlace, LogError> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.record.clear();
        header.write(&mut writer.record);
        writer.record.extend_from_slice(body);
        writer.record.push(b'\n');
        let offset = writer.length;
        writer.write_record()?;
        Ok(LogPlace { offset, length: writer.length - offset })
    }
}

impl Writer {
    /// Writes at once, so that a crash leaves at most one unfinished record, at the end.
    fn write_record(&mut self) -> Result<(), LogError> {
        self.try_write().map_err(|source| LogError::System {
            path: self.path.clone(),
            doing: "written",
            source,
        })
    }

    fn try_write(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
        }
        self.torn = true;
        self.file.write_all(&self.record)?;
        self.torn = false;
        self.length += self.record.len() as u64;
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Closing would do, were it not for processes that are being started meanwhile: they hold
        // a copy of the file, and with it the lock, until their `exec`. Fails without locks.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests;
