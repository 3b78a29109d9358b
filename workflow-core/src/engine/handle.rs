//! The handle on an active run of this process.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};

use super::Engine;
use super::active::ActiveRun;
use super::events::Events;
use super::eviction::log_cancellation;
use crate::event::Event;
use crate::graph::Graph;
use crate::id::RunId;
use crate::run::{OutputError, Report, Run, RunError, Status};
use crate::run_log::path_in;
use crate::store::{Message, MessageKind, SharedBy, SignalError, StoreError, WorkflowSnapshot};

/// A handle on a run that was started in this process.
///
/// A clone is a handle on the same run. Dropping a handle does not stop the run.
#[derive(Clone)]
pub struct RunHandle(pub(super) Arc<ActiveRun>);

impl RunHandle {
    /// Blocks the calling thread until the run ends, as [`RunRequest::wait`] does. In async code,
    /// await [`Run::outcome`].
    ///
    /// [`RunRequest::wait`]: super::RunRequest::wait
    ///
    /// # Errors
    ///
    /// Fails if the run failed or was cancelled; the error holds the report. Fails with
    /// [`RunError::WouldBlock`] on the thread that drives a current-thread runtime of tokio. It may
    /// be called outside of a runtime and on threads for blocking functions, such as those of
    /// `tokio::task::spawn_blocking`.
    pub fn wait(&self) -> Result<Report, RunError> {
        super::worker::driver::wait(&self.0)
    }

    /// Waits until the store has the run, and returns its id, or that of the run that stands for
    /// it. Returns at once if the engine has no store.
    ///
    /// # Errors
    ///
    /// Fails if the store rejects the run.
    pub async fn persisted(&self) -> Result<RunId, RunError> {
        self.0.until_stored().await;
        match self.0.persisted() {
            Ok(()) => Ok(self.0.id),
            Err(error) => error.continues_as().ok_or(error),
        }
    }

    /// Returns the run that stands for this one, and why: it has the same idempotency key, or the
    /// limits of the workflow have the requests share it. Known once
    /// [`persisted`](Self::persisted) has returned.
    pub fn existing(&self) -> Option<(RunId, SharedBy)> {
        self.0.existing()
    }

    /// Whether limits decide when the run begins: it is on record, and continues here or in another
    /// process once they allow that, unless they have cancelled it. Known once
    /// [`persisted`](Self::persisted) has returned.
    pub fn waits_for_limits(&self) -> bool {
        self.0.waits_for_limits()
    }

    /// Sends a signal to the run, for a job that waits for this name now or later:
    /// [`JobContext::wait_signal`](crate::JobContext::wait_signal).
    ///
    /// # Errors
    ///
    /// Fails if the name is not 1 to 255 characters without control characters, if the payload does not
    /// serialize to JSON, or if the store of a persisted run does not accept the signal.
    pub async fn signal(
        &self,
        name: impl Into<String> + Send,
        payload: impl serde::Serialize + Send,
    ) -> Result<(), StoreError> {
        let name = name.into();
        SignalError::check(&name).map_err(StoreError::InvalidSignal)?;
        let payload = crate::value::to_json(&payload)
            .map_err(|error| StoreError::Payload { run: self.0.id, error })?;
        match &self.0.engine.lease_renewer {
            None => self.0.signal(name, payload, None),
            Some(lease_renewer) => {
                self.0.until_stored().await;
                let run = self.id();
                let kind = MessageKind::Signal { name, payload };
                let number = lease_renewer.store().send(run, kind.clone()).await?;
                if let Some(active) = lease_renewer.find(run) {
                    active.receive(Message { number, run, kind });
                }
            }
        }
        Ok(())
    }

    /// Returns the path of the run's output log, for [`RunLog`](crate::run_log::RunLog). The file
    /// exists once a job has printed. `None` without a
    /// [`runs_dir`](crate::engine::EngineBuilder::runs_dir). For an earlier run with the same
    /// idempotency key, see [`StoredRun::log`](crate::store::StoredRun::log).
    pub fn log(&self) -> Option<PathBuf> {
        Some(path_in(&self.0.output.as_deref()?.folder))
    }

    /// Returns the graph of the workflow: its jobs and the order between them.
    pub fn graph(&self) -> &Graph {
        self.0.plan.graph()
    }

    /// Whether the run has ended, or all that is open in it and in its child runs waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.is_idle()
    }

    /// Whether both are handles on the same run in memory. A run that was evicted and resumed is
    /// another one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The number of its jobs that run in this process, without those that only wait for other jobs.
    pub(crate) fn running_jobs(&self) -> usize {
        self.0.lock().running_here()
    }

    /// Whether the end of the run may let another one begin.
    pub(crate) fn may_free_slot(&self) -> bool {
        self.0.holds_slot
    }

    /// The report of the run, if it has ended. For an earlier run, only once somebody has waited
    /// for it.
    fn report(&self) -> Option<&Report> {
        match self.0.continues_as() {
            Some(_) => self.0.followed().get(),
            None => self.0.report(),
        }
    }
}

#[async_trait]
impl Run for RunHandle {
    /// Returns the run's id. If another run stands for this one, returns that run's id once the
    /// store has answered: see [`RunHandle::persisted`].
    fn id(&self) -> RunId {
        self.0.continues_as().unwrap_or(self.0.id)
    }

    fn workflow(&self) -> &str {
        self.0.workflow.name().as_str()
    }

    fn status(&self) -> Status {
        self.report().map_or(Status::Running, Report::status)
    }

    fn cancel(&self) {
        if self.0.is_persisted() {
            self.0.spawn_restartable(|run| Box::pin(cancel_followed(run)));
        }
        self.0.cancel();
    }

    fn events(&self) -> BoxStream<'static, Event> {
        if !self.0.is_persisted() {
            return Box::pin(Events::new(&self.0));
        }
        let run = Arc::clone(&self.0);
        let events = async move {
            run.until_stored().await;
            match run.continues_as() {
                None => Events::new(&run).left_stream(),
                Some(other) => Engine(Arc::clone(&run.engine)).events(other).right_stream(),
            }
        };
        Box::pin(stream::once(events).flatten())
    }

    async fn outcome(&self) -> Result<Report, RunError> {
        self.0.outcome().await
    }

    fn output(&self) -> Option<Result<serde_json::Value, OutputError>> {
        let report = self.report().filter(|report| report.status() == Status::Completed)?;
        Some(report.output_json())
    }
}

/// Cancels the run if it waits for its limits, or continues after that.
pub(super) fn cancel_waiting(run: &Arc<ActiveRun>) {
    if run.has_limits() {
        run.spawn_restartable(|run| {
            Box::pin(async move {
                run.until_stored().await;
                if run.waits_for_limits() {
                    cancel_followed(run).await;
                }
            })
        });
    }
}

/// Cancels the run to follow instead of this one, if there is one.
async fn cancel_followed(run: Arc<ActiveRun>) {
    run.until_stored().await;
    let Some(other) = run.continues_as() else { return };
    let (engine, workflow) = (Engine(Arc::clone(&run.engine)), Arc::clone(&run.workflow));
    let this = move |_: &WorkflowSnapshot| Ok(Arc::clone(&workflow));
    let cancelled = engine.until_reachable(|| engine.cancel_with(other, &this)).await;
    log_cancellation(other, cancelled.map(drop));
}

impl fmt::Debug for RunHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunHandle")
            .field("id", &self.0.id)
            .field("workflow", &self.workflow())
            .field("status", &self.status())
            .finish()
    }
}
