//! The output log of a run: what its jobs print, in append-only files. Knows neither events nor who
//! prints.
//!
//! # Files
//!
//! Each engine that drives the run writes its own segment: `output.log`, then `output.2.log` once
//! another engine has taken over the run, and so on. A process that was paused while others took
//! over may continue writing, but only to its own segment. Readers read all segments in order as
//! one log.
//!
//! An attempt that was running when its engine died starts again with the same number. Each segment
//! but the first notes the start of an attempt, so that only the output after the last start
//! counts.
//!
//! # Format
//!
//! A first line, `{"workflow_log":1}`, then records. A record is a line of JSON, the bytes that it
//! announces (a piece of one stream, the same that subscribers get), and a line break:
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
//! `after_ms` counts from the start of the attempt. A record with `dropped` says how many bytes
//! beyond the limit were dropped so far; the last one of an attempt counts. A record with neither
//! stream nor `dropped` notes the start of an attempt.
//!
//! Records are found by their lengths, so output of a job cannot be mistaken for a record, and
//! reading one attempt skips the bytes of the others. There is no index to lose: after a crash, a
//! segment is readable up to the record that was interrupted.

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

/// The error of a log that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The operating system reported an error.
    #[error("cannot {doing} the log `{}`", path.display())]
    System {
        /// The log.
        path: PathBuf,
        /// `open`, `write` or `read`.
        doing: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file is not a log of this library, or is damaged.
    #[error("the log `{}` is damaged at byte {offset}: {reason}; move it away to start a new one", path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
        /// The byte at which reading stopped.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
}

/// Returns the path of the log in the folder of a run.
pub fn path_in(folder: &Path) -> PathBuf {
    folder.join("output.log")
}

/// The default limit on the output of an attempt, in bytes.
pub const OUTPUT_LIMIT: u64 = 16 * 1024 * 1024;

/// The log of one run, open for writing. Clones write to the same segment.
#[derive(Debug, Clone)]
pub struct RunLog(Arc<Mutex<Writer>>);

#[derive(Debug)]
struct Writer {
    path: PathBuf,
    segment: u32,
    file: File,
    /// The length of the complete records in the file.
    length: u64,
    /// Whether the file has part of a record after that.
    torn: bool,
    /// The buffer for records, reused.
    record: Vec<u8>,
}

impl RunLog {
    /// Opens a new segment of the log at this path, and creates the log if there is none.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be created, or if the file at the path is not a log.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, LogError> {
        let log = path.into();
        // Leaves other files alone.
        if log.exists() {
            Records::open(&log, segment::FIRST)?;
        }
        let (segment, file) = segment::create(&log).map_err(|source| LogError::System {
            path: log.clone(),
            doing: "open",
            source,
        })?;
        let path = segment::path_of(&log, segment);
        let mut writer =
            Writer { path, segment, file, length: 0, torn: false, record: FIRST_LINE.to_vec() };
        writer.write_record()?;
        Ok(Self(Arc::new(Mutex::new(writer))))
    }

    /// Opens a new segment of the log in the folder of a run, and creates the folder if needed.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub(crate) fn open_in(folder: &Path) -> Result<Self, LogError> {
        let path = path_in(folder);
        std::fs::create_dir_all(folder).map_err(|source| LogError::System {
            path: path.clone(),
            doing: "open",
            source,
        })?;
        Self::open(path)
    }

    /// Reads the output of one attempt, in the order in which it was written to the log. Empty if
    /// there is none. If the attempt started again after another engine took over the run, returns
    /// only the output since then. May be called while the log is written.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read, or if the file is not a log.
    pub fn read(path: impl AsRef<Path>, job: &str, attempt: u32) -> Result<AttemptLog, LogError> {
        let path = path.as_ref();
        let segment = Self::segment_of(path, job, attempt)?;
        Records::open(path, segment)?.attempt(job, attempt)
    }

    /// Returns the segment with the output of an attempt: the last one in which it started. Output
    /// in other segments was printed before another engine took over the run, or by an engine that
    /// had not noticed.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read, or if the file is not a log.
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

    /// Reads the output of all jobs from this position on, in the order in which it was written:
    /// from the [start](LogPosition::default), or from the [`end`](LogPlace::end) of a place in a
    /// record or an event. May be called while the log is written, and does not wait for more
    /// output.
    ///
    /// ```no_run
    /// use workflow_core::run_log::{LogError, LogPosition, RunLog};
    ///
    /// /// Prints new output; returns where to continue the next time.
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
    /// Fails if the log cannot be read, or if the file is not a log. Reading the records fails if
    /// no record starts at this position.
    pub fn read_from(path: impl AsRef<Path>, from: LogPosition) -> Result<LogRecords, LogError> {
        LogRecords::starting_at(path.as_ref(), from)
    }

    /// Returns the attempts that printed something, with the sizes of their output, in the order of
    /// their first output. If an attempt started again after another engine took over the run, only
    /// its output since then counts.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read, or if the file is not a log.
    pub fn attempts(path: impl AsRef<Path>) -> Result<Vec<LogEntry>, LogError> {
        read::entries(path.as_ref())
    }

    /// Notes the start of an attempt, which may have started in an earlier segment before.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be written.
    pub fn begin(&self, job: &str, attempt: u32) -> Result<(), LogError> {
        if self.lock().segment == segment::FIRST {
            return Ok(());
        }
        let job = job.into();
        let header = Header { job, attempt, stream: None, after_ms: 0, bytes: 0, dropped: None };
        self.append(&header, b"").map(drop)
    }

    /// Appends a record, and returns its place. The header's `bytes` is the length of the body,
    /// which is at most [`MAX_BODY`].
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be written.
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

    /// Replaces the file, and returns the previous one. For tests.
    #[doc(hidden)]
    pub fn swap_file(&self, file: File) -> File {
        std::mem::replace(&mut self.lock().file, file)
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Writes the record in one call, so that a crash leaves at most one incomplete record, at the
    /// end.
    fn write_record(&mut self) -> Result<(), LogError> {
        self.try_write().map_err(|source| LogError::System {
            path: self.path.clone(),
            doing: "write",
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
