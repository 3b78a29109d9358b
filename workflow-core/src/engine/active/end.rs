//! The end of a run: its report, and those who wait for it.

use std::future::poll_fn;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use super::{ActiveRun, LOG_TARGET, add_waker};
use crate::engine::Engine;
use crate::engine::state::wake_all;
use crate::guard;
use crate::id::RunId;
use crate::run::{Record, Report, RunError, Status};
use crate::store::{SharedBy, StoreError, WorkflowSnapshot};

impl ActiveRun {
    /// Creates the report of a run that has ended, and wakes everyone who waits for it.
    pub(in crate::engine) fn publish(&self) {
        let mut state = self.lock();
        let (status, reason) = state.log.outcome();
        let reason = reason.map(str::to_owned);
        let record = Record {
            id: self.id,
            workflow: Arc::clone(&self.workflow),
            status,
            plan: Arc::clone(&self.plan),
            run_values: Arc::clone(&self.run_values),
            log: state.log.take(),
            names: std::mem::take(&mut state.names),
            annotations: std::mem::take(&mut state.annotations),
            persisted: state.recorder.is_some(),
        };
        let _only_once = self.report.set(Report(Arc::new(record)));
        state.published = true;
        let mut listeners = std::mem::take(&mut state.listeners);
        listeners.append(&mut state.waiters);
        listeners.extend(state.driver.take());
        listeners.append(&mut state.drain_waiters.take());
        let (has_threads, entered) = (state.threads.count > 0, state.entered);
        let failed = state.recorder.as_ref().and_then(|recorder| recorder.failed.clone());
        drop(state);
        if has_threads {
            self.condvar.notify_all();
        }
        if !listeners.is_empty() {
            wake_all(listeners);
        }
        self.notify_clock();
        if entered {
            self.engine.stopping.leave(self.id);
        }
        if let Some(lease_renewer) = &self.engine.lease_renewer {
            lease_renewer.remove(self.id, &self.me);
        }
        self.log_end(status, reason, failed.as_deref());
    }

    /// Logs how the run ended.
    fn log_end(&self, status: Status, reason: Option<String>, failed: Option<&StoreError>) {
        let run = self.id;
        // The name may come from code of the host.
        let workflow = || guard::call(|| self.workflow.name().to_string()).unwrap_or_default();
        match failed {
            Some(StoreError::ShutDown { .. } | StoreError::Abandoned { .. }) => {
                tracing::info!(parent: &self.span, "the run is left to other engines");
            }
            Some(StoreError::Shared { run, by }) => {
                tracing::info!(
                    parent: &self.span, existing = %run, ?by, "a run stands for the request"
                );
            }
            Some(StoreError::Waits { .. }) => {
                tracing::info!(parent: &self.span, "the run waits for its limits");
            }
            Some(StoreError::Evicted { .. }) => {
                tracing::debug!(parent: &self.span, "the run waits in the store");
            }
            Some(
                error @ (StoreError::KeyConflict { .. }
                | StoreError::InvalidKey(_)
                | StoreError::NotActive { .. }),
            ) => {
                tracing::info!(parent: &self.span, %error, "the store rejected the run");
            }
            Some(error) => {
                // The text may come from code of the host.
                let error = guard::call(|| error.to_string()).unwrap_or_else(|panic| panic);
                tracing::error!(
                    parent: None, workflow = workflow(), %run, error,
                    "the run is not persisted"
                );
            }
            None if status == Status::Failed => {
                let reason = reason.unwrap_or_default();
                tracing::warn!(
                    target: LOG_TARGET, parent: None, workflow = workflow(), %run, reason,
                    "run failed"
                );
            }
            None => tracing::info!(parent: &self.span, %status, "run ended"),
        }
    }

    pub(in crate::engine) fn report(&self) -> Option<&Report> {
        self.report.get()
    }

    pub(in crate::engine) fn result(&self) -> Option<Result<Report, RunError>> {
        let report = self.report.get()?;
        if let Err(error) = self.persisted() {
            return Some(Err(error));
        }
        Some(match report.status() {
            Status::Completed => Ok(report.clone()),
            Status::Cancelled => Err(RunError::Cancelled(report.clone())),
            _ => Err(RunError::Failed(report.clone())),
        })
    }

