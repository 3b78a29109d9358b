//! Writes the events of a run to the engine's store, in batches, and holds back their consequences
//! until the store has them. Does not know what the events mean.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::BoxFuture;
use serde_json::Value as Json;

use super::lease_renewer::LeaseRenewer;
use crate::engine::active::ActiveRun;
use crate::engine::state::{Deferred, HostOwned, RunState};
use crate::engine::worker::task::{Task, Work};
use crate::event::Event;
use crate::job::{JobError, JobErrorKind};
use crate::scheduler::Cause;
use crate::sparse_map::SparseMap;
use crate::store::{BeginOutcome, Lease, NewRun, Store, StoreError};

/// The state of a run's record: what the store has, the batch that is being written, and what waits
/// for it.
pub(in crate::engine) struct Recorder {
    store: Arc<dyn Store>,
    place: Place,
    /// The number of events that the store has.
    persisted: usize,
    /// Whether a batch is being written.
    busy: bool,
    /// Whether the batch waits for a retry.
    retry_pending: bool,
    pub(in crate::engine) failed: Option<Arc<StoreError>>,
    /// Consequences that may follow once the store has this many events.
    held: VecDeque<(usize, Held)>,
    /// Attempts that were held back and may start now.
    pub(in crate::engine) released: VecDeque<(u32, u32)>,
    /// Attempts that were held back after their condition held.
    pub(in crate::engine) condition_held: SparseMap<u32, u32>,
    /// Whether attempts start only once the store has their start. Set after a crash, so that a
    /// second crash shows which jobs were in flight.
    records_starts_first: bool,
}

/// Whether the store has the run.
enum Place {
    /// Not yet: the first batch creates it.
    New(Arc<NewRun>),
    Begun(Lease),
}

/// A consequence of events that the store does not have yet.
pub(in crate::engine) enum Held {
    /// An attempt of a job starts.
    Launch { job: u32, attempt: u32 },
    /// A function gets the result of a job that it called.
    Tell(oneshot::Sender<Result<(), JobError>>, Result<(), JobError>),
    /// A job gets a signal.
    Signal(oneshot::Sender<Json>, Json),
}

/// The delay before the first retry of a batch. It doubles with each retry.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The timeout of the first batch. Nothing has happened yet, and somebody waits for the run to
/// start.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(1);

impl Recorder {
    /// The record of a new run.
    pub(in crate::engine) fn new(store: Arc<dyn Store>, run: Arc<NewRun>) -> Box<Self> {
        Self::at(store, Place::New(run), 0, false)
    }

    /// The record of a run of which the store has this many events.
    pub(in crate::engine) fn resumed(
        store: Arc<dyn Store>,
        lease: Lease,
        persisted: usize,
        after_crash: bool,
    ) -> Box<Self> {
        Self::at(store, Place::Begun(lease), persisted, after_crash)
    }

    /// Boxed to keep the state of runs without a store small.
    fn at(
        store: Arc<dyn Store>,
        place: Place,
        persisted: usize,
        records_starts_first: bool,
    ) -> Box<Self> {
        let (held, released) = (VecDeque::new(), VecDeque::new());
        let condition_held = SparseMap::new();
        Box::new(Self {
            store,
            place,
            persisted,
            busy: false,
            retry_pending: false,
            failed: None,
            held,
            released,
            condition_held,
            records_starts_first,
        })
    }

    /// The lease of the run, once the store has the run.
    pub(in crate::engine) fn lease(&self) -> Option<Lease> {
        match self.place {
            Place::New(_) => None,
            Place::Begun(lease) => Some(lease),
        }
    }

    /// Whether the run is new and may have to wait for its limits.
    pub(in crate::engine) fn has_limits(&self) -> bool {
        matches!(&self.place, Place::New(run) if run.flow_control.has_limits())
    }

    /// Whether the store has this many events, and nothing waits for it.
    pub(in crate::engine) fn is_settled(&self, events: usize) -> bool {
        self.persisted == events
            && !self.busy
            && self.failed.is_none()
            && self.held.is_empty()
            && self.released.is_empty()
    }

