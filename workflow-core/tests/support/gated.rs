//! A store whose answers can be held back, and which records its requests.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use workflow_core::event::Event;
use workflow_core::id::RunId;
use workflow_core::store::*;

use crate::over_memory::store_over_memory;

/// Holds back answers while it is shut.
#[derive(Default)]
pub(crate) struct Gate(Mutex<(bool, Vec<Waker>)>);

impl Gate {
    pub(crate) fn shut(&self) {
        self.0.lock().expect("no panic").0 = true;
    }

    pub(crate) fn open(&self) {
        let waiting = std::mem::take(&mut *self.0.lock().expect("no panic")).1;
        waiting.into_iter().for_each(Waker::wake);
    }

    async fn pass(&self) {
        poll_fn(|cx| {
            let mut gate = self.0.lock().expect("no panic");
            if gate.0 {
                gate.1.push(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }
}

/// A store of one engine.
pub(crate) struct Gated {
    store: Arc<MemoryStore>,
    /// Gates the answers to `begin` and `claim`, after they took effect.
    pub(crate) begun: Gate,
    pub(crate) claimed: Gate,
    /// The number of messages that the engine received.
    pub(crate) delivered: AtomicUsize,
    /// The leases of each renewal by the engine.
    pub(crate) renewed: Mutex<Vec<Vec<Lease>>>,
}

impl Gated {
    pub(crate) fn over(store: &Arc<MemoryStore>) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(store),
            begun: Gate::default(),
            claimed: Gate::default(),
            delivered: AtomicUsize::new(0),
            renewed: Mutex::default(),
        })
    }
}

store_over_memory!(Gated {
    async fn begin(&self, run: NewRun, events: Vec<Event>) -> Result<BeginOutcome, StoreError> {
        let begun = self.store.begin(run, events).await;
        self.begun.pass().await;
        begun
    }

    async fn append(&self, lease: &Lease, events: &[Event]) -> Result<(), StoreError> {
        self.store.append(lease, events).await
    }

    async fn claim(&self, owner: Owner, runs: &[RunId]) -> Result<Vec<Lease>, StoreError> {
        let claimed = self.store.claim(owner, runs).await;
        self.claimed.pass().await;
        claimed
    }

    async fn renew(&self, owner: Owner, leases: &[Lease]) -> Result<Vec<Lease>, StoreError> {
        let lost = self.store.renew(owner, leases).await;
        self.renewed.lock().expect("no panic").push(leases.to_vec());
        lost
    }

    async fn send(&self, run: RunId, message: MessageKind) -> Result<u64, StoreError> {
        self.store.send(run, message).await
    }

    async fn inbox(&self, owner: OwnerId, after: u64) -> Result<Vec<Message>, StoreError> {
        let messages = self.store.inbox(owner, after).await?;
        self.delivered.fetch_add(messages.len(), Ordering::SeqCst);
        Ok(messages)
    }
});
