//! What becomes of a command's output: kept, streamed, remembered.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use super::error::CommandError;
use super::log::{Header, RunLog, Stream};
use super::tail::Tail;

/// A piece of output, while the command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk<'a> {
    /// The job's name; empty outside of a run.
    pub job: &'a str,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Where it was printed.
    pub stream: Stream,
    /// What was printed; may begin or end in the middle of a line, or of a character.
    pub bytes: &'a [u8],
}

/// Is told of output on the thread that reads it.
pub(super) type Live = Arc<dyn Fn(&Chunk<'_>) + Send + Sync>;

/// Takes the output of one attempt.
pub(super) struct Console {
    pub(super) job: String,
    pub(super) attempt: u32,
    pub(super) log: Option<RunLog>,
    pub(super) live: Option<Live>,
    pub(super) started: Instant,
    /// How many more bytes are kept.
    pub(super) room: u64,
    pub(super) dropped: u64,
    pub(super) stderr: Tail,
}

impl Console {
    pub(super) fn take(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), CommandError> {
        if stream == Stream::Stderr {
            self.stderr.push(bytes);
        }
        let fits = usize::try_from(self.room).unwrap_or(usize::MAX).min(bytes.len());
        self.room -= fits as u64;
        self.keep(stream, &bytes[..fits])?;
        let rest = (bytes.len() - fits) as u64;
        let first = self.dropped == 0 && rest > 0;
        self.dropped += rest;
        // Already now, for a log whose host dies before the end.
        if first { self.note_dropped() } else { Ok(()) }
    }

    /// Writes down what is known only at the end.
    pub(super) fn close(&self) -> Result<(), CommandError> {
        if self.dropped > 0 { self.note_dropped() } else { Ok(()) }
    }

    fn keep(&self, stream: Stream, bytes: &[u8]) -> Result<(), CommandError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.append(Some(stream), bytes, None)?;
        if let Some(live) = &self.live {
            live(&Chunk { job: &self.job, attempt: self.attempt, stream, bytes });
        }
        Ok(())
    }

    fn note_dropped(&self) -> Result<(), CommandError> {
        self.append(None, b"", Some(self.dropped))
    }

    fn append(
        &self,
        stream: Option<Stream>,
        body: &[u8],
        dropped: Option<u64>,
    ) -> Result<(), CommandError> {
        let Some(log) = &self.log else { return Ok(()) };
        let header = Header {
            job: Cow::Borrowed(&self.job),
            attempt: self.attempt,
            stream,
            after_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            bytes: body.len(),
            dropped,
        };
        log.append(&header, body).map_err(CommandError::Log)
    }
}
