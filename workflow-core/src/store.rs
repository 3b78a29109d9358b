//! Where events are kept.

mod memory;

use async_trait::async_trait;

use crate::event::Event;
use crate::id::RunId;

pub use memory::MemoryStore;

/// Keeps the events of runs. An engine with a store appends what happened before anyone outside
/// can see it. What jobs print is not recorded, and never appended.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Adds events to a run of this workflow. Their sequence numbers follow those that are there.
    ///
    /// # Errors
    ///
    /// Fails when the events are not kept; then none of them is.
    async fn append(&self, run: RunId, workflow: &str, events: &[Event]) -> Result<(), StoreError>;

    /// The events of a run whose sequence number is `from` or more, in order; empty when there is
    /// no such run.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn events(&self, run: RunId, from: u64) -> Result<Vec<Event>, StoreError>;
}

/// Why a store did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Events were appended that do not follow those that are there.
    #[error("run {run}: event {found} was appended where event {wanted} must follow")]
    Gap {
        /// The run's id.
        run: RunId,
        /// The sequence number that must follow.
        wanted: u64,
        /// The sequence number that was given.
        found: u64,
    },
    /// The store cannot be reached, or is broken.
    #[error("{0}")]
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
}
