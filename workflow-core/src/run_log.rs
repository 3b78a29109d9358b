//! What the jobs of a run print, in files that only grow.
//!
//! # Files
//!
//! Each engine that drives the run writes a segment of its own: `output.log`, then `output.2.log`
//! once another has taken the run over, and so on. A process that was stopped while others took
//! over may wake up and write on; it does so in its own segment. Readers read all segments in their
//! order as one log.
//!
//! An attempt that was under way when its engine died begins again under the same number. In each
//! segment but the first, the beginning of an attempt is noted, so that only what the last of them
//! printed counts as its output.
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
//! {"job":"test","attempt":1,"after_ms":0,"bytes":0}
//!
//! ```
//!
//! `after_ms` counts from the start of the attempt. A record with `dropped` says how much output
//! beyond the limit was not kept so far; the last of an attempt counts. One with neither stream nor
//! `dropped` notes the beginning of an attempt.
//!
//! Records are found by their lengths, so nothing that a job prints can pass for one, and
//! reading one attempt skips the bytes of the others. There is no index to write or to lose:
//! whatever a crash leaves of a segment is readable up to the record that it interrupted.

mod read;
mod record;
mod segment;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use read::Records;
pub use read::{AttemptLog, LogChunk, LogEntry, LogRecord, LogRecords};
use record::FIRST_LINE;
pub use record::{Header, LogPlace, LogPosition, MAX_BODY, OutputStream};

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
    /// The file is not what this library writes.
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

/// The log in the folder of a run.
pub fn path_in(folder: &Path) -> PathBuf {
    folder.join("output.log")
}

/// How many bytes of an attempt's output are kept, unless it is told otherwise.
pub const OUTPUT_LIMIT: u64 = 16 * 1024 * 1024;

/// The log of one run, open for writing; clones write to the same segment.
#[derive(Debug, Clone)]
pub struct RunLog(Arc<Mutex<Writer>>);

#[derive(Debug)]
struct Writer {
    path: PathBuf,
    segment: u32,
    file: File,
    /// Up to here the file holds whole records.
    length: u64,
    /// Whether more was written than whole records.
    torn: bool,
    /// A record in the making; kept for its memory.
    record: Vec<u8>,
}

impl RunLog {
    /// Begins a new segment of the log at this path, and the log if there is none.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be made, or when what is at the path is no log.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, LogError> {
        let log = path.into();
        // What is no log is left alone.
        if log.exists() {
            Records::open(&log, segment::FIRST)?;
        }
        let (segment, file) = segment::create(&log).map_err(|source| LogError::System {
            path: log.clone(),
            doing: "opened",
            source,
        })?;
        let path = segment::path_of(&log, segment);
        let mut writer =
            Writer { path, segment, file, length: 0, torn: false, record: FIRST_LINE.to_vec() };
        writer.write_record()?;
        Ok(Self(Arc::new(Mutex::new(writer))))
    }

    /// Begins a new segment of the log in the folder of a run, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub(crate) fn open_in(folder: &Path) -> Result<Self, LogError> {
        let path = path_in(folder);
        std::fs::create_dir_all(folder).map_err(|source| LogError::System {
            path: path.clone(),
            doing: "opened",
            source,
        })?;
        Self::open(path)
    }

    /// What one attempt of a job printed, in the order in which it was read; empty when there is
    /// nothing of it. Of one that was begun again after another engine had taken the run over,
    /// only what it printed since. May be called while the log is written.
    ///
    /// # Errors
    ///
    /// Fails when the log cannot be read, or is none.
    pub fn read(path: impl AsRef<Path>, job: &str, attempt: u32) -> Result<AttemptLog, LogError> {
        let path = path.as_ref();
        let segment = Self::segment_of(path, job, attempt)?;
        Records::open(path, segment)?.attempt(job, attempt)
    }

    /// The segment that has the output of an attempt: the last in which it was begun. What others
    /// have of it was printed before another engine took the run over, or by one that had not
    /// noticed.
    ///
    /// # Errors
    ///
    /// Fails when the log cannot be read, or is none.
    pub fn segment_of(path: impl AsRef<Path>, job: &str, attempt: u32) -> Result<u32, LogError> {
        let path = path.as_ref();
        let later = segment::all(path).rev().take_while(|segment| *segment > segment::FIRST);
        for segment in later {
            if Records::open(path, segment)?.has(job, attempt)? {
                return Ok(segment);
            }
        }
        Ok(segment::FIRST)
    }

    /// What was printed from this position on, by all jobs and engines, in the order in which it
    /// was written: from the [beginning](LogPosition::default), or from the
    /// [`end`](LogPlace::end) of a place that the log or an event has told. May be called while
    /// the log is written; what comes later is not waited for.
    ///
    /// ```no_run
    /// use workflow_core::{LogError, LogPosition, RunLog};
    ///
    /// /// Shows what is new; returns where to go on the next time.
    /// fn follow(path: &str, from: LogPosition) -> Result<LogPosition, LogError> {
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
    /// Fails when the log cannot be read, or is none; the records do, when no record begins at this
    /// position.
    pub fn read_from(path: impl AsRef<Path>, from: LogPosition) -> Result<LogRecords, LogError> {
        LogRecords::starting_at(path.as_ref(), from)
    }

    /// The attempts that printed something, with how much, in the order of their first output. Of
    /// those that were begun again after another engine had taken the run over, only what they
    /// printed since.
    ///
    /// # Errors
    ///
    /// Fails when the log cannot be read, or is none.
    pub fn attempts(path: impl AsRef<Path>) -> Result<Vec<LogEntry>, LogError> {
        read::entries(path.as_ref())
    }

    /// Notes that an attempt begins: it may have begun in an earlier segment, too.
    ///
    /// # Errors
    ///
    /// Fails when the log cannot be written.
    pub fn begin(&self, job: &str, attempt: u32) -> Result<(), LogError> {
        if self.lock().segment == segment::FIRST {
            return Ok(());
        }
        let job = job.into();
        let header = Header { job, attempt, stream: None, after_ms: 0, bytes: 0, dropped: None };
        self.append(&header, b"").map(drop)
    }

    /// Adds a record, and says where it is; the header's `bytes` is the length of the body, which is at
    /// most [`MAX_BODY`].
    ///
    /// # Errors
    ///
    /// Fails when the log cannot be written.
    pub fn append(&self, header: &Header<'_>, body: &[u8]) -> Result<LogPlace, LogError> {
        let mut writer = self.lock();
        writer.record.clear();
        header.write(&mut writer.record);
        writer.record.extend_from_slice(body);
        writer.record.push(b'\n');
        let offset = writer.length;
        writer.write_record()?;
        Ok(LogPlace { segment: writer.segment, offset, length: writer.length - offset })
    }

    /// Writes into another file from now on, and returns the one before: for tests of what writes to
    /// a log.
    #[doc(hidden)]
    pub fn swap_file(&self, file: File) -> File {
        std::mem::replace(&mut self.lock().file, file)
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
pub(crate) mod tests;
