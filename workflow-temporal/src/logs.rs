//! What jobs print, in the logs of their runs on the machine of the worker.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use workflow_core::executor::JobTask;
use workflow_core::id::RunId;
use workflow_core::run_log::{
    Header, LogError, MAX_BODY, OUTPUT_LIMIT, OutputStream, RunLog, path_in,
};

/// The number of logs that stay open. Each time that a log is opened, it gets another segment.
const OPEN: usize = 256;

/// The logs of the runs whose jobs a worker runs.
pub(crate) struct Logs {
    /// The folder with a folder for each run.
    folder: PathBuf,
    /// The latest ones, oldest first.
    open: Mutex<Vec<(RunId, RunLog)>>,
    /// Whether a warning about lost output was logged.
    is_warned: AtomicBool,
}

impl Logs {
    pub(crate) fn new(folder: PathBuf) -> Arc<Self> {
        Arc::new(Self { folder, open: Mutex::default(), is_warned: AtomicBool::new(false) })
    }

    /// The log of an attempt that starts now.
    pub(crate) fn attempt(self: &Arc<Self>, task: &JobTask) -> AttemptLog {
        let (job, attempt, run) = (task.job.clone(), task.attempt, task.run);
        let (logs, began) = (Arc::clone(self), Instant::now());
        AttemptLog { logs, run, job, attempt, began, state: Mutex::default() }
    }

    fn of(&self, run: RunId) -> Result<RunLog, LogError> {
        let mut open = lock(&self.open);
        if let Some(at) = open.iter().position(|(of, _)| *of == run) {
            let found = open.remove(at);
            open.push(found.clone());
            return Ok(found.1);
        }
        let folder = self.folder.join(run.to_string());
        let path = path_in(&folder);
        std::fs::create_dir_all(&folder).map_err(|source| LogError::System {
            path: path.clone(),
            doing: "opened",
            source,
        })?;
        let log = RunLog::open(path)?;
        if open.len() == OPEN {
            open.remove(0);
        }
        open.push((run, log.clone()));
        Ok(log)
    }

    /// A write error does not fail the job.
    fn warn(&self, error: &LogError) {
        if !self.is_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "cannot write the output of jobs to the log");
        }
    }
}

/// The output of one attempt.
pub(crate) struct AttemptLog {
    logs: Arc<Logs>,
    run: RunId,
    job: String,
    attempt: u32,
    began: Instant,
    state: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    /// Open from the first piece on.
    log: Option<RunLog>,
    bytes: u64,
    /// The number of bytes that were dropped, and how many of these are noted in the log.
    dropped: u64,
    noted: u64,
}

impl AttemptLog {
    /// Writes output of the job.
    pub(crate) fn print(&self, stream: OutputStream, text: &str) {
        let mut state = lock(&self.state);
        let mut rest = text;
        while !rest.is_empty() {
            let piece;
            (piece, rest) = rest.split_at(rest.floor_char_boundary(MAX_BODY));
            if let Err(error) = self.append(&mut state, stream, piece) {
                return self.logs.warn(&error);
            }
        }
    }

    fn append(
        &self,
        state: &mut Written,
        stream: OutputStream,
        piece: &str,
    ) -> Result<(), LogError> {
        let log = match &state.log {
            Some(log) => log.clone(),
            None => {
                let log = self.logs.of(self.run)?;
                log.begin(&self.job, self.attempt)?;
                state.log.insert(log).clone()
            }
        };
        let length = piece.len() as u64;
        if state.dropped == 0 && state.bytes + length <= OUTPUT_LIMIT {
            state.bytes += length;
            let header = self.header(Some(stream), piece.len(), None);
            return log.append(&header, piece.as_bytes()).map(drop);
        }
        // Noted now and then, because nobody knows which piece is the last.
        state.dropped += length;
        if state.dropped >= state.noted.saturating_mul(2) {
            state.noted = state.dropped;
            log.append(&self.header(None, 0, Some(state.dropped)), b"")?;
        }
        Ok(())
    }

    fn header(
        &self,
        stream: Option<OutputStream>,
        bytes: usize,
        dropped: Option<u64>,
    ) -> Header<'_> {
        let after_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let job = self.job.as_str().into();
        Header { job, attempt: self.attempt, stream, after_ms, bytes, dropped }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