    /// The result, unless there is something to wait for: the run to follow instead, or the release
    /// of the run's lease.
    pub(in crate::engine) fn settled(&self) -> Option<Result<Report, RunError>> {
        let result = self.result()?;
        let goes_on = result.as_ref().is_err_and(|error| {
            matches!(error, RunError::ShutDown { .. } | RunError::Abandoned { .. })
                || error.continues_as().is_some()
        });
        (!goes_on).then_some(result)
    }

    /// Fails if the engine has a store that does not have the run.
    pub(in crate::engine) fn persisted(&self) -> Result<(), RunError> {
        match self.store_failure() {
            None => Ok(()),
            Some(error) => Err(RunError::of_store(self.workflow.name().as_str(), self.id, error)),
        }
    }

    /// Why the store does not accept the run's events any more.
    fn store_failure(&self) -> Option<Arc<StoreError>> {
        if !self.is_persisted() {
            return None;
        }
        self.lock().recorder.as_ref().and_then(|recorder| recorder.failed.clone())
    }

    /// The run that stands for this one, and why.
    pub(in crate::engine) fn existing(&self) -> Option<(RunId, SharedBy)> {
        match *self.store_failure()? {
            StoreError::Shared { run, by } => Some((run, by)),
            _ => None,
        }
    }

    /// Whether the store has the run, and its limits decide when it begins.
    pub(in crate::engine) fn waits_for_limits(&self) -> bool {
        self.store_failure().is_some_and(|error| matches!(*error, StoreError::Waits { .. }))
    }

    /// The run to follow instead: one that stands for this one, or the run itself if it waits for
    /// its limits.
    pub(in crate::engine) fn continues_as(&self) -> Option<RunId> {
        self.persisted().err().and_then(|error| error.continues_as())
    }

    /// The report of the run to follow instead, once somebody has waited for it.
    pub(in crate::engine) fn followed(&self) -> &OnceLock<Report> {
        &self.followed
    }

    /// Waits for the report: that of the run to follow instead, if there is one.
    pub(in crate::engine) async fn outcome(self: &Arc<Self>) -> Result<Report, RunError> {
        if let Some(settled) = self.settled() {
            return settled;
        }
        let ended = self.until_end().await;
        let Some(other) = ended.as_ref().err().and_then(RunError::continues_as) else {
            return ended;
        };
        let workflow = Arc::clone(&self.workflow);
        let engine = Engine(Arc::clone(&self.engine));
        let this = |_: &WorkflowSnapshot| Ok(Arc::clone(&workflow));
        let followed = engine.follow_with(other, &this).await;
        if let Some(report) = followed.as_ref().map_or_else(RunError::report, Some) {
            let _only_once = self.followed.set(report.clone());
        }
        followed
    }

    /// Waits for the report. If the engine or the runtime is shut down, waits until the run's lease
    /// was released.
    pub(in crate::engine) async fn until_end(&self) -> Result<Report, RunError> {
        let ended = self.until_published().await;
        if let Err(RunError::ShutDown { .. } | RunError::Abandoned { .. }) = ended {
            self.until_lease_released().await;
        }
        ended
    }

    /// Waits for the report.
    pub(in crate::engine) async fn until_published(&self) -> Result<Report, RunError> {
        poll_fn(|cx| self.poll_end(cx)).await
    }

    /// Polls for the report.
    pub(in crate::engine) fn poll_end(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Report, RunError>> {
        if let Some(result) = self.result() {
            return Poll::Ready(result);
        }
        let mut state = self.lock();
        // Read under the lock, because the report is created under it.
        if self.report.get().is_none() {
            add_waker(&mut state.waiters, cx.waker());
            return Poll::Pending;
        }
        drop(state);
        self.result().map_or(Poll::Pending, Poll::Ready)
    }

    /// Waits until the store has the run, or rejected it.
    pub(in crate::engine) async fn until_stored(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.visible() > 0 || state.published {
                return Poll::Ready(());
            }
            add_waker(&mut state.listeners, cx.waker());
            Poll::Pending
        })
        .await;
    }
}
