//! What the jobs of a run print: kept in the run's log, where it has one.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::active::ActiveRun;
use crate::event::EntryKind;
use crate::id::RunId;
use crate::run_log::{Header, LogError, LogPlace, MAX_BODY, OUTPUT_LIMIT, OutputStream, RunLog};

/// The folder of a run, and the log in it.
pub(super) struct RunOutput {
    pub(super) folder: PathBuf,
    /// Opened when the first of the jobs prints.
    log: OnceLock<Result<RunLog, Arc<LogError>>>,
    /// Whether it was told that something is not kept.
    is_told: AtomicBool,
    /// What the latest attempt of each job has printed, commands apart: they count for themselves.
    printed: Mutex<HashMap<u32, Printing>>,
}

/// What an attempt has printed so far.
struct Printing {
    attempt: u32,
    /// When it began, in nanoseconds since the run did.
    began: i64,
    /// How many more bytes are kept.
    room: u64,
    /// How many were not, and how many of these the log knows of.
    dropped: u64,
    told: u64,
}

impl RunOutput {
    pub(super) fn new(runs_dir: &Path, run: RunId) -> Self {
        let folder = runs_dir.join(run.to_string());
        // Commands run elsewhere: to them a relative path would be another.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        let (log, printed) = (OnceLock::new(), Mutex::default());
        Self { folder, log, is_told: AtomicBool::new(false), printed }
    }

    /// The log.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be opened, each time with the same error.
    pub(super) fn log(&self) -> Result<RunLog, Arc<LogError>> {
        let open = || RunLog::open_in(&self.folder).map_err(Arc::new);
        self.log.get_or_init(open).clone()
    }
}

impl ActiveRun {
    /// Keeps a piece of what an attempt printed; where, unless it was not kept. That it cannot be
    /// written is told once: it is no failure of the job.
    pub(super) fn keep_printed(
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
            if !output.is_told.swap(true, Ordering::Relaxed) {
                tracing::warn!(parent: &self.span, %error, "what a job printed is not kept");
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
            printing.began = self.began_at(job);
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
        // The rest is not kept either, so that what is kept has no holes.
        printing.room = 0;
        printing.dropped += piece.len() as u64;
        // Told now and then: nobody knows which piece is the last.
        if printing.dropped >= printing.told.saturating_mul(2) {
            log.append(&header(None, 0, Some(printing.dropped)), b"")?;
            printing.told = printing.dropped;
        }
        Ok(None)
    }

    /// When the latest attempt of a job began, in nanoseconds since the run did.
    fn began_at(&self, job: u32) -> i64 {
        let state = self.lock();
        let entries = state.log.entries.iter().rev();
        let mut starts =
            entries.filter(|entry| entry.job == job && entry.kind() == EntryKind::JobStarted);
        starts.next().map_or(0, |entry| entry.at)
    }
}

impl Printing {
    fn none(attempt: u32) -> Self {
        Self { attempt, began: 0, room: OUTPUT_LIMIT, dropped: 0, told: 0 }
    }
}

/// A text in pieces that a record of the log can hold.
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
