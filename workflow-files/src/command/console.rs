//! Handles the output of a command: writes it to the log, publishes it as events, and remembers its
//! end for errors.

use std::borrow::Cow;
use std::time::Instant;

use super::error::CommandError;
use super::lines::Lines;
use super::tail::Tail;
use workflow_core::job::JobContext;
use workflow_core::run_log::{Header, LogPlace, OutputStream, RunLog};

/// Takes the output of one attempt.
pub(super) struct Console {
    sink: Sink,
    stdout: Lines,
    stderr: Lines,
    /// The bytes left until the limit.
    room: u64,
    pub(super) dropped: u64,
    pub(super) last_words: Tail,
}

impl Console {
    /// Stores and publishes at most `limit` bytes.
    pub(super) fn new(context: &JobContext, log: Option<RunLog>, limit: u64) -> Self {
        let (job, attempt) = (context.job_name(), context.attempt());
        let sink = Sink { context: context.clone(), job, attempt, log, started: Instant::now() };
        Self {
            sink,
            stdout: Lines::default(),
            stderr: Lines::default(),
            room: limit,
            dropped: 0,
            last_words: Tail::default(),
        }
    }

    /// Records the beginning of the attempt.
    pub(super) fn begin(&self) -> Result<(), CommandError> {
        let Sink { log, job, attempt, .. } = &self.sink;
        log.as_ref().map_or(Ok(()), |log| log.begin(job, *attempt)).map_err(CommandError::Log)
    }

    pub(super) fn take(&mut self, stream: OutputStream, bytes: &[u8]) -> Result<(), CommandError> {
        if stream == OutputStream::Stderr {
            self.last_words.push(bytes);
        }
        let fits = usize::try_from(self.room).unwrap_or(usize::MAX).min(bytes.len());
        self.room -= fits as u64;
        let lines = match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        };
        lines.push(&bytes[..fits], Instant::now(), |piece| self.sink.pass(stream, piece))?;
        let rest = (bytes.len() - fits) as u64;
        let first = self.dropped == 0 && rest > 0;
        self.dropped += rest;
        // Written now, in case the host dies before the end.
        if first { self.note_dropped() } else { Ok(()) }
    }

    /// Publishes lines that have waited too long for their ends.
    pub(super) fn pass_stale(&mut self) -> Result<(), CommandError> {
        let now = Instant::now();
        self.stdout.push_stale(now, |piece| self.sink.pass(OutputStream::Stdout, piece))?;
        self.stderr.push_stale(now, |piece| self.sink.pass(OutputStream::Stderr, piece))
    }

    /// Publishes the last line without a line break, and records the end.
    pub(super) fn close(&mut self) -> Result<(), CommandError> {
        self.stdout.finish(|piece| self.sink.pass(OutputStream::Stdout, piece))?;
        self.stderr.finish(|piece| self.sink.pass(OutputStream::Stderr, piece))?;
        if self.dropped > 0 { self.note_dropped() } else { Ok(()) }
    }

    fn note_dropped(&self) -> Result<(), CommandError> {
        self.sink.append(None, b"", Some(self.dropped)).map(drop)
    }
}

/// The destination of output.
struct Sink {
    context: JobContext,
    job: String,
    attempt: u32,
    log: Option<RunLog>,
    started: Instant,
}

impl Sink {
    /// Stores a piece, and then publishes it.
    fn pass(&self, stream: OutputStream, bytes: &[u8]) -> Result<(), CommandError> {
        let log = self.append(Some(stream), bytes, None)?;
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.context.show(stream, text, log);
        Ok(())
    }

    fn append(
        &self,
        stream: Option<OutputStream>,
        body: &[u8],
        dropped: Option<u64>,
    ) -> Result<Option<LogPlace>, CommandError> {
        let Some(log) = &self.log else { return Ok(None) };
        let header = Header {
            job: Cow::Borrowed(&self.job),
            attempt: self.attempt,
            stream,
            after_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            bytes: body.len(),
            dropped,
        };
        log.append(&header, body).map(Some).map_err(CommandError::Log)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::command::{Command, Shell};

    #[test]
    fn a_command_whose_output_cannot_be_kept_is_stopped() {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let path = folder.path().join("run.log");
        let log = RunLog::open(&path).expect("the log opens");
        log.swap_file(File::open(&path).expect("it is there"));
        let shell = Shell::new().log(log);
        let command = Command::new("echo words; sleep 1000");
        let end = futures::executor::block_on(shell.run(&command, &JobContext::detached()));
        let error = end.expect_err("the log cannot be written");
        assert!(matches!(error.downcast_ref(), Some(CommandError::Log(_))), "{error}");
    }
}
