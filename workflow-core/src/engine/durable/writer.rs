//! Brings the events of a run to the engine's store, before anything can come of them.

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

/// What has been brought to the store, what became of it, and what waits for it.
pub(in crate::engine) struct Recorder {
    store: Arc<dyn Store>,
    place: Place,
    /// How many events the store has.
    persisted: usize,
    /// A batch is on its way.
    busy: bool,
    /// The batch waits to be offered again.
    rests: bool,
    pub(in crate::engine) failed: Option<Arc<StoreError>>,
    /// What may go on once the store has this many events.
    held: VecDeque<(usize, Held)>,
    /// Attempts that were held, and may begin.
    pub(in crate::engine) released: VecDeque<(u32, u32)>,
    /// Attempts of jobs whose condition held before they were held.
    pub(in crate::engine) judged: SparseMap<u32, u32>,
    /// Attempts begin once the store has their beginnings: the process has died before, and if it
    /// dies again, it is known what was in flight.
    starts_first: bool,
}

/// Where the store has the run.
enum Place {
    /// Nowhere yet: the first batch begins it.
    New(Arc<NewRun>),
    Begun(Lease),
}

/// What would come of events that the store does not have yet.
pub(in crate::engine) enum Held {
    /// The attempt of a job begins.
    Launch { job: u32, attempt: u32 },
    /// A function learns what became of a job that it asked for.
    Tell(oneshot::Sender<Result<(), JobError>>, Result<(), JobError>),
    /// A job learns of a signal.
    Signal(oneshot::Sender<Json>, Json),
}

/// A batch that the store cannot take is offered again after this, then after twice the time, and
/// so on.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long the first batch is offered. Nothing has been done yet, and somebody waits for the
/// run to begin.
const PATIENCE_AT_BEGIN: Duration = Duration::from_secs(1);

impl Recorder {
    /// Of a run that begins.
    pub(in crate::engine) fn new(store: Arc<dyn Store>, run: NewRun) -> Box<Self> {
        Self::at(store, Place::New(Arc::new(run)), 0, false)
    }

    /// Of a run of which the store has this many events.
    pub(in crate::engine) fn resumed(
        store: Arc<dyn Store>,
        lease: Lease,
        persisted: usize,
        after_crash: bool,
    ) -> Box<Self> {
        Self::at(store, Place::Begun(lease), persisted, after_crash)
    }

    /// Boxed, because most runs have none: their state stays small.
    fn at(store: Arc<dyn Store>, place: Place, persisted: usize, starts_first: bool) -> Box<Self> {
        let (held, released) = (VecDeque::new(), VecDeque::new());
        let judged = SparseMap::new();
        Box::new(Self {
            store,
            place,
            persisted: persisted,
            busy: false,
            rests: false,
            failed: None,
            held,
            released,
            judged,
            starts_first,
        })
    }

    /// The lease under which the store has the run, once it has it.
    pub(in crate::engine) fn lease(&self) -> Option<Lease> {
        match self.place {
            Place::New(_) => None,
            Place::Begun(lease) => Some(lease),
        }
    }

    /// Attempts that have not begun, because the store does not have what led to them, or because
    /// nobody has begun them since.
    pub(in crate::engine) fn unbegun(&self) -> impl Iterator<Item = u32> {
        let held = self.held.iter().filter_map(|(_, held)| match held {
            Held::Launch { job, .. } => Some(*job),
            _ => None,
        });
        held.chain(self.released.iter().map(|(job, _)| *job))
    }

    /// Whether anything waits for the store.
    pub(in crate::engine) fn holds_back(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether the attempt has not begun, because the store does not have what led to it.
    pub(in crate::engine) fn holds(&self, job: u32, attempt: u32) -> bool {
        let this = |held: &Held| matches!(held, Held::Launch { job: of, attempt: number } if (*of, *number) == (job, attempt));
        self.held.iter().any(|(_, held)| this(held)) || self.released.contains(&(job, attempt))
    }
}

impl RunState {
    /// Whether an attempt may begin before the store has its beginning.
    pub(in crate::engine) fn may_begin_unrecorded(&self, run: &ActiveRun) -> bool {
        run.engine.lease_renewer.as_ref().is_none_or(LeaseRenewer::is_certain)
            && self.recorder.as_ref().is_none_or(|recorder| !recorder.starts_first)
    }

    /// How many events may be seen.
    pub(in crate::engine) fn visible(&self) -> usize {
        self.recorder.as_ref().map_or(self.log.entries.len(), |recorder| recorder.persisted)
    }

    /// Whether nothing is left to be brought to the store.
    pub(in crate::engine) fn is_recorded(&self) -> bool {
        self.recorder.as_ref().is_none_or(|recorder| {
            recorder.failed.is_some() || recorder.persisted == self.log.entries.len()
        })
    }

    /// Keeps something back until the store has all events up to now. Gives it back at once when
    /// there is nothing to wait for.
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

