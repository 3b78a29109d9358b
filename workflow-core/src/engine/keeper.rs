//! Keeps the runs that an engine drives its own, and hears what others send them.
//!
//! One thread for each engine that has a store, from its first run on: it renews the engine's
//! leases, and looks for messages.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::active::ActiveRun;
use crate::id::RunId;
use crate::store::{Lease, Owner, OwnerId, Store, StoreError};

/// How often it looks for messages.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The hold that an engine has on its runs.
pub(super) struct Keeper(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    owner: Owner,
    watch: Mutex<Watch>,
    bell: Condvar,
}

#[derive(Default)]
struct Watch {
    runs: HashMap<RunId, (Lease, Weak<ActiveRun>)>,
    /// The thread is there.
    started: bool,
    /// The engine is gone.
    over: bool,
    /// The number of the latest message.
    heard: u64,
}

impl Keeper {
    pub(super) fn new(store: Arc<dyn Store>, lease: Duration) -> Self {
        // The rest is for those who take over.
        let owner = Owner { id: OwnerId::random(), lifetime: lease * 9 / 10 };
        Self(Arc::new(Inner { store, owner, watch: Mutex::default(), bell: Condvar::new() }))
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The time within which the runs of a dead engine are taken over.
    pub(super) fn lease(&self) -> Duration {
        self.0.owner.lifetime * 10 / 9
    }

    pub(super) fn owner(&self) -> Owner {
        self.0.owner
    }

    /// Holds on to a run from now on.
    pub(super) fn hold(&self, lease: Lease, run: Weak<ActiveRun>) {
        let mut watch = self.0.lock();
        watch.runs.insert(lease.run, (lease, run));
        if !watch.started {
            let inner = Arc::clone(&self.0);
            let thread = std::thread::Builder::new().name("workflow-keeper".to_owned());
            match thread.spawn(move || inner.keep()) {
                Ok(_) => watch.started = true,
                Err(error) => tracing::error!(%error, "leases are not renewed: no thread"),
            }
        }
        drop(watch);
        self.0.bell.notify_one();
    }

    /// The run has ended.
    pub(super) fn let_go(&self, run: RunId) {
        self.0.lock().runs.remove(&run);
    }

    /// The run with this id, if the engine drives it.
    pub(super) fn find(&self, run: RunId) -> Option<Arc<ActiveRun>> {
        self.0.lock().runs.get(&run)?.1.upgrade()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.bell.notify_one();
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the thread does.
    fn keep(&self) {
        let mut renewed = Instant::now();
        while let Some(leases) = self.await_round() {
            if leases.is_empty() || renewed.elapsed() > self.owner.lifetime / 3 {
                renewed = Instant::now();
                self.renew(&leases);
            }
            self.deliver();
        }
    }

    /// Waits until it is time for the next look, and returns the leases that are held; `None`
    /// when the engine is gone.
    fn await_round(&self) -> Option<Vec<Lease>> {
        let watch = self.lock();
        let idle = |watch: &mut Watch| watch.runs.is_empty() && !watch.over;
        let watch = self.bell.wait_while(watch, idle).unwrap_or_else(PoisonError::into_inner);
        let waited = self.bell.wait_timeout_while(watch, LOOK_EVERY, |watch| !watch.over);
        let (mut watch, _) = waited.unwrap_or_else(PoisonError::into_inner);
        watch.runs.retain(|_, (_, run)| run.strong_count() > 0);
        (!watch.over).then(|| watch.runs.values().map(|(lease, _)| *lease).collect())
    }

    fn renew(&self, leases: &[Lease]) {
        match pollster::block_on(self.store.renew(self.owner, leases)) {
            Ok(lost) => {
                for lease in lost {
                    let lost = self.lock().runs.remove(&lease.run);
                    if let Some(run) = lost.and_then(|(_, run)| run.upgrade()) {
                        run.lost(StoreError::LeaseLost { run: run.id });
                    }
                }
            }
            // What is to be appended will meet the same fault, and be tried again.
            Err(error) => tracing::warn!(%error, "leases could not be renewed"),
        }
    }

    fn deliver(&self) {
        let heard = self.lock().heard;
        match pollster::block_on(self.store.inbox(self.owner.id, heard)) {
            Ok(messages) => {
                for message in messages {
                    let mut watch = self.lock();
                    watch.heard = message.number;
                    let run = watch.runs.get(&message.run).and_then(|(_, run)| run.upgrade());
                    drop(watch);
                    if let Some(run) = run {
                        run.receive(message);
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "messages could not be read"),
        }
    }
}
