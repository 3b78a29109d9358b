//! A store that is cut off from its engine, as when the process dies: it keeps what it has, and
//! takes nothing more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use workflow_core::event::Event;
use workflow_core::id::RunId;
use workflow_core::store::*;

use crate::over_memory::store_over_memory;

/// Accepts this many batches, and then no more.
pub(crate) struct CutOff {
    store: Arc<MemoryStore>,
    left: AtomicUsize,
}

impl CutOff {
    pub(crate) fn after(batches: usize, store: &Arc<MemoryStore>) -> Self {
        Self { store: Arc::clone(store), left: AtomicUsize::new(batches) }
    }

    fn take(&self) -> Result<(), StoreError> {
        let less = |left: usize| left.checked_sub(1);
        let taken = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        taken.map(drop).map_err(|_| StoreError::Unusable("the power is out".into()))
    }
}

store_over_memory!(CutOff {
    async fn begin(&self, run: NewRun, events: Vec<Event>) -> Result<BeginOutcome, StoreError> {
        self.take()?;
        self.store.begin(run, events).await
    }

    async fn append(&self, lease: &Lease, events: &[Event]) -> Result<(), StoreError> {
        self.take()?;
        self.store.append(lease, events).await
    }

    async fn claim(&self, owner: Owner, runs: &[RunId]) -> Result<Vec<Lease>, StoreError> {
        self.store.claim(owner, runs).await
    }

    async fn renew(&self, _: Owner, _: &[Lease]) -> Result<Vec<Lease>, StoreError> {
        Ok(Vec::new())
    }

    async fn send(&self, run: RunId, message: MessageKind) -> Result<u64, StoreError> {
        self.store.send(run, message).await
    }

    async fn inbox(&self, owner: OwnerId, after: u64) -> Result<Vec<Message>, StoreError> {
        self.store.inbox(owner, after).await
    }
});
