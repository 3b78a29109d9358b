//! Ends, blocks and unblocks runs that nobody drives.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::future::BoxFuture;

use super::Resolve;
use super::{ResumeError, RunHandle, is_cancel_requested, know, on_record};
use crate::engine::{Engine, LookupError};
use crate::event::{Blocked, Event, EventKind, Status};
use crate::id::RunId;
use crate::store::{Lease, MessageKind, Store, StoreError, StoredRun, WorkflowSnapshot};
use crate::workflow::Workflow;

/// What became of a request to cancel a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cancellation {
    /// The run has ended: cancelled.
    Ended,
    /// This engine ends the run. Jobs that always run, such as clean-up, may still do so.
    Ending(RunHandle),
    /// Another engine holds the run's lease and was asked to end it. If that engine has died, the
    /// next one that looks at the run ends it.
    Requested,
}

impl Engine {
    /// Cancels a run on record, whoever drives it.
    pub(crate) fn cancel_with<'a>(
        &'a self,
        run: RunId,
        find: &'a dyn Resolve,
    ) -> BoxFuture<'a, Result<Cancellation, StoreError>> {
        Box::pin(async move {
            let lease_renewer = self.0.lease_renewer.as_ref().ok_or_else(no_store)?;
            let store = lease_renewer.store();
            if let Some(active) = lease_renewer.find(run).filter(|active| !active.is_lost()) {
                active.cancel();
                return Ok(Cancellation::Ending(RunHandle(active)));
            }
            let stored = store.run(run).await?.ok_or(StoreError::NoRun { run })?;
            if stored.status.is_final() {
                return Err(StoreError::Ended { run, status: stored.status });
            }
            let [lease] = store.claim(lease_renewer.owner(), &[run]).await?[..] else {
                store.send(run, MessageKind::Cancel).await?;
                return Ok(Cancellation::Requested);
            };
            if let Ok(what) = know(&stored, find)
                && let Ok(active) = self.resume(what, lease, &stored).await
            {
                active.cancel();
                active.drive_in_background();
                return Ok(Cancellation::Ending(RunHandle(active)));
            }
            self.end_cancelled(&**store, lease, find).await?;
            Ok(Cancellation::Ended)
        })
    }

    /// Ends a run that no program can go on with, and the runs inside of it.
    async fn end_cancelled(
        &self,
        store: &dyn Store,
        lease: Lease,
        find: &dyn Resolve,
    ) -> Result<(), StoreError> {
        let run = lease.run;
        let stored = store.run(run).await?.ok_or(StoreError::NoRun { run })?;
        let events = on_record(store, run).await?;
        let at = self.0.time.time_of_day();
        let ends = ends(&stored, &events).into_iter();
        let ends: Vec<Event> = (events.len() as u64..)
            .zip(ends)
            .map(|(sequence, kind)| Event::new(sequence, at, kind))
            .collect();
        store.append(&lease, &ends).await?;
        for child in store.children(run).await? {
            match self.cancel_with(child, find).await {
                // It has ended by itself.
                Ok(_) | Err(StoreError::Ended { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Lets engines take up a run again that is [blocked](Blocked). Deaths of its process before
    /// now are no longer counted.
    ///
    /// # Errors
    ///
    /// Fails when the engine has no store, when the store has no such run, and when the run is not
    /// blocked.
    pub async fn unblock(&self, run: RunId) -> Result<(), StoreError> {
        let lease_renewer = self.0.lease_renewer.as_ref().ok_or_else(no_store)?;
        let store = lease_renewer.store();
        let stored = store.run(run).await?.ok_or(StoreError::NoRun { run })?;
        let leases = match stored.blocked {
            Some(_) => store.claim(lease_renewer.owner(), &[run]).await?,
            None => Vec::new(),
        };
        let [lease] = leases[..] else { return Err(StoreError::NotBlocked { run }) };
        self.append_one(&**store, lease, EventKind::RunUnblocked).await?;
        store.release(&[lease]).await
    }

    /// Records why a run is not taken up, unless it says so already; ends it instead if somebody
    /// has asked for that.
    pub(super) async fn refuse(
        &self,
        stored: &StoredRun,
        error: &ResumeError,
    ) -> Result<(), StoreError> {
        let Some(lease_renewer) = &self.0.lease_renewer else { return Ok(()) };
        let store = lease_renewer.store();
        let Some(blocked) = blocked_by(stored, error) else { return Ok(()) };
        let run = stored.id;
        if stored.blocked.is_some() {
            return Ok(());
        }
        let [lease] = store.claim(lease_renewer.owner(), &[run]).await?[..] else { return Ok(()) };
        if is_cancel_requested(&**store, run).await? {
            return self.end_cancelled(&**store, lease, &nowhere).await;
        }
        self.append_one(&**store, lease, EventKind::RunBlocked { blocked }).await?;
        store.release(&[lease]).await?;
        // Who asked meanwhile has left a message, because the run was held.
        if is_cancel_requested(&**store, run).await? {
            self.cancel_with(run, &nowhere).await?;
        }
        Ok(())
    }

    /// Gives back a run that was claimed and cannot be taken up, which says why from now on.
    pub(super) async fn give_back(
        &self,
        lease: Lease,
        stored: &StoredRun,
        error: &ResumeError,
    ) -> Result<(), StoreError> {
        let Some(store) = self.store() else { return Ok(()) };
        if let Some(blocked) = blocked_by(stored, error) {
            self.append_one(&**store, lease, EventKind::RunBlocked { blocked }).await?;
        }
        store.release(&[lease]).await
    }

    /// Appends to a run that is not driven.
    async fn append_one(
        &self,
        store: &dyn Store,
        lease: Lease,
        kind: EventKind,
    ) -> Result<(), StoreError> {
        let run = lease.run;
        let stored = store.run(run).await?.ok_or(StoreError::NoRun { run })?;
        let event = Event::new(stored.events, self.0.time.time_of_day(), kind);
        store.append(&lease, &[event]).await
    }
}

/// What a run shows when it is refused with this error. A run that has not started is left for the
/// program that knows its workflow, and has the state that its jobs take.
fn blocked_by(stored: &StoredRun, error: &ResumeError) -> Option<Blocked> {
    match error {
        ResumeError::Lookup(_) | ResumeError::State(_) if stored.status != Status::Running => None,
        error => error.blocked(),
    }
}

fn no_store() -> StoreError {
    StoreError::Unusable(Box::new(ResumeError::NoStore))
}

/// Finds no workflow: the run is to be ended, not to go on.
fn nowhere(_: &WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError> {
    Err("the run is being cancelled".into())
}

/// The last events of a run that is cancelled without being driven.
fn ends(stored: &StoredRun, events: &[Event]) -> Vec<EventKind> {
    let mut started = BTreeMap::new();
    let mut ended = HashSet::new();
    let mut is_requested = false;
    for event in events {
        match &event.kind {
            EventKind::JobStarted { job, attempt, .. } => {
                started.insert(job.as_str(), *attempt);
            }
            EventKind::JobCompleted { job, .. }
            | EventKind::JobFailed { job, .. }
            | EventKind::JobSkipped { job, .. }
            | EventKind::JobCancelled { job, .. } => {
                started.remove(job.as_str());
                ended.insert(job.as_str());
            }
            EventKind::CancelRequested => is_requested = true,
            _ => {}
        }
    }
    let nodes = stored.workflow.graph["nodes"].as_array().into_iter().flatten();
    let jobs = nodes.filter_map(|node| node["id"].as_str());
    let open = jobs.filter(|job| !ended.contains(job) && !started.contains_key(job));
    let skipped = open.map(|job| EventKind::JobSkipped {
        job: job.to_owned(),
        reason: "the run was cancelled".to_owned(),
    });
    let cancelled = started.iter().map(|(job, attempt)| EventKind::JobCancelled {
        job: (*job).to_owned(),
        attempt: *attempt,
    });
    let request = (!is_requested).then_some(EventKind::CancelRequested);
    request.into_iter().chain(cancelled).chain(skipped).chain([EventKind::RunCancelled]).collect()
}
