//! An unreachable store.

use async_trait::async_trait;
use workflow_core::event::Event;
use workflow_core::id::RunId;
use workflow_core::store::{
    BeginOutcome, HeldLeases, Lease, Message, MessageKind, NewRun, Owner, OwnerId, Store,
    StoreError, StoredRun,
};

/// A store that always fails with this text.
pub(crate) struct Broken(pub(crate) &'static str);

impl Broken {
    fn gone<T>(&self) -> Result<T, StoreError> {
        Err(StoreError::Unavailable(self.0.into()))
    }
}

#[async_trait]
impl Store for Broken {
    async fn begin(&self, _: NewRun, _: Vec<Event>) -> Result<BeginOutcome, StoreError> {
        self.gone()
    }

    async fn append(&self, _: &Lease, _: &[Event]) -> Result<(), StoreError> {
        self.gone()
    }

    async fn events(&self, _: RunId, _: u64, _: usize) -> Result<Vec<Event>, StoreError> {
        self.gone()
    }

    async fn run(&self, _: RunId) -> Result<Option<StoredRun>, StoreError> {
        self.gone()
    }

    async fn abandoned(&self, _: Option<RunId>, _: usize) -> Result<Vec<StoredRun>, StoreError> {
        self.gone()
    }

    async fn claim(&self, _: Owner, _: &[RunId]) -> Result<Vec<Lease>, StoreError> {
        self.gone()
    }

    async fn release(&self, _: &[Lease]) -> Result<(), StoreError> {
        self.gone()
    }

    async fn renew(&self, _: Owner, _: &[Lease]) -> Result<Vec<Lease>, StoreError> {
        self.gone()
    }

    async fn held(&self) -> Result<HeldLeases, StoreError> {
        self.gone()
    }

    async fn children(&self, _: RunId) -> Result<Vec<RunId>, StoreError> {
        self.gone()
    }

    async fn send(&self, _: RunId, _: MessageKind) -> Result<u64, StoreError> {
        self.gone()
    }

    async fn inbox(&self, _: OwnerId, _: u64) -> Result<Vec<Message>, StoreError> {
        self.gone()
    }

    async fn messages(&self, _: RunId) -> Result<Vec<Message>, StoreError> {
        self.gone()
    }
}
