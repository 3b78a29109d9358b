//! The handle by which its owner holds a run under way.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::active::ActiveRun;
use super::events::Events;
use crate::event::Event;
use crate::graph::Graph;
use crate::id::RunId;
use crate::run::{OutputError, Report, Run, RunError, Status};
use crate::store::{Message, MessageKind, StoreError};

/// A run of this process that has begun.
///
/// Clones are the same run. Dropping it changes nothing: the run goes on.
#[derive(Clone)]
pub struct RunHandle(pub(super) Arc<ActiveRun>);

impl RunHandle {
    /// Waits for the run to end, on the calling thread. In async code, use [`Run::wait`].
    ///
    /// # Errors
    ///
    /// Fails when the run failed or was cancelled; the error holds the report.
    pub fn join(&self) -> Result<Report, RunError> {
        pollster::block_on(self.0.until_end())
    }

    /// Waits until the store has the run; no time at all when no store keeps it.
    ///
    /// # Errors
    ///
    /// Fails when the store does not keep the run: [`RunError::Exists`] when there is one for the
    /// same idempotency key.
    pub async fn until_kept(&self) -> Result<(), RunError> {
        if !self.0.is_kept() {
            return Ok(());
        }
        self.0.until_begun().await;
        self.0.kept()
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
        match &self.0.engine.keeper {
            None => self.0.signal(name, payload, None),
            Some(keeper) => {
                self.0.until_begun().await;
                let kind = MessageKind::Signal { name, payload };
                let number = keeper.store().send(self.0.id, kind.clone()).await?;
                self.0.receive(Message { number, run: self.0.id, kind });
            }
        }
        Ok(())
    }

    /// The jobs of the workflow and the order between them.
    pub fn graph(&self) -> &Graph {
        self.0.plan.graph()
    }
}

#[async_trait]
impl Run for RunHandle {
    fn id(&self) -> RunId {
        self.0.id
    }

    fn workflow(&self) -> &str {
        self.0.workflow.name().as_str()
    }

    fn status(&self) -> Status {
        self.0.report().map_or(Status::Running, Report::status)
    }

    fn cancel(&self) {
        self.0.cancel();
    }

    fn events(&self) -> BoxStream<'static, Event> {
        Box::pin(Events::new(&self.0))
    }

    async fn wait(&self) -> Result<Report, RunError> {
        self.0.until_end().await
    }

    fn output(&self) -> Option<Result<serde_json::Value, OutputError>> {
        let report = self.0.report().filter(|report| report.status() == Status::Completed)?;
        Some(report.output_json())
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
