//! The handle by which its owner holds a run under way.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};

use super::Engine;
use super::active::ActiveRun;
use super::events::Events;
use crate::event::Event;
use crate::graph::Graph;
use crate::id::RunId;
use crate::run::{OutputError, Report, Run, RunError, Status};
use crate::run_log::path_in;
use crate::store::{Message, MessageKind, StoreError, WorkflowSnapshot};

/// A run of this process that has begun.
///
/// Clones are the same run. Dropping it changes nothing: the run goes on.
#[derive(Clone)]
pub struct RunHandle(pub(super) Arc<ActiveRun>);

impl RunHandle {
    /// Waits for the run to end, and blocks the calling thread, as [`RunRequest::wait`] does. In
    /// async code, await [`Run::outcome`].
    ///
    /// [`RunRequest::wait`]: super::RunRequest::wait
    ///
    /// # Errors
    ///
    /// Fails when the run failed or was cancelled; the error holds the report. On the thread that
    /// drives a current-thread runtime of tokio, fails with [`RunError::WouldBlock`]. On threads for
    /// blocking functions, such as those of `tokio::task::spawn_blocking`, and outside of a runtime
    /// it is legal.
    pub fn wait(&self) -> Result<Report, RunError> {
        super::worker::driver::wait(&self.0)
    }

    /// Waits until the store has the run, and returns its id: that of an earlier run, if one began
    /// under the same idempotency key. Takes no time when the engine has no store.
    ///
    /// # Errors
    ///
    /// Fails when the store does not take the run.
    pub async fn persisted(&self) -> Result<RunId, RunError> {
        self.0.until_begun().await;
        match self.0.persisted() {
            Ok(()) => Ok(self.0.id),
            Err(error) => error.existing().ok_or(error),
        }
    }

    /// The earlier run that this request repeats by its idempotency key, once the store has said so:
    /// after [`persisted`](Self::persisted), if at all.
    pub fn existing(&self) -> Option<RunId> {
        self.0.existing()
    }

    /// Sends the run a signal, for a job that waits for one of this name or will:
    /// [`JobContext::wait_signal`](crate::JobContext::wait_signal).
    ///
    /// # Errors
    ///
    /// Fails when the payload has no JSON form, and in a run that a store keeps when the signal
    /// is not kept.
    pub async fn signal(
        &self,
        name: impl Into<String> + Send,
        payload: impl serde::Serialize + Send,
    ) -> Result<(), StoreError> {
        let name = name.into();
        let payload = crate::value::to_json(&payload)
            .map_err(|error| StoreError::Payload { run: self.0.id, error })?;
        match &self.0.engine.lease_renewer {
            None => self.0.signal(name, payload, None),
            Some(lease_renewer) => {
                self.0.until_begun().await;
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

    /// The log of what the jobs of the run print, for [`RunLog`](crate::RunLog); there once one of
    /// them has printed. `None` when nothing is kept: see
    /// [`runs_dir`](crate::EngineBuilder::runs_dir). Of a request that turned out to repeat an
    /// earlier one, [`StoredRun::log`](crate::StoredRun::log) tells.
    pub fn log(&self) -> Option<PathBuf> {
        Some(path_in(&self.0.output.as_deref()?.folder))
    }

    /// The jobs of the workflow and the order between them.
    pub fn graph(&self) -> &Graph {
        self.0.plan.graph()
    }

    /// The report of the run, if it has ended; of an earlier run, once somebody has waited for it.
    fn report(&self) -> Option<&Report> {
        match self.0.existing() {
            Some(_) => self.0.followed().get(),
            None => self.0.report(),
        }
    }
}

#[async_trait]
impl Run for RunHandle {
    /// The run's id. Of a request that turns out to repeat an earlier one, that is the earlier
    /// run's once the store has said so: see [`RunHandle::persisted`].
    fn id(&self) -> RunId {
        self.0.existing().unwrap_or(self.0.id)
    }

    fn workflow(&self) -> &str {
        self.0.workflow.name().as_str()
    }

    fn status(&self) -> Status {
        self.report().map_or(Status::Running, Report::status)
    }

    fn cancel(&self) {
        if self.0.is_persisted() {
            self.0.spawn_to_its_end(|run| Box::pin(cancel_existing(run)));
        }
        self.0.cancel();
    }

    fn events(&self) -> BoxStream<'static, Event> {
        if !self.0.is_persisted() {
            return Box::pin(Events::new(&self.0));
        }
        let run = Arc::clone(&self.0);
        let events = async move {
            run.until_begun().await;
            match run.existing() {
                None => Events::new(&run).left_stream(),
                Some(existing) => Engine(Arc::clone(&run.engine)).events(existing).right_stream(),
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

/// Cancels the run that began before under the idempotency key of this one, if there is one.
async fn cancel_existing(run: Arc<ActiveRun>) {
    run.until_begun().await;
    let Some(existing) = run.existing() else { return };
    let (engine, workflow) = (Engine(Arc::clone(&run.engine)), Arc::clone(&run.workflow));
    let this = move |_: &WorkflowSnapshot| Ok(Arc::clone(&workflow));
    let cancelled = engine.cancel_with(existing, &this).await;
    if let Err(error) = cancelled {
        tracing::debug!(run = %existing, %error, "not cancelled");
    }
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
