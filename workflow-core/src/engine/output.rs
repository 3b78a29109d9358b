//! Output of the jobs of a run, written to the run's log if it has one. Subscribers get it from
//! [`events`](super::events).

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::active::ActiveRun;
use crate::id::RunId;
use crate::run_log::{Header, LogError, LogPlace, MAX_BODY, OUTPUT_LIMIT, OutputStream, RunLog};

/// The folder of a run, and the log in it.
pub(super) struct RunOutput {
    pub(super) folder: PathBuf,
    /// Opened when the first job prints.
    log: OnceLock<Result<RunLog, Arc<LogError>>>,
    /// Whether a warning about lost output was logged.
    is_warned: AtomicBool,
    /// Output of the latest attempt of each job, without that of commands, which count their own.
    printed: Mutex<HashMap<u32, Printing>>,
}

/// The output of an attempt so far.
struct Printing {
    attempt: u32,
    /// When the attempt started, in nanoseconds since the start of the run.
    began: i64,
    /// The number of bytes that still fit.
    room: u64,
    /// The number of bytes that were dropped, and how many of these are noted in the log.
    dropped: u64,
    told: u64,
}

impl RunOutput {
    pub(super) fn new(runs_dir: &Path, run: RunId) -> Self {
        let folder = runs_dir.join(run.to_string());
        // Absolute, because commands run in other folders.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        let (log, printed) = (OnceLock::new(), Mutex::default());
        Self { folder, log, is_warned: AtomicBool::new(false), printed }
    }

    /// Returns the log, and opens it first if needed.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be opened, each time with the same error.
    pub(super) fn log(&self) -> Result<RunLog, Arc<LogError>> {
        let open = || RunLog::open_in(&self.folder).map_err(Arc::new);
        self.log.get_or_init(open).clone()
    }
}

impl ActiveRun {
    /// Writes a piece of output to the log, and returns its place, or `None` if it was not written.
    /// A write error does not fail the job and is logged once.
    pub(super) fn log_output(
        &self,
        job: u32,
        attempt: u32,
        stream: OutputStream,
        piece: &str,
    ) -> Option<LogPlace> {
        let output = self.output.as_deref()?;
        let kept = output.log().and_then(|log| {
            let mut printed = output.printed.lock().unwrap_or_else(PoisonError::into_inner);
            self.append(&log, printed.entry(job), (job, attempt), stream, piece).map_err(Arc::new)
        });
        kept.unwrap_or_else(|error| {
            if !output.is_warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(parent: &self.span, %error, "cannot write the output of jobs to the log");
            }
            None
        })
    }

    fn append(
        &self,
        log: &RunLog,
        printed: Entry<'_, u32, Printing>,
        (job, attempt): (u32, u32),
        stream: OutputStream,
        piece: &str,
    ) -> Result<Option<LogPlace>, LogError> {
        let name = {
            let state = self.lock();
            state.names.get(&self.plan.graph, job).into_owned()
        };
        let printing = printed.or_insert_with(|| Printing::none(0));
        if printing.attempt != attempt {
            *printing = Printing::none(attempt);
            printing.began = self.lock().log.start_of(job).unwrap_or_default();
            log.begin(&name, attempt)?;
        }
        let after = self.read_clock().saturating_sub(printing.began).max(0) / 1_000_000;
        let header = |stream, bytes, dropped| {
            let (job, after_ms) = (Cow::Borrowed(&*name), after.unsigned_abs());
            Header { job, attempt, stream, after_ms, bytes, dropped }
        };
        if let Some(room) = printing.room.checked_sub(piece.len() as u64) {
            printing.room = room;
            let header = header(Some(stream), piece.len(), None);
            return log.append(&header, piece.as_bytes()).map(Some);
        }
        // Later pieces are dropped too, so that the log has no gaps.
        printing.room = 0;
        printing.dropped += piece.len() as u64;
        // Noted now and then, because nobody knows which piece is the last.
        if printing.dropped >= printing.told.saturating_mul(2) {
            log.append(&header(None, 0, Some(printing.dropped)), b"")?;
            printing.told = printing.dropped;
        }
        Ok(None)
    }
}

impl Printing {
    fn none(attempt: u32) -> Self {
        Self { attempt, began: 0, room: OUTPUT_LIMIT, dropped: 0, told: 0 }
    }
}

/// Splits a text into pieces that fit into a record of the log.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = rest.len().min(MAX_BODY);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, others) = rest.split_at(end);
        rest = others;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_come_in_pieces_of_whole_characters() {
        let text = "é".repeat(MAX_BODY);
        let all: Vec<&str> = pieces(&text).collect();
        assert_eq!(all.concat(), text);
        assert!(all.iter().all(|piece| piece.len() <= MAX_BODY && !piece.is_empty()));
        assert_eq!(pieces("").count(), 0);
    }
}