    /// Whether the store is at work on a batch.
    pub(in crate::engine) fn is_recording(&self) -> bool {
        self.recorder.as_ref().is_some_and(|recorder| recorder.busy && !recorder.rests)
    }

    /// Sends what has happened since the last batch on its way.
    pub(in crate::engine) fn record(&mut self, run: &Arc<ActiveRun>) {
        let until = self.log.entries.len();
        let Some(recorder) = &self.recorder else { return };
        if recorder.busy || recorder.failed.is_some() || recorder.persisted == until {
            return;
        }
        let lookup = self.lookup(run);
        let events = (recorder.persisted..until).filter_map(|index| self.log.event(index, &lookup));
        let batch = Batch {
            begins: match &recorder.place {
                Place::New(new) => Ok(Arc::clone(new)),
                Place::Begun(lease) => Err(*lease),
            },
            events: events.collect(),
        };
        let appended = offer(Arc::clone(run), Arc::clone(&recorder.store), batch);
        let work = Work::Record { appended, until };
        self.woken.push_back(Task::queued(Arc::downgrade(run), work));
        if let Some(recorder) = &mut self.recorder {
            recorder.busy = true;
        }
    }

    /// The store has answered.
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
                    run.hold_on(lease);
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

    /// The store does not keep the run any more: what it does is of no use.
    pub(in crate::engine) fn lost(&mut self, error: StoreError) {
        if let Some(recorder) = &mut self.recorder
            && recorder.failed.is_none()
        {
            recorder.failed = Some(Arc::new(error));
            self.scheduler.cancel(Cause::Cancelled);
        }
    }

    /// Whether the store does not keep the run any more: nothing may begin in it.
    pub(in crate::engine) fn is_lost(&self) -> bool {
        self.recorder.as_ref().is_some_and(|recorder| recorder.failed.is_some())
    }

    /// Lets go on what waited for events that the store has now. In a run that is lost, nothing
    /// learns of what the store does not have.
    pub(in crate::engine) fn release(&mut self, deferred: &mut Deferred) {
        let Some(recorder) = &mut self.recorder else { return };
        let lost = recorder.failed.is_some();
        while recorder.held.front().is_some_and(|(at, _)| lost || *at <= recorder.persisted)
            && let Some((_, held)) = recorder.held.pop_front()
        {
            match held {
                // Those of a run that is lost are refused when their turn comes.
                Held::Launch { job, attempt } => recorder.released.push_back((job, attempt)),
                Held::Tell(waiter, result) if lost => {
                    deferred.hosts.extend(result.err().map(HostOwned::Error));
                    deferred.tell.push((waiter, Err(gone())));
                }
                Held::Signal(receiver, _) if lost => deferred.hang_up.push(receiver),
                Held::Tell(waiter, result) => deferred.tell.push((waiter, result)),
                Held::Signal(receiver, payload) => deferred.signal.push((receiver, payload)),
            }
        }
    }
}

fn gone() -> JobError {
    JobError::of_kind(JobErrorKind::Cancelled, "the store does not keep the run any more")
}

impl ActiveRun {
    /// The batch that is on its way waits to be offered again, or does not.
    fn set_store_rests(&self, rests: bool) {
        if let Some(recorder) = &mut self.lock().recorder {
            recorder.rests = rests;
        }
    }
}

/// What is brought to the store at once.
struct Batch {
    /// With what the run begins, or under which lease it goes on.
    begins: Result<Arc<NewRun>, Lease>,
    events: Vec<Event>,
}

impl Batch {
    async fn bring(&self, store: &dyn Store) -> Result<Lease, StoreError> {
        let new = match &self.begins {
            Ok(new) => new,
            Err(lease) => return store.append(lease, &self.events).await.map(|()| *lease),
        };
        match store.begin((**new).clone(), self.events.clone()).await? {
            BeginOutcome::New(Some(lease)) => Ok(lease),
            BeginOutcome::New(None) => Err(StoreError::LeaseLost { run: new.id }),
            BeginOutcome::Existing(run) => Err(StoreError::Exists { run: run.id }),
        }
    }
}

/// Brings a batch to the store; one that is out of reach is asked again until patience ends.
fn offer(
    run: Arc<ActiveRun>,
    store: Arc<dyn Store>,
    batch: Batch,
) -> BoxFuture<'static, Result<Lease, StoreError>> {
    Box::pin(async move {
        let mut wait = FIRST_WAIT;
        let mut patience =
            if batch.begins.is_ok() { PATIENCE_AT_BEGIN } else { run.engine.store_timeout };
        let mut is_told = false;
        loop {
            match batch.bring(&*store).await {
                Err(StoreError::Unavailable(error)) if patience > Duration::ZERO => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(parent: &run.span, %error, "the store is out of reach; trying again");
                    }
                }
                settled => return settled,
            }
            let waited = wait.min(patience);
            run.set_store_rests(true);
            run.sleep(waited).await;
            run.set_store_rests(false);
            patience -= waited;
            wait = LONGEST_WAIT.min(wait * 2);
        }
    })
}
