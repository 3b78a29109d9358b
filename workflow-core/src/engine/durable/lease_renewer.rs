//! Renews the leases of the runs and tasks of an engine, and receives messages to them.
//!
//! One thread for each engine with a store, from its first run or task on. It does not know what the
//! runs do with a message or a lost lease.

mod lease_validity;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::Stream as _;
use futures::stream::BoxStream;

use crate::engine::active::ActiveRun;
use crate::engine::tasks::{Board, Output};
use crate::guard;
use crate::id::RunId;
use crate::job::Services as _;
use crate::store::{Lease, Owner, OwnerId, Store, StoreError};
use lease_validity::{LeaseValidity, Moment};

/// The longest time between two rounds. Short leases use a fifth of their lifetime, down to the
/// shortest.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

/// The shortest time between two rounds when something changes in the store.
const COALESCED: Duration = Duration::from_millis(1);

/// The longest lease. With a longer one, no run starts.
pub(in crate::engine) const LONGEST_LEASE: Duration = Duration::from_secs(365 * 24 * 3600);

/// The leases of an engine, and the thread that renews them.
pub(in crate::engine) struct LeaseRenewer(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    owner: Owner,
    /// As configured, even if it is too long.
    lease: Duration,
    watch: Mutex<Watch>,
    condvar: Condvar,
    validity: LeaseValidity,
    board: Board,
}

#[derive(Default)]
struct Watch {
    runs: HashMap<RunId, Watched>,
    /// Whether the thread is running.
    started: bool,
    /// Whether the engine was dropped.
    over: bool,
    /// Whether something has changed for the tasks since the last round.
    woken: bool,
    /// The number of the latest message that was received.
    last_message: u64,
}

struct Watched {
    /// `None` until the store has the run.
    lease: Option<Lease>,
    run: Weak<ActiveRun>,
}

impl LeaseRenewer {
    pub(in crate::engine) fn new(store: Arc<dyn Store>, lease: Duration) -> Self {
        // The rest is the time for others to take over.
        let lifetime = lease.min(LONGEST_LEASE) * 9 / 10;
        let owner = Owner { id: OwnerId::random(), lifetime };
        let (watch, condvar) = (Mutex::default(), Condvar::new());
        let validity = LeaseValidity::default();
        let board = Board::default();
        let inner = Arc::new(Inner { store, owner, lease, watch, condvar, validity, board });
        inner.board.set_waker(&Waker::from(Arc::new(TasksChanged(Arc::downgrade(&inner)))));
        Self(inner)
    }

    pub(in crate::engine) fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The time within which other engines take over the runs of a dead one.
    pub(in crate::engine) fn lease(&self) -> Duration {
        self.0.lease
    }

    pub(in crate::engine) fn owner(&self) -> Owner {
        self.0.owner
    }

    /// The tasks that the runs wait for, and those that the engine makes for others.
    pub(in crate::engine) fn board(&self) -> &Board {
        &self.0.board
    }

    /// The lease of a run that the engine drives.
    pub(in crate::engine) fn lease_of(&self, run: RunId) -> Option<Lease> {
        self.0.lock().runs.get(&run)?.lease
    }

    /// Registers a run before the store has it, because messages may arrive from then on.
    pub(in crate::engine) fn expect(&self, run: RunId, active: Weak<ActiveRun>) {
        self.watch(run, Watched { lease: None, run: active });
    }

    /// Registers a run with its lease.
    pub(in crate::engine) fn hold(&self, lease: Lease, run: Weak<ActiveRun>) {
        self.watch(lease.run, Watched { lease: Some(lease), run });
    }

    fn watch(&self, run: RunId, watched: Watched) {
        let mut watch = self.0.lock();
        let was_idle = watch.runs.is_empty();
        watch.runs.insert(run, watched);
        self.0.start(&mut watch);
        drop(watch);
        if was_idle {
            self.0.condvar.notify_one();
        }
    }

    /// Removes a run that has ended, unless the entry is a later resume of the same run.
    pub(in crate::engine) fn remove(&self, run: RunId, active: &Weak<ActiveRun>) {
        let mut watch = self.0.lock();
        if watch.runs.get(&run).is_some_and(|watched| watched.run.ptr_eq(active)) {
            watch.runs.remove(&run);
        }
    }

