//! The side of the worker: claims tasks within the free slots of the engine, and makes their
//! attempts in the background.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures::future::{Either, select};
use serde_json::json;

use super::board::Place;
use super::performed::{Performed, StopReason, TaskSurroundings};
use crate::engine::Engine;
use crate::engine::delegation::{AttemptOutcome, Invocation, JobTask};
use crate::engine::runtime::Runtime;
use crate::job::JobError;
use crate::store::{ClaimRequest, ClaimedTask, StoreError, TaskLease, TaskProgress, TaskStore};

impl Engine {
    /// The tasks of the engine's store, if it hands out any.
    fn tasks(&self) -> Option<&dyn TaskStore> {
        self.0.lease_renewer.as_ref()?.store().task_store()
    }

    /// Claims tasks within the free slots for jobs. Each must be [performed](Self::perform_task),
    /// [failed](Self::fail_task), or [released](Self::release_task).
    pub(crate) async fn claim_tasks(
        &self,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedTask>, StoreError> {
        let (Some(renewer), Some(tasks)) = (&self.0.lease_renewer, self.tasks()) else {
            return Ok(Vec::new());
        };
        let limit = self.0.limits.free().map_or(request.limit, |free| free.min(request.limit));
        if limit == 0 || self.is_stopping() {
            return Ok(Vec::new());
        }
        tasks.claim_tasks(renewer.owner(), &ClaimRequest { limit, ..request.clone() }).await
    }

    /// Makes the attempt of a claimed task in the background.
    pub(crate) fn perform_task(&self, claimed: ClaimedTask, task: JobTask, with: Invocation) {
        let Some(renewer) = &self.0.lease_renewer else { return };
        let performed = Performed::new(claimed.lease);
        let place = renewer.board().begin(&performed);
        let unfinished = Unfinished { engine: self.clone(), performed, place: Some(place) };
        Runtime::current().spawn(unfinished.perform(claimed, task, with));
    }

    /// Ends a claimed task whose attempt cannot begin.
    pub(crate) async fn fail_task(&self, lease: &TaskLease, error: &JobError) {
        let Some(tasks) = self.tasks() else { return };
        let outcome = json!(AttemptOutcome::failed(error));
        if let Err(error) = tasks.end_task(lease, &TaskProgress::default(), &outcome).await {
            tracing::debug!(%error, "the task is lost, or left to the end of the lease");
        }
    }

    /// Releases a claimed task, for other workers.
    pub(crate) async fn release_task(&self, lease: TaskLease) -> Result<(), StoreError> {
        match self.tasks() {
            Some(tasks) => tasks.release_tasks(&[lease]).await,
            None => Ok(()),
        }
    }

    /// The number of deaths of workers after which an attempt is not made again.
    pub(crate) fn poison_after(&self) -> Option<usize> {
        self.0.poison_after
    }

    /// The number of attempts that this engine makes for others.
    pub(crate) fn performed_tasks(&self) -> usize {
        self.0.lease_renewer.as_ref().map_or(0, |renewer| renewer.board().performed())
    }

    /// Waits until the engine makes no attempts for others.
    pub(in crate::engine) async fn tasks_ended(&self) {
        let Some(renewer) = &self.0.lease_renewer else { return };
        poll_fn(|cx| match renewer.board().poll_idle(cx.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// Stops the attempts that the engine makes for others, which continue elsewhere.
    pub(in crate::engine) async fn stop_tasks(&self) {
        if let Some(renewer) = &self.0.lease_renewer {
            renewer.board().interrupt_all(StopReason::ShutDown);
            self.tasks_ended().await;
        }
    }
}

/// An attempt that is made in the background. If its runtime drops it, the task is released.
struct Unfinished {
    engine: Engine,
    performed: Arc<Performed>,
    /// Taken when the task is over for this engine.
    place: Option<Place>,
}

impl Unfinished {
    async fn perform(mut self, claimed: ClaimedTask, mut task: JobTask, with: Invocation) {
        let performed = Arc::clone(&self.performed);
        let engine = self.engine.clone();
        let Some(tasks) = engine.tasks() else { return };
        let ClaimedTask { persisted, run, .. } = claimed;
        let places = engine.0.limits.acquire(&task.limits);
        let is_granted = match select(pin!(places.granted()), pin!(performed.interrupted())).await {
            Either::Left(_) => true,
            Either::Right(_) => false,
        };
        let mut outcome = match is_granted {
            false => AttemptOutcome::cancelled(),
            true => {
                task.values.extend(persisted.clone());
                let of = Arc::clone(&performed);
                let surroundings = TaskSurroundings { performed: of, folder: run.folder() };
                let attempt = with.execute(&engine, task, Arc::new(surroundings));
                match select(pin!(attempt), pin!(performed.report(tasks))).await {
                    Either::Left((outcome, _)) => outcome,
                    Either::Right((never, _)) => match never {},
                }
            }
        };
        drop(places);
        // Values of workers that have died.
        for (key, value) in persisted {
            outcome.persisted.entry(key).or_insert(value);
        }
        performed.finish(tasks, &outcome, engine.0.store_timeout).await;
        drop(self.place.take());
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else { return };
        let (engine, lease) = (self.engine.clone(), self.performed.lease);
        Runtime::Own.spawn(async move {
            if let Err(error) = engine.release_task(lease).await {
                tracing::warn!(%error, "cannot release a task; it is left to the end of the lease");
            }
            drop(place);
        });
    }
}
