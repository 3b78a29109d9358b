//! Where runs are kept: what a run was begun with, its events, who drives it, and what others
//! sent it.

mod error;
mod key;
mod lease;
mod memory;
mod record;

use std::sync::Arc;

use async_trait::async_trait;

use crate::event::Event;
use crate::id::RunId;

pub use error::StoreError;
pub use key::{KeyError, KeyScope};
pub use lease::{HeldLeases, Lease, Owner, OwnerId};
pub use memory::MemoryStore;
pub use record::{
    BeginOutcome, Message, MessageKind, NewRun, Parent, StoredRun, Trigger, WORKFLOW_FILE,
    WorkflowSnapshot,
};

/// What an engine takes for a store: a [`Store`], or an `Arc` of one that others hold too.
pub trait IntoStore {
    /// The store.
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

/// Keeps runs. An engine with a store appends what happened before anything outside of the run
/// can come of it, and takes a run up again from what the store has.
///
/// A run that is driven has one owner. The owner proves it with a [`Lease`], whose number grows
/// each time the run changes hands: what is appended under an older lease is refused. An owner
/// that has not [renewed](Store::renew) in time counts as dead, and its runs are there for
/// others to [claim](Store::claim).
///
/// Futures of a store may be awaited on any executor and on none.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Begins a run with its first events, all or nothing; or finds the one that began under the
    /// same idempotency key in the same [scope](NewRun::key_scope), and then changes nothing.
    ///
    /// # Errors
    ///
    /// Fails when the run is not kept, when there is one with this id already, and when the key
    /// began a different run.
    async fn begin(&self, run: NewRun, events: Vec<Event>) -> Result<BeginOutcome, StoreError>;

    /// Adds events to a run, all or none. Their sequence numbers follow those that are there. What
    /// the last event says of the run's status is the run's status from then on.
    ///
    /// # Errors
    ///
    /// Fails when the events are not kept: [`StoreError::LeaseLost`] when the run has another
    /// owner by now, and [`StoreError::Gap`] when the events do not follow.
    async fn append(&self, lease: &Lease, events: &[Event]) -> Result<(), StoreError>;

    /// At most `limit` events of a run whose sequence number is `from` or more, in order; empty
    /// when there is no such run.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn events(&self, run: RunId, from: u64, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// A run; `None` when there is none with this id.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn run(&self, run: RunId) -> Result<Option<StoredRun>, StoreError>;

    /// At most `limit` runs that have not ended and that nobody drives, oldest first, from the
    /// one after `after` on: their owners are dead, or they never had one.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn abandoned(
        &self,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<StoredRun>, StoreError>;

    /// Makes `owner` the owner of those of the runs that have not ended and that nobody drives,
    /// and returns its leases.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed; then no run has changed hands.
    async fn claim(&self, owner: Owner, runs: &[RunId]) -> Result<Vec<Lease>, StoreError>;

    /// Gives runs back, for others to claim at once. Leases that were lost are passed over.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError>;

    /// Says that the owner is alive, and returns those of its leases that it has lost.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn renew(&self, owner: Owner, leases: &[Lease]) -> Result<Vec<Lease>, StoreError>;

    /// How many runs that have not ended are held by engines that count as alive, and for how long
    /// at most if nothing more is heard of those.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn held(&self) -> Result<HeldLeases, StoreError>;

    /// The runs that jobs of this run began and that have not ended, oldest first.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn children(&self, run: RunId) -> Result<Vec<RunId>, StoreError>;

    /// Leaves a message for a run, whoever drives it, and returns its number, which is larger
    /// than that of every message before it.
    ///
    /// # Errors
    ///
    /// Fails when there is no such run, when it has ended, or when the message is not kept.
    async fn send(&self, run: RunId, message: MessageKind) -> Result<u64, StoreError>;

    /// The messages with a number above `after` for runs that this owner drives, in order. None
    /// may appear later with a number below one that was seen.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn inbox(&self, owner: OwnerId, after: u64) -> Result<Vec<Message>, StoreError>;

    /// All messages for a run, in order.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn messages(&self, run: RunId) -> Result<Vec<Message>, StoreError>;
}
