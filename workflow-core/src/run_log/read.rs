//! Reads records of a log, by attempt or in order.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::LogError;
use super::record::{
    FIRST_LINE, Header, LogPlace, LogPosition, MAX_BODY, MAX_HEADER, OutputStream,
};
use super::segment::{self, FIRST};

/// The output of one attempt of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AttemptLog {
    /// The pieces, in the order in which they were written to the log.
    pub chunks: Vec<LogChunk>,
    /// The number of bytes beyond the limit that were dropped.
    pub dropped_bytes: u64,
}

impl AttemptLog {
    /// Returns all of stdout in the log.
    pub fn stdout(&self) -> Vec<u8> {
        self.bytes(OutputStream::Stdout)
    }

    /// Returns all of stderr in the log.
    pub fn stderr(&self) -> Vec<u8> {
        self.bytes(OutputStream::Stderr)
    }

    fn bytes(&self, stream: OutputStream) -> Vec<u8> {
        let chunks = self.chunks.iter().filter(|chunk| chunk.stream == stream);
        chunks.flat_map(|chunk| &chunk.bytes).copied().collect()
    }
}

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogChunk {
    /// The stream.
    pub stream: OutputStream,
    /// When it was written, since the start of the attempt.
    pub after: Duration,
    /// The output: whole lines, or part of a line that was long, slow, or the last.
    pub bytes: Vec<u8>,
}

/// A piece of output with the attempt that printed it, and its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRecord {
    /// The job's name.
    pub job: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The output.
    pub chunk: LogChunk,
    /// Its place in the log.
    pub place: LogPlace,
}

/// An iterator over the pieces of output of a log; see
/// [`RunLog::read_from`](super::RunLog::read_from).
#[derive(Debug)]
pub struct LogRecords {
    log: PathBuf,
    records: Records,
    /// Whether there was no later segment when this one was opened. Its engine may still write to
    /// it, which comes before a later segment.
    is_last: bool,
}

impl LogRecords {
    pub(super) fn starting_at(log: &Path, from: LogPosition) -> Result<Self, LogError> {
        let is_there = from.segment() == FIRST || segment::exists(log, from.segment());
        let (segment, offset) =
            if is_there { (from.segment(), from.offset()) } else { (FIRST, u64::MAX) };
        let mut records = Self::open(log, segment)?;
        records.records.start_at(offset)?;
        records.is_last |= !is_there;
        Ok(records)
    }

    fn open(log: &Path, segment: u32) -> Result<Self, LogError> {
        let is_last = !segment::exists(log, segment.saturating_add(1));
        let records = Records::open(log, segment)?;
        Ok(Self { log: log.to_owned(), records, is_last })
    }

    fn next_piece(&mut self) -> Result<Option<LogRecord>, LogError> {
        loop {
            if let Some(piece) = self.records.next_piece()? {
                return Ok(Some(piece));
            }
            if self.is_last {
                return Ok(None);
            }
            *self = Self::open(&self.log, self.records.segment + 1)?;
        }
    }
}

impl Iterator for LogRecords {
    type Item = Result<LogRecord, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_piece().transpose()
    }
}

/// The size of the output of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// The job's name.
    pub job: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// Bytes of stdout in the log.
    pub stdout_bytes: u64,
    /// Bytes of stderr in the log.
    pub stderr_bytes: u64,
    /// Bytes beyond the limit, which were dropped.
    pub dropped_bytes: u64,
    /// The segment of the log with the output.
    pub segment: u32,
}

/// Returns the attempts of a whole log; see [`RunLog::attempts`](super::RunLog::attempts).
pub(super) fn entries(log: &Path) -> Result<Vec<LogEntry>, LogError> {
    let mut entries = Entries::default();
    let mut segment = FIRST;
    loop {
        Records::open(log, segment)?.count(&mut entries)?;
        segment += 1;
        if !segment::exists(log, segment) {
            break;
        }
    }
    entries.list.retain(|entry| !entry.is_empty());
    Ok(entries.list)
}

#[derive(Default)]
struct Entries {
    list: Vec<LogEntry>,
    places: HashMap<(String, u32), usize>,
}

impl Entries {
    /// Returns the entry of an attempt, which starts again in each segment.
    fn of(&mut self, job: String, attempt: u32, segment: u32) -> &mut LogEntry {
        let place = *self.places.entry((job.clone(), attempt)).or_insert_with(|| {
            self.list.push(LogEntry::new(job.clone(), attempt, segment));
            self.list.len() - 1
        });
        let entry = &mut self.list[place];
        if entry.segment != segment {
            *entry = LogEntry::new(job, attempt, segment);
        }
        entry
    }
}

/// Reads the records of a segment, up to the first incomplete one.
#[derive(Debug)]
pub(super) struct Records {
    path: PathBuf,
    segment: u32,
    file: BufReader<File>,
    /// The start of the current record.
    begins: u64,
    /// The start of the next record.
    offset: u64,
    /// The bytes of the current record that were not read or skipped, with the last line break.
    ahead: u64,
    /// The length of the file when it was opened. Later records are ignored.
    length: u64,
    line: Vec<u8>,
}

impl Records {
    pub(super) fn open(log: &Path, segment: u32) -> Result<Self, LogError> {
        let path = segment::path_of(log, segment);
        let system =
            |source: io::Error| LogError::System { path: path.clone(), doing: "read", source };
        let file = File::open(&path).map_err(system)?;
        let length = file.metadata().map_err(system)?.len();
        let file = BufReader::with_capacity(BUFFER, file);
        let (begins, offset, ahead, line) = (0, 0, 0, Vec::new());
        let mut records = Self { path, segment, file, begins, offset, ahead, length, line };
        records.read_first_line()?;
        Ok(records)
    }

