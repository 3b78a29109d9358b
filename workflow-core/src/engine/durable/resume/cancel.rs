//! Cancels, blocks and unblocks runs that no engine drives. What it appends is decided here and not
//! by the scheduler, which knows active runs only.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::future::BoxFuture;

use super::Resolve;
use super::{ResumeError, RunHandle, is_cancel_requested, load_workflow};
use crate::engine::{Engine, LookupError};
use crate::event::{Blocked, Event, EventKind, Status};
use crate::id::RunId;
use crate::store::{
    Lease, MessageKind, Store, StoreError, StoredRun, WorkflowSnapshot, read_events,
};
use crate::workflow::Workflow;

/// The result of a request to cancel a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cancellation {
    /// The run was cancelled and has ended.
    Ended,
    /// This engine is ending the run. Jobs that always run, such as clean-up, may still run.
    Ending(RunHandle),
    /// Another engine holds the run's lease and was asked to cancel it. If that engine has died,
    /// the next engine that recovers the run cancels it.
    Requested,
}

/// How a run was released that this engine cannot resume.
pub(super) enum Released {
    /// Its record says why it is blocked.
    Blocked,
    /// Another program may have what it needs.
    ToOthers,
    /// It was cancelled, because that had been requested.
    Cancelled,
}

impl Engine {
    /// Cancels a stored run, whichever engine drives it.
    pub(crate) fn cancel_with<'a>(
        &'a self,
        run: RunId,
        find: &'a dyn Resolve,
    ) -> BoxFuture<'a, Result<Cancellation, StoreError>> {
        Box::pin(async move {
            let lease_renewer = self.0.lease_renewer.as_ref().ok_or_else(no_store)?;
            let store = lease_renewer.store();
            if let Some(active) = lease_renewer.find(run) {
                active.until_not_suspended().await;
                if !active.is_lost() {
                    active.cancel();
                    return Ok(Cancellation::Ending(RunHandle(active)));
                }
            }
            let stored = store.run(run).await?.ok_or(StoreError::NoRun { run })?;
            if stored.status.is_final() {
                return Err(StoreError::Ended { run, status: stored.status });
            }
            let leases = store.claim_without_limits(lease_renewer.owner(), &[run]).await?;
            let [lease] = leases[..] else {
                store.send(run, MessageKind::Cancel).await?;
                return Ok(Cancellation::Requested);
            };
            if let Ok(what) = load_workflow(&stored, find)
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

    /// Cancels a run that no program can resume, and the runs inside of it.
    async fn end_cancelled(
        &self,
        store: &dyn Store,
        lease: Lease,
        find: &dyn Resolve,
    ) -> Result<(), StoreError> {
        let run = lease.run;
        let stored = store.run(run).await?.ok_or(StoreError::NoRun { run })?;
        let events = read_events(store, run).await?;
        let at = self.0.time.time_of_day();
        let closing_events = closing_events(&stored, &events).into_iter();
        let closing_events: Vec<Event> = (events.len() as u64..)
            .zip(closing_events)
            .map(|(sequence, kind)| Event::new(sequence, at, kind))
            .collect();
        store.append(&lease, &closing_events).await?;
        for child in store.children(run).await? {
            match self.cancel_with(child, find).await {
                // The child may have ended by itself.
                Ok(_) | Err(StoreError::Ended { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Unblocks a [blocked](Blocked) run, so that engines may resume it. Earlier deaths of its
    /// process no longer count.
    ///
    /// # Errors
    ///
    /// Fails if the engine has no store, if the store has no such run, or if the run is not
    /// blocked.
    pub async fn unblock(&self, run: RunId) -> Result<(), StoreError> {
        let lease_renewer = self.0.lease_renewer.as_ref().ok_or_else(no_store)?;
        let store = lease_renewer.store();
        let stored = store.run(run).await?.ok_or(StoreError::NoRun { run })?;
        let leases = match stored.blocked {
            Some(_) => store.claim_without_limits(lease_renewer.owner(), &[run]).await?,
            None => Vec::new(),
        };
        let [lease] = leases[..] else { return Err(StoreError::NotBlocked { run }) };
        self.append_one(&**store, lease, EventKind::RunUnblocked).await?;
        store.release(&[lease]).await
    }

    /// Records why a run cannot be resumed, unless that is recorded already. Cancels the run
    /// instead if that was requested.
    pub(super) async fn refuse(
        &self,
        stored: &StoredRun,
        error: &ResumeError,
    ) -> Result<(), StoreError> {
        let Some(lease_renewer) = &self.0.lease_renewer else { return Ok(()) };
        if stored.blocked.is_some() || blocked_by(stored, error).is_none() {
            return Ok(());
        }
        let store = lease_renewer.store();
        let claimed = store.claim_without_limits(lease_renewer.owner(), &[stored.id]).await?;
        let [lease] = claimed[..] else { return Ok(()) };
        self.release_refused(lease, stored, error).await.map(drop)
    }

    /// Releases a run that was claimed and cannot be resumed, and records the reason. Cancels the
    /// run instead if that was requested.
    pub(super) async fn release_refused(
        &self,
        lease: Lease,
        stored: &StoredRun,
        error: &ResumeError,
    ) -> Result<Released, StoreError> {
        let Some(store) = self.store() else { return Ok(Released::ToOthers) };
        let (store, run) = (&**store, lease.run);
        let Some(blocked) = blocked_by(stored, error) else {
            store.release(&[lease]).await?;
            return Ok(Released::ToOthers);
        };
        if is_cancel_requested(store, run).await? {
            self.end_cancelled(store, lease, &no_workflow).await?;
            return Ok(Released::Cancelled);
        }
        if stored.blocked.is_none() {
            self.append_one(store, lease, EventKind::RunBlocked { blocked }).await?;
        }
        store.release(&[lease]).await?;
        // A request that came meanwhile has left a message, because the run was held.
        if is_cancel_requested(store, run).await? {
            self.cancel_with(run, &no_workflow).await?;
            return Ok(Released::Cancelled);
        }
        Ok(Released::Blocked)
    }

    /// Appends an event to a run that is not driven.
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

/// Returns the reason to record for this error. A run that has not started is left to a program
/// that has its workflow and the state of its jobs.
fn blocked_by(stored: &StoredRun, error: &ResumeError) -> Option<Blocked> {
    match error {
        ResumeError::Lookup(_) | ResumeError::State(_) if stored.status != Status::Running => None,
        error => error.blocked(),
    }
}

fn no_store() -> StoreError {
    StoreError::Unusable(Box::new(ResumeError::NoStore))
}

/// A resolver without workflows, to end a run instead of resuming it.
fn no_workflow(_: &WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError> {
    Err("the run is being cancelled".into())
}

/// Returns the closing events of a run that is cancelled without being driven.
fn closing_events(stored: &StoredRun, events: &[Event]) -> Vec<EventKind> {
    let mut started = BTreeMap::new();
    let mut ended = HashSet::new();
    let mut is_requested = false;
    for event in events {
        match (&event.kind, event.kind.job()) {
            (EventKind::JobStarted { attempt, .. }, Some(job)) => {
                started.insert(job, *attempt);
            }
            (kind, Some(job)) if kind.ends_job() => {
                started.remove(job);
                ended.insert(job);
            }
            (EventKind::CancelRequested { .. }, _) => is_requested = true,
            _ => {}
        }
    }
    let nodes = stored.workflow.graph["nodes"].as_array().into_iter().flatten();
    let jobs = nodes.filter_map(|node| node["id"].as_str());
    let unstarted = jobs.filter(|job| !ended.contains(job) && !started.contains_key(job));
    let skipped = unstarted.map(|job| EventKind::JobSkipped {
        job: job.to_owned(),
        reason: "the run was cancelled".to_owned(),
    });
    let cancelled = started.iter().map(|(job, attempt)| EventKind::JobCancelled {
        job: (*job).to_owned(),
        attempt: *attempt,
        error: None,
    });
    let request = (!is_requested).then_some(EventKind::CancelRequested { reason: None });
    request.into_iter().chain(cancelled).chain(skipped).chain([EventKind::RunCancelled]).collect()
}
