//! Persistence of runs: their inputs, events, owners and messages.

mod asset;
mod changes;
mod downstream;
mod error;
mod eviction;
mod file;
mod key;
mod lease;
mod limit;
mod memory;
mod queue;
mod record;
mod schedule;
mod signal;
mod task;
mod workers;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::event::{Event, EventKind};
use crate::id::RunId;

pub use asset::{
    ASSET_WORKFLOW, AssetStore, CheckResult, InputVersion, Materialization, MaterializationDetails,
    PartitionRange, SchemaField, StoredMaterialization, ValueFile,
};
pub use changes::QueueChanges;
pub use downstream::{DownstreamStore, StoredLink, Upstream, WorkflowLink};
pub use error::StoreError;
pub use eviction::{Asleep, EvictedRun, Eviction};
pub use file::{FileStore, HandledFile};
pub use key::{IdempotencyKeyError, KeyScope};
pub use lease::{HeldLeases, Lease, Owner, OwnerId};
pub use limit::LimitWait;
pub use memory::MemoryStore;
pub use queue::{
    ClaimRequest, ClaimedRun, DEFAULT_PREFIX, QueueTier, Queues, checked_queue_of, queue_of,
};
pub use record::{
    BeginOutcome, Message, MessageKind, NewRun, Parent, SharedBy, StoredRun, Trigger,
    WORKFLOW_FILE, WorkflowSnapshot,
};
pub use schedule::{
    ScheduleChange, ScheduleId, ScheduleState, ScheduleStore, ScheduledWorkflow, SkippedTime,
};
pub use signal::{MOST_UNREAD_SIGNALS, SignalError};
pub use task::{
    ClaimedTask, HeldTask, NewTask, StoredTask, TaskAnswer, TaskEnd, TaskError, TaskKey, TaskLease,
    TaskProgress, TaskStore,
};
pub use workers::{Backlog, ProgramWorkflows, StoredWorker, WorkerId, WorkerReport};

/// The number of runs or events that the default methods read at once.
const PAGE: usize = 1000;

/// A store for an engine: a [`Store`], or an `Arc` of one.
pub trait IntoStore {
    /// Converts into a shared store.
    fn into_store(self) -> Arc<dyn Store>;
}

impl<S: Store> IntoStore for S {
    fn into_store(self) -> Arc<dyn Store> {
        Arc::new(self)
    }
}

impl<S: Store> IntoStore for Arc<S> {
    fn into_store(self) -> Arc<dyn Store> {
        self
    }
}

impl IntoStore for Arc<dyn Store> {
    fn into_store(self) -> Arc<dyn Store> {
        self
    }
}