    /// Whether it is certain that no other engine has taken over runs of this one.
    pub(in crate::engine) fn is_lease_valid(&self) -> bool {
        self.0.validity.holds()
    }

    /// The runs that the engine drives.
    pub(in crate::engine) fn runs(&self) -> Vec<Arc<ActiveRun>> {
        self.0.lock().runs.values().filter_map(|watched| watched.run.upgrade()).collect()
    }

    /// The number of leases that the engine holds.
    pub(in crate::engine) fn held(&self) -> usize {
        self.0.lock().runs.values().filter(|watched| watched.lease.is_some()).count()
    }

    /// The active run with this id, if the engine drives it.
    pub(in crate::engine) fn find(&self, run: RunId) -> Option<Arc<ActiveRun>> {
        self.0.lock().runs.get(&run)?.run.upgrade()
    }
}

impl Drop for LeaseRenewer {
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.condvar.notify_one();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread, unless it runs.
    fn start(self: &Arc<Self>, watch: &mut Watch) {
        if watch.started {
            return;
        }
        let inner = Arc::clone(self);
        let thread = std::thread::Builder::new().name("workflow-leases".to_owned());
        match thread.spawn(move || inner.renew_until_closed()) {
            Ok(_) => watch.started = true,
            Err(error) => tracing::error!(%error, "cannot start the thread that renews leases"),
        }
    }

    /// The loop of the thread.
    fn renew_until_closed(self: &Arc<Self>) {
        let mut renewed = None;
        let (mut no_leases, mut no_messages) = (Outage::default(), Outage::default());
        let (mut no_tasks, mut changes) = (Outage::default(), None);
        let mut read_at: Option<Instant> = None;
        while let Some(leases) = self.await_round(&mut changes) {
            let is_due = |at: Instant| at.elapsed() > self.owner.lifetime / 3;
            if renewed.is_none_or(is_due) || !self.validity.holds() {
                renewed = Some(Instant::now());
                self.renew(&leases, &mut no_leases);
            }
            // Rounds in which only tasks have changed leave out the messages.
            if read_at.is_none_or(|at| at.elapsed() >= self.pause()) {
                read_at = Some(Instant::now());
                self.deliver(&mut no_messages);
            }
            self.ask_for_tasks(&mut no_tasks);
        }
    }

    /// The time between two rounds.
    fn pause(&self) -> Duration {
        (self.owner.lifetime / 5).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }

    /// Waits for the next round, and returns the current leases. `None` once the engine was
    /// dropped.
    fn await_round(
        self: &Arc<Self>,
        changes: &mut Option<BoxStream<'static, ()>>,
    ) -> Option<Vec<Lease>> {
        self.subscribe(changes);
        let watch = self.lock();
        let idle =
            |watch: &mut Watch| watch.runs.is_empty() && self.board.is_empty() && !watch.over;
        let watch = self.condvar.wait_while(watch, idle).unwrap_or_else(PoisonError::into_inner);
        let wait = |watch: &mut Watch| !watch.over && !watch.woken;
        let waited = self.condvar.wait_timeout_while(watch, self.pause(), wait);
        let (mut watch, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut watch.woken) && !watch.over {
            drop(watch);
            std::thread::sleep(COALESCED);
            watch = self.lock();
        }
        watch.runs.retain(|_, watched| watched.run.strong_count() > 0);
        (!watch.over).then(|| watch.runs.values().filter_map(|watched| watched.lease).collect())
    }

    /// Lets changes in the store wake the thread while there are tasks.
    fn subscribe(self: &Arc<Self>, changes: &mut Option<BoxStream<'static, ()>>) {
        if self.board.is_empty() {
            *changes = None;
            return;
        }
        let stream = changes.get_or_insert_with(|| self.store.queue_changes());
        let changed = Arc::new(TasksChanged(Arc::downgrade(self)));
        let waker = Waker::from(Arc::clone(&changed));
        let mut cx = Context::from_waker(&waker);
        if let Poll::Ready(Some(())) = Pin::new(stream).poll_next(&mut cx) {
            changed.wake();
        }
    }