    /// Continues from this byte of the file.
    fn start_at(&mut self, offset: u64) -> Result<(), LogError> {
        let offset = offset.min(self.length);
        if offset > self.offset {
            let sought = self.file.seek(SeekFrom::Start(offset));
            sought.map_err(|error| self.system(error))?;
            self.offset = offset;
        }
        Ok(())
    }

    fn next_piece(&mut self) -> Result<Option<LogRecord>, LogError> {
        while let Some(header) = self.next()? {
            let Some(stream) = header.stream else { continue };
            let (segment, offset) = (self.segment, self.begins);
            let place = LogPlace { segment, offset, length: self.offset - offset };
            let chunk = self.chunk(stream, &header)?;
            let (job, attempt) = (header.job.into_owned(), header.attempt);
            return Ok(Some(LogRecord { job, attempt, chunk, place }));
        }
        Ok(None)
    }

    fn chunk(&mut self, stream: OutputStream, header: &Header<'_>) -> Result<LogChunk, LogError> {
        let after = Duration::from_millis(header.after_ms);
        let bytes = self.read_body(header.bytes)?;
        Ok(LogChunk { stream, after, bytes })
    }

    pub(super) fn attempt(mut self, job: &str, attempt: u32) -> Result<AttemptLog, LogError> {
        let mut log = AttemptLog::default();
        while let Some(header) = self.next()? {
            if header.attempt != attempt || header.job != job {
                continue;
            }
            log.dropped_bytes = header.dropped.unwrap_or(log.dropped_bytes);
            if let Some(stream) = header.stream {
                log.chunks.push(self.chunk(stream, &header)?);
            }
        }
        Ok(log)
    }

    /// Whether there is a record of this attempt.
    pub(super) fn has(mut self, job: &str, attempt: u32) -> Result<bool, LogError> {
        while let Some(header) = self.next()? {
            if header.attempt == attempt && header.job == job {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn count(mut self, entries: &mut Entries) -> Result<(), LogError> {
        while let Some(header) = self.next()? {
            let entry = entries.of(header.job.into_owned(), header.attempt, self.segment);
            entry.dropped_bytes = header.dropped.unwrap_or(entry.dropped_bytes);
            match header.stream {
                Some(OutputStream::Stdout) => entry.stdout_bytes += header.bytes as u64,
                Some(OutputStream::Stderr) => entry.stderr_bytes += header.bytes as u64,
                None => {}
            }
        }
        Ok(())
    }

    fn read_first_line(&mut self) -> Result<(), LogError> {
        let wanted = FIRST_LINE.len() as u64;
        let read = self.file.by_ref().take(wanted).read_to_end(&mut self.line);
        read.map_err(|error| self.system(error))?;
        if self.line == FIRST_LINE {
            self.offset = wanted;
        } else if FIRST_LINE.starts_with(&self.line) {
            self.length = 0;
        } else {
            return Err(self.damaged("not the log of a run"));
        }
        Ok(())
    }

    /// Returns the next record. Its body is skipped unless it is read before the next call.
    fn next(&mut self) -> Result<Option<Header<'static>>, LogError> {
        self.skip()?;
        let left = self.length.saturating_sub(self.offset);
        self.line.clear();
        let read = self.file.by_ref().take(left.min(MAX_HEADER)).read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| self.system(error))? as u64;
        if self.line.last() != Some(&b'\n') {
            return if read == left { Ok(None) } else { Err(self.damaged("a line does not end")) };
        }
        let header: Header<'static> = serde_json::from_slice(&self.line)
            .map_err(|_| self.damaged("invalid header of a record"))?;
        if header.bytes > MAX_BODY {
            return Err(self.damaged("a record exceeds the largest size"));
        }
        let ahead = header.bytes as u64 + 1;
        if read + ahead > left {
            return Ok(None);
        }
        self.ahead = ahead;
        self.begins = self.offset;
        self.offset += read + ahead;
        Ok(Some(header))
    }

    fn skip(&mut self) -> Result<(), LogError> {
        let ahead = i64::try_from(std::mem::take(&mut self.ahead)).unwrap_or(i64::MAX);
        self.file.seek_relative(ahead).map_err(|error| self.system(error))
    }

    fn read_body(&mut self, bytes: usize) -> Result<Vec<u8>, LogError> {
        let mut body = vec![0; bytes];
        self.file.read_exact(&mut body).map_err(|error| self.system(error))?;
        self.ahead -= bytes as u64;
        Ok(body)
    }

    fn system(&self, source: io::Error) -> LogError {
        LogError::System { path: self.path.clone(), doing: "read", source }
    }

    fn damaged(&self, reason: &str) -> LogError {
        let (path, offset) = (self.path.clone(), self.offset);
        LogError::Damaged { path, offset, reason: reason.to_owned() }
    }
}

impl LogEntry {
    fn new(job: String, attempt: u32, segment: u32) -> Self {
        Self { job, attempt, stdout_bytes: 0, stderr_bytes: 0, dropped_bytes: 0, segment }
    }

    fn is_empty(&self) -> bool {
        self.stdout_bytes + self.stderr_bytes + self.dropped_bytes == 0
    }
}

const BUFFER: usize = 16 * 1024;