/// A store that persists runs. An engine appends each event before the event has an effect outside
/// of the run, and resumes runs from the store.
///
/// A running run has one owner, an engine with a [`Lease`]. The lease's token grows each time the
/// run changes owners, and the store rejects events under an older lease. An owner that does not
/// [renew](Store::renew) its leases in time counts as dead, and other engines may
/// [claim](Store::claim) its runs.
///
/// The futures of a store may be awaited on any executor, or on none.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Begins a run with its first events, all or nothing.
    ///
    /// If a run with the same idempotency key exists in the same [scope](NewRun::key_scope),
    /// returns that run and changes nothing. The [flow control](NewRun::flow_control) may have the
    /// request share a run, too, or refuse it.
    ///
    /// # Errors
    ///
    /// Fails when the run cannot be persisted, when a run with this ID exists already, and when the
    /// key belongs to a different run.
    async fn begin(&self, run: NewRun, events: Vec<Event>) -> Result<BeginOutcome, StoreError>;

    /// Appends events to a run, all or none. Their sequence numbers must follow those of the stored
    /// events. The events also update the run's status.
    ///
    /// # Errors
    ///
    /// Fails when the events cannot be persisted: with [`StoreError::LeaseLost`] when the run has
    /// another owner by now, and with [`StoreError::Gap`] when the sequence numbers do not follow.
    async fn append(&self, lease: &Lease, events: &[Event]) -> Result<(), StoreError>;

    /// Returns at most `limit` events of a run from sequence number `from` on, in order; empty if
    /// there is no such run.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn events(&self, run: RunId, from: u64, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// Returns at most `limit` events of a run of the kind [`EventKind::ValuePersisted`] from
    /// sequence number `from` on, in order; empty if there is no such run.
    ///
    /// The default reads all events from `from` on, which is slow for long runs.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn persisted(
        &self,
        run: RunId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let (mut found, mut from) = (Vec::new(), from);
        while found.len() < limit {
            let page = self.events(run, from, PAGE).await?;
            let Some(last) = page.last() else { break };
            from = last.sequence + 1;
            let persisted = |event: &Event| matches!(event.kind, EventKind::ValuePersisted { .. });
            found.extend(page.into_iter().filter(persisted));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Returns a run; `None` if there is no run with this ID.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn run(&self, run: RunId) -> Result<Option<StoredRun>, StoreError>;

    /// Returns at most `limit` abandoned runs after the run `after`, oldest first: runs that have
    /// not ended and whose owner is dead, or that have none, such as [evicted](Self::evict) runs.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn abandoned(
        &self,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<StoredRun>, StoreError>;

    /// Makes `owner` the owner of those of the runs that are abandoned and may be in progress by
    /// their [limits](NewRun::flow_control), and returns the leases.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed; then no run has changed owners.
    async fn claim(&self, owner: Owner, runs: &[RunId]) -> Result<Vec<Lease>, StoreError>;

    /// Claims runs like [`claim`](Self::claim), whatever their limits: to cancel, block or unblock
    /// them, not to run them.
    ///
    /// The default is for stores without limits.
    ///
    /// # Errors
    ///
    /// As [`claim`](Self::claim).
    async fn claim_without_limits(
        &self,
        owner: Owner,
        runs: &[RunId],
    ) -> Result<Vec<Lease>, StoreError> {
        self.claim(owner, runs).await
    }

    /// Whether the store enforces [limits](NewRun::flow_control) of runs. If it does not, engines
    /// refuse to begin runs with limits. Default: no.
    ///
    /// A run with limits [begins](Self::begin) without an owner and waits, also if one is given. A
    /// claim admits it if its limits allow that, and it stays admitted until it ends, whatever owner
    /// it has.
    fn enforces_limits(&self) -> bool {
        false
    }

    /// Returns the limit that a run waits for. `None` if it may begin, if it has begun, and if there
    /// is no such run.
    ///
    /// The default is for stores without limits.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn waits_for(&self, run: RunId) -> Result<Option<LimitWait>, StoreError> {
        let _ = run;
        Ok(None)
    }

    /// Returns the time until the next run may begin or continue of those that wait for a time,
    /// because of a rate limit, of debounce, or as an [evicted](Self::evict) run. `None` if no run
    /// does.
    ///
    /// The default is for stores without limits that cannot evict runs.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn next_due(&self) -> Result<Option<Duration>, StoreError> {
        Ok(None)
    }

    /// Claims runs that wait in task queues and may begin by their limits, in the order of their
    /// priorities, and oldest first among equals. Runs with a [fairness](crate::flow_control::Fairness)
    /// key take turns.
    ///
    /// A run waits in its task queue while it is abandoned, except for [stranded](Self::stranded)
    /// and [evicted](Self::evict) runs.
    ///
    /// The default reads all abandoned runs, which is slow where many wait.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed; then no run has changed owners.
    async fn claim_next(
        &self,
        owner: Owner,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedRun>, StoreError> {
        let mut waiting = queued(self).await?;
        waiting.retain(|run| request.wants(run));
        let mut waiting: Vec<_> = waiting.into_iter().map(|run| (0, run)).collect();
        request.sort(&mut waiting);
        let mut claimed = Vec::new();
        let mut waiting = waiting.into_iter().map(|(_, run)| run);
        // Others may have claimed some of them meanwhile.
        while claimed.len() < request.limit {
            let next: Vec<_> = waiting.by_ref().take(request.limit - claimed.len()).collect();
            if next.is_empty() {
                break;
            }
            let ids: Vec<RunId> = next.iter().map(|run| run.id).collect();
            let mut leases: HashMap<RunId, Lease> = self
                .claim(owner, &ids)
                .await?
                .into_iter()
                .map(|lease| (lease.run, lease))
                .collect();
            claimed.extend(next.into_iter().filter_map(|run| {
                let lease = leases.remove(&run.id)?;
                Some(ClaimedRun { lease, run })
            }));
        }
        Ok(claimed)
    }

    /// Returns at most `limit` stranded runs after the run `after`, oldest first: abandoned runs
    /// that wait in no task queue, because they are [blocked](StoredRun::blocked), or because they
    /// are child runs, which the engine of the outer run resumes.
    ///
    /// The default reads all abandoned runs, which is slow where many wait.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn stranded(
        &self,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let (mut stranded, mut after) = (Vec::new(), after);
        while stranded.len() < limit {
            let page = self.abandoned(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            stranded.extend(page.into_iter().filter(|run| !run.is_queued()));
        }
        stranded.truncate(limit);
        Ok(stranded)
    }

    /// Returns a stream with an item each time that runs may have been added to task queues, or that
    /// something has changed in the [tasks](TaskStore), by any process. Several additions may be one item. A worker that waits reads it to claim a run at
    /// once; it also looks at intervals, so a store may miss additions, or announce too many.
    ///
    /// The default is a stream without items.
    fn queue_changes(&self) -> BoxStream<'static, ()> {
        Box::pin(futures::stream::pending())
    }

    /// Returns the task queues in which runs wait, by name.
    ///
    /// The default reads all abandoned runs, which is slow where many wait.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        Ok(workers::count(queued(self).await?, []))
    }

    /// Records a heartbeat of a worker.
    ///
    /// The default does nothing: the store does not know the workers.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn report_worker(&self, report: &WorkerReport) -> Result<(), StoreError> {
        let _ = report;
        Ok(())
    }

    /// Forgets a worker that has stopped.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn forget_worker(&self, worker: WorkerId) -> Result<(), StoreError> {
        let _ = worker;
        Ok(())
    }

    /// Returns the workers that are alive, and those that died within the last hour, oldest first.
    /// `None` if the store does not know the workers, which is the default.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn workers(&self) -> Result<Option<Vec<StoredWorker>>, StoreError> {
        Ok(None)
    }

    /// Returns the part of the store that hands attempts of jobs to the workers of their task queues.
    /// `None` if it does not, which is the default: an engine then makes all attempts of its runs
    /// itself.
    fn task_store(&self) -> Option<&dyn TaskStore> {
        None
    }

    /// Returns the part of the store that keeps the state of schedules. `None` if it does not, which
    /// is the default: schedulers then keep it in memory, and schedules cannot be paused.
    fn schedule_store(&self) -> Option<&dyn ScheduleStore> {
        None
    }

    /// Returns the part of the store that keeps the records of assets. `None` if it does not, which
    /// is the default: assets cannot be made then.
    fn asset_store(&self) -> Option<&dyn AssetStore> {
        None
    }

    /// Returns the part of the store that remembers for which files runs were started. `None` if it does
    /// not, which is the default: files that arrive start no runs then.
    fn file_store(&self) -> Option<&dyn FileStore> {
        None
    }

    /// Returns the part of the store that collects ended runs for downstream workflows. `None` if it
    /// does not, which is the default: the end of a run then starts no other.
    fn downstream_store(&self) -> Option<&dyn DownstreamStore> {
        None
    }

    /// Releases leases, so that other engines can claim the runs at once. Lost leases are ignored.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError>;

    /// Whether the store can [evict](Self::evict) runs. If it cannot, workers refuse to bound the
    /// waiting runs that they keep in memory. Default: no.
    fn evicts(&self) -> bool {
        false
    }

    /// Releases the leases of waiting runs, and returns those that were evicted. An evicted run
    /// waits in no task queue and is not [stranded](Self::stranded). It is put into its task queue,
    /// at the head of the runs of its priority, once its time has come, a message for it or for one
    /// of its child runs is [sent](Self::send), or a child run ends that was [claimed](Self::claim)
    /// alone.
    ///
    /// Of each eviction, all runs are evicted or none. None is if a lease was lost, or if the store
    /// has another number of messages for a run than its engine has received.
    ///
    /// The default evicts nothing.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed; then no run was evicted.
    async fn evict(&self, evictions: &[Eviction]) -> Result<Vec<RunId>, StoreError> {
        let _ = evictions;
        Ok(Vec::new())
    }

    /// Returns how an evicted run waits. `None` if it was not evicted, or was put back into its task
    /// queue, or claimed.
    ///
    /// The default is for stores that cannot evict runs.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn asleep(&self, run: RunId) -> Result<Option<Asleep>, StoreError> {
        let _ = run;
        Ok(None)
    }

    /// Renews the owner's leases, and returns those that it has lost.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn renew(&self, owner: Owner, leases: &[Lease]) -> Result<Vec<Lease>, StoreError>;

    /// Returns how many unfinished runs have a live owner, and when the last of their leases
    /// expires if it is not renewed.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn held(&self) -> Result<HeldLeases, StoreError>;

    /// Returns the unfinished child runs of this run, oldest first.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn children(&self, run: RunId) -> Result<Vec<RunId>, StoreError>;

    /// Sends a message to a run, whichever engine owns it, and returns the message's number, which
    /// is larger than those of all earlier messages.
    ///
    /// # Errors
    ///
    /// Fails when there is no such run, when it has ended, when the name of the signal is
    /// [invalid](MessageKind::check), when [`MOST_UNREAD_SIGNALS`] of the run were not received yet, or
    /// when the message cannot be persisted.
    async fn send(&self, run: RunId, message: MessageKind) -> Result<u64, StoreError>;

    /// Returns the messages with a number above `after` for runs of this owner, in order. A message
    /// must not appear after one with a larger number was returned.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn inbox(&self, owner: OwnerId, after: u64) -> Result<Vec<Message>, StoreError>;

    /// Returns all messages for a run, in order.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn messages(&self, run: RunId) -> Result<Vec<Message>, StoreError>;
}

/// Calls a function with each event of a run, in order.
///
/// # Errors
///
/// Fails when the store cannot be read.
pub async fn for_each_event<S: Store + ?Sized>(
    store: &S,
    run: RunId,
    mut handle: impl FnMut(Event),
) -> Result<(), StoreError> {
    let mut from = 0;
    loop {
        let page = store.events(run, from, PAGE).await?;
        from += page.len() as u64;
        let is_last = page.len() < PAGE;
        page.into_iter().for_each(&mut handle);
        if is_last {
            return Ok(());
        }
    }
}

/// Returns all events of a run, in order.
///
/// # Errors
///
/// Fails when the store cannot be read.
pub async fn read_events<S: Store + ?Sized>(
    store: &S,
    run: RunId,
) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    for_each_event(store, run, |event| events.push(event)).await?;
    Ok(events)
}

/// Returns all runs that wait in task queues.
async fn queued<S: Store + ?Sized>(store: &S) -> Result<Vec<StoredRun>, StoreError> {
    let (mut waiting, mut after) = (Vec::new(), None);
    loop {
        let page = store.abandoned(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(waiting) };
        after = Some(last.id);
        waiting.extend(page.into_iter().filter(StoredRun::is_queued));
    }
}