    /// Asks the store for the outcomes that runs wait for, and whether attempts must stop.
    fn ask_for_tasks(&self, outage: &mut Outage) {
        let Some(tasks) = self.store.task_store().filter(|_| !self.board.is_empty()) else {
            return;
        };
        let show = |output: Output| {
            let run = self.lock().runs.get(&output.run).and_then(|it| it.run.upgrade());
            let Some(run) = run else { return };
            for (stream, text) in &output.pieces {
                run.print(output.job, output.attempt, *stream, text);
            }
        };
        match guarded(|| self.board.ask(self.owner.id, tasks, show)) {
            Ok(()) => outage.end("tasks are read"),
            Err(error) => outage.note("cannot read tasks", &error),
        }
    }

    fn renew(&self, leases: &[Lease], outage: &mut Outage) {
        let asked = Moment::now();
        match guarded(|| self.store.renew(self.owner, leases)) {
            Ok(lost) => {
                outage.end("leases are renewed");
                for lease in lost {
                    self.lose(lease);
                }
                self.validity.renewed(asked, self.owner.lifetime);
            }
            // Runs that append events see the same error and retry.
            Err(error) => outage.note("cannot renew leases", &error),
        }
    }

    fn lose(&self, lease: Lease) {
        let mut watch = self.lock();
        let held = watch.runs.get(&lease.run);
        if held.is_none_or(|watched| watched.lease != Some(lease)) {
            return;
        }
        let lost = watch.runs.remove(&lease.run);
        drop(watch);
        if let Some(run) = lost.and_then(|watched| watched.run.upgrade()) {
            run.lost(StoreError::LeaseLost { run: run.id });
        }
    }

    fn deliver(&self, outage: &mut Outage) {
        let last_message = self.lock().last_message;
        match guarded(|| self.store.inbox(self.owner.id, last_message)) {
            Ok(messages) => {
                outage.end("messages are read");
                for message in messages {
                    let mut watch = self.lock();
                    watch.last_message = message.number;
                    let run = watch.runs.get(&message.run).and_then(|it| it.run.upgrade());
                    drop(watch);
                    if let Some(run) = run {
                        run.receive(message);
                    }
                }
            }
            Err(error) => outage.note("cannot read messages", &error),
        }
    }
}

/// Wakes the thread when something has changed for the tasks.
struct TasksChanged(Weak<Inner>);

impl Wake for TasksChanged {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Some(inner) = self.0.upgrade() else { return };
        let mut watch = inner.lock();
        watch.woken = true;
        inner.start(&mut watch);
        drop(watch);
        inner.condvar.notify_one();
    }
}

/// Calls the store. A panic of the store does not end the thread.
fn guarded<F: Future<Output = Result<T, StoreError>>, T>(
    ask: impl FnOnce() -> F,
) -> Result<T, StoreError> {
    guard::call(|| pollster::block_on(ask()))
        .unwrap_or_else(|panic| Err(StoreError::Unavailable(panic.into())))
}

/// The reason of the latest failure of the store. Logs each reason once, and not in every round.
#[derive(Debug, Default)]
struct Outage(Option<String>);

impl Outage {
    /// Logs a failure, unless the previous attempt failed for the same reason.
    fn note(&mut self, what: &'static str, error: &StoreError) {
        let reason = error.to_string();
        if self.0.as_ref() != Some(&reason) {
            tracing::warn!(%error, "{what}; retrying");
            self.0 = Some(reason);
        }
    }

    /// Logs that it works again.
    fn end(&mut self, what: &'static str) {
        if self.0.take().is_some() {
            tracing::info!("{what} again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_until_it_is_over() {
        let mut outage = Outage::default();
        let mut note = |text: &str| {
            let before = outage.0.clone();
            outage.note("nothing is done", &StoreError::Unavailable(text.into()));
            outage.0 != before
        };
        assert_eq!(
            ["full", "full", "gone", "gone", "full"].map(&mut note),
            [true, false, true, false, true]
        );
        outage.end("all is done");
        assert_eq!(outage.0, None);
    }
}