    /// Jobs whose attempt has not started: it waits for the store, or for a worker after that.
    pub(in crate::engine) fn unstarted(&self) -> impl Iterator<Item = u32> {
        let held = self.held.iter().filter_map(|(_, held)| match held {
            Held::Launch { job, .. } => Some(*job),
            _ => None,
        });
        held.chain(self.released.iter().map(|(job, _)| *job))
    }

    /// Whether a consequence waits for the store.
    pub(in crate::engine) fn holds_back(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether the attempt has not started because it was held back.
    pub(in crate::engine) fn holds(&self, job: u32, attempt: u32) -> bool {
        let this = |held: &Held| matches!(held, Held::Launch { job: of, attempt: number } if (*of, *number) == (job, attempt));
        self.held.iter().any(|(_, held)| this(held)) || self.released.contains(&(job, attempt))
    }
}

impl RunState {
    /// Whether an attempt may start before the store has its start.
    pub(in crate::engine) fn may_begin_unrecorded(&self, run: &ActiveRun) -> bool {
        run.engine.lease_renewer.as_ref().is_none_or(LeaseRenewer::is_lease_valid)
            && self.recorder.as_ref().is_none_or(|recorder| !recorder.records_starts_first)
    }

    /// The number of events that subscribers may see.
    pub(in crate::engine) fn visible(&self) -> usize {
        self.recorder.as_ref().map_or(self.log.entries.len(), |recorder| recorder.persisted)
    }

    /// Whether the store has all events, or accepts no more.
    pub(in crate::engine) fn is_recorded(&self) -> bool {
        self.recorder.as_ref().is_none_or(|recorder| {
            recorder.failed.is_some() || recorder.persisted == self.log.entries.len()
        })
    }

    /// Holds back a consequence until the store has all current events. Returns it if there is
    /// nothing to wait for.
    pub(in crate::engine) fn hold(&mut self, held: Held) -> Option<Held> {
        let until = self.log.entries.len();
        match &mut self.recorder {
            Some(recorder) if recorder.persisted < until && recorder.failed.is_none() => {
                recorder.held.push_back((until, held));
                None
            }
            _ => Some(held),
        }
    }

    /// Whether the store is working on a batch.
    pub(in crate::engine) fn is_recording(&self) -> bool {
        self.recorder.as_ref().is_some_and(|recorder| recorder.busy && !recorder.retry_pending)
    }

    /// Starts to write the events since the last batch.
    pub(in crate::engine) fn record(&mut self, run: &Arc<ActiveRun>) {
        let until = self.log.entries.len();
        let Some(recorder) = &self.recorder else { return };
        if recorder.busy || recorder.failed.is_some() || recorder.persisted == until {
            return;
        }
        let lookup = self.lookup();
        let events = (recorder.persisted..until).filter_map(|index| self.log.event(index, &lookup));
        let batch = Batch {
            begins: match &recorder.place {
                Place::New(new) => Ok(Arc::clone(new)),
                Place::Begun(lease) => Err(*lease),
            },
            events: events.collect(),
        };
        let appended = write_with_retry(Arc::clone(run), Arc::clone(&recorder.store), batch);
        let work = Work::Record { appended, until };
        self.woken.push_back(Task::queued(Arc::downgrade(run), work));
        if let Some(recorder) = &mut self.recorder {
            recorder.busy = true;
        }
    }

    /// Handles the answer of the store.
    pub(in crate::engine) fn recorded(
        &mut self,
        run: &Arc<ActiveRun>,
        until: usize,
        result: Result<Lease, StoreError>,
        deferred: &mut Deferred,
    ) {
        let Some(recorder) = &mut self.recorder else { return };
        recorder.busy = false;
        match result {
            Ok(lease) => {
                if let Place::New(_) = recorder.place {
                    run.hold_lease(lease);
                }
                recorder.place = Place::Begun(lease);
                recorder.persisted = until;
            }
            Err(error) => self.lost(error),
        }
        self.release(deferred);
        self.record(run);
        if self.scheduler.is_finished() && self.is_recorded() {
            deferred.finished = true;
        }
    }

