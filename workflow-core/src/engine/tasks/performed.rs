//! One attempt that a worker makes for the engine of a run: its progress, and why it must stop.

use std::convert::Infallible;
use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value as Json, json};

use crate::engine::delegation::{AttemptOutcome, AttemptResult, Surroundings};
use crate::engine::runtime::Runtime;
use crate::job::{JobErrorKind, Token};
use crate::run_log::{OUTPUT_LIMIT, OutputStream};
use crate::store::{StoreError, TaskError, TaskLease, TaskProgress, TaskStore};

/// The time for which progress is collected before it is reported.
const REPORT_INTERVAL: Duration = Duration::from_millis(50);

/// The time between two tries to report while the store is unreachable.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Why an attempt must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopReason {
    /// The engine of the run requested it.
    Requested,
    /// Another worker has the task, or nobody needs it any more.
    Lost,
    /// This engine is shutting down.
    ShutDown,
}

/// An attempt that an engine makes for another one.
pub(super) struct Performed {
    pub(super) lease: TaskLease,
    stop: Arc<Token>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    reason: Option<StopReason>,
    progress: TaskProgress,
    /// The number of bytes of output so far.
    printed: u64,
    /// Waits for progress.
    reporter: Option<Waker>,
}

impl Performed {
    pub(super) fn new(lease: TaskLease) -> Arc<Self> {
        Arc::new(Self { lease, stop: Arc::default(), state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the attempt stop. A lost task stays lost, and the first of the other reasons counts.
    pub(super) fn interrupt(&self, reason: StopReason) {
        let mut state = self.lock();
        if reason == StopReason::Lost || state.reason.is_none() {
            state.reason = Some(reason);
        }
        drop(state);
        self.stop.set();
    }

    /// Completes when the attempt must stop.
    pub(super) async fn interrupted(&self) {
        self.stop.wait().await;
    }

    /// Changes the progress, and wakes the reporter.
    fn note(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let reporter = state.reporter.take();
        drop(state);
        if let Some(reporter) = reporter {
            reporter.wake();
        }
    }

    /// Takes the progress since the last report.
    fn take_progress(&self) -> TaskProgress {
        std::mem::take(&mut self.lock().progress)
    }

    /// Puts back progress that could not be reported.
    fn put_back(&self, earlier: TaskProgress) {
        let mut state = self.lock();
        let later = std::mem::replace(&mut state.progress, earlier);
        state.progress.persisted.extend(later.persisted);
        state.progress.output.extend(later.output);
    }

    /// Reports progress as long as it is polled.
    pub(super) async fn report(&self, tasks: &dyn TaskStore) -> Infallible {
        loop {
            self.until_progress().await;
            Runtime::current().sleep(REPORT_INTERVAL).await;
            let progress = self.take_progress();
            match tasks.report_task(&self.lease, &progress).await {
                Ok(()) => {}
                Err(TaskError::Lost { .. }) => {
                    self.interrupt(StopReason::Lost);
                    std::future::pending().await
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot report the progress of an attempt yet");
                    self.put_back(progress);
                    Runtime::current().sleep(RETRY_INTERVAL).await;
                }
            }
        }
    }

    async fn until_progress(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if !state.progress.is_empty() {
                return Poll::Ready(());
            }
            state.reporter = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Ends the task with its outcome, or releases it if it must continue elsewhere. If the store
    /// stays unreachable, the task is left to the end of the lease.
    pub(super) async fn finish(
        &self,
        tasks: &dyn TaskStore,
        outcome: &AttemptOutcome,
        mut timeout: Duration,
    ) {
        loop {
            let error = match self.try_finish(tasks, outcome).await {
                Ok(()) => return,
                Err(TaskError::Lost { .. }) => {
                    tracing::info!(task = self.lease.task, "another worker has the task by now");
                    return;
                }
                Err(TaskError::Store(error)) => error,
            };
            if !matches!(error, StoreError::Unavailable(_)) || timeout.is_zero() {
                tracing::warn!(task = self.lease.task, %error, "the outcome of an attempt is not saved; another worker makes the attempt again");
                return;
            }
            let pause = timeout.min(RETRY_INTERVAL);
            Runtime::current().sleep(pause).await;
            timeout -= pause;
        }
    }

    async fn try_finish(
        &self,
        tasks: &dyn TaskStore,
        outcome: &AttemptOutcome,
    ) -> Result<(), TaskError> {
        let reason = self.lock().reason;
        let is_cancelled = matches!(
            &outcome.result,
            AttemptResult::Failed(failure) if failure.kind == JobErrorKind::Cancelled
        );
        match reason {
            Some(StopReason::Lost) => Ok(()),
            Some(StopReason::ShutDown) if is_cancelled => {
                Ok(tasks.release_tasks(&[self.lease]).await?)
            }
            _ => {
                let progress = self.take_progress();
                let ended = tasks.end_task(&self.lease, &progress, &json!(outcome)).await;
                if ended.is_err() {
                    self.put_back(progress);
                }
                ended
            }
        }
    }
}

/// What the attempt uses of its worker.
pub(super) struct TaskSurroundings {
    pub(super) performed: Arc<Performed>,
    /// The folder of the run.
    pub(super) folder: Option<PathBuf>,
}

impl Surroundings for TaskSurroundings {
    fn cancelled(&self) -> BoxFuture<'static, ()> {
        let performed = Arc::clone(&self.performed);
        Box::pin(async move { performed.interrupted().await })
    }

    fn print(&self, stream: OutputStream, text: &str) {
        self.performed.note(|state| {
            state.printed += text.len() as u64;
            // The log of the run keeps no more.
            if state.printed > OUTPUT_LIMIT {
                return;
            }
            match state.progress.output.last_mut() {
                Some((last, before)) if *last == stream => before.push_str(text),
                _ => state.progress.output.push((stream, text.to_owned())),
            }
        });
    }

    fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }

    fn persisted(&self, key: &str, value: &Json) {
        self.performed.note(|state| {
            state.progress.persisted.insert(key.to_owned(), value.clone());
        });
    }
}