    /// Marks the run as lost and cancels it: the store does not accept its events any more.
    pub(in crate::engine) fn lost(&mut self, error: StoreError) {
        if let Some(recorder) = &mut self.recorder
            && recorder.failed.is_none()
        {
            recorder.failed = Some(Arc::new(error));
            self.scheduler.cancel(Cause::Cancelled);
        }
    }

    /// Whether the run is lost, so that nothing may start in it.
    pub(in crate::engine) fn is_lost(&self) -> bool {
        self.recorder.as_ref().is_some_and(|recorder| recorder.failed.is_some())
    }

    /// Releases the consequences of events that the store has now. In a lost run, nobody sees
    /// events that the store does not have.
    pub(in crate::engine) fn release(&mut self, deferred: &mut Deferred) {
        let Some(recorder) = &mut self.recorder else { return };
        let lost = recorder.failed.is_some();
        while recorder.held.front().is_some_and(|(at, _)| lost || *at <= recorder.persisted)
            && let Some((_, held)) = recorder.held.pop_front()
        {
            match held {
                // In a lost run, they are refused when their turn comes.
                Held::Launch { job, attempt } => recorder.released.push_back((job, attempt)),
                Held::Tell(waiter, result) if lost => {
                    deferred.host_owned.extend(result.err().map(HostOwned::Error));
                    deferred.results.push((waiter, Err(store_lost())));
                }
                Held::Signal(receiver, _) if lost => deferred.unanswered.push(receiver),
                Held::Tell(waiter, result) => deferred.results.push((waiter, result)),
                Held::Signal(receiver, payload) => deferred.signal.push((receiver, payload)),
            }
        }
    }
}

fn store_lost() -> JobError {
    JobError::of_kind(
        JobErrorKind::Cancelled,
        "the store does not accept events of the run any more",
    )
}

impl ActiveRun {
    /// Sets whether the current batch waits for a retry.
    fn set_retry_pending(&self, retry_pending: bool) {
        if let Some(recorder) = &mut self.lock().recorder {
            recorder.retry_pending = retry_pending;
        }
    }
}

/// Events that are written to the store at once.
struct Batch {
    /// The record of a new run, or the lease of a run that the store has.
    begins: Result<Arc<NewRun>, Lease>,
    events: Vec<Event>,
}

impl Batch {
    async fn write(&self, store: &dyn Store) -> Result<Lease, StoreError> {
        let new = match &self.begins {
            Ok(new) => new,
            Err(lease) => return store.append(lease, &self.events).await.map(|()| *lease),
        };
        let has_limits = new.flow_control.has_limits();
        let events = match has_limits {
            true => new.first_events(&self.events),
            false => self.events.clone(),
        };
        match store.begin((**new).clone(), events).await? {
            BeginOutcome::New(Some(lease)) => Ok(lease),
            BeginOutcome::New(None) if has_limits => Err(StoreError::Waits { run: new.id }),
            BeginOutcome::Cancelled => Err(StoreError::Waits { run: new.id }),
            BeginOutcome::New(None) => Err(StoreError::LeaseLost { run: new.id }),
            BeginOutcome::Existing(run, by) => Err(StoreError::Shared { run: run.id, by }),
        }
    }
}

/// Writes a batch to the store. Retries while the store is unreachable, until the timeout.
fn write_with_retry(
    run: Arc<ActiveRun>,
    store: Arc<dyn Store>,
    batch: Batch,
) -> BoxFuture<'static, Result<Lease, StoreError>> {
    Box::pin(async move {
        let mut wait = FIRST_WAIT;
        let mut timeout =
            if batch.begins.is_ok() { BEGIN_TIMEOUT } else { run.engine.store_timeout };
        let mut is_logged = false;
        loop {
            match batch.write(&*store).await {
                Err(StoreError::Unavailable(error)) if timeout > Duration::ZERO => {
                    if !std::mem::replace(&mut is_logged, true) {
                        tracing::warn!(parent: &run.span, %error, "the store is unreachable; retrying");
                    }
                }
                settled => return settled,
            }
            let waited = wait.min(timeout);
            run.set_retry_pending(true);
            run.sleep(waited).await;
            run.set_retry_pending(false);
            timeout -= waited;
            wait = LONGEST_WAIT.min(wait * 2);
        }
    })
}
