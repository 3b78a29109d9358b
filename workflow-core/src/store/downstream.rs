//! Workflows whose runs start when runs of another one end, or when an asset was made, and the ended
//! runs that wait for them.

use async_trait::async_trait;

use super::{ScheduledWorkflow, StoreError, WorkflowSnapshot};
use crate::id::RunId;

/// The part of a [`Store`](super::Store) that collects ended runs for downstream workflows: those of
/// upstream workflows, and those that have made assets.
#[async_trait]
pub trait DownstreamStore: Send + Sync {
    /// Adds workflows that the program registers, unless the store has them.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn add_registered(&self, workflows: &[WorkflowSnapshot]) -> Result<(), StoreError>;

    /// Returns all links.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn links(&self) -> Result<Vec<StoredLink>, StoreError>;

    /// Adds a link, unless it exists. Runs that end from now on wait for the downstream workflow: those
    /// of an upstream workflow, except for child runs, or all that have made the upstream asset, by
    /// [records](super::AssetStore) that are not refused. Returns whether the store has the workflows;
    /// if it does not, nothing is changed.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn link(&self, link: &WorkflowLink) -> Result<bool, StoreError>;

    /// Removes a link, and what waits.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn unlink(&self, link: &WorkflowLink) -> Result<(), StoreError>;

    /// Returns at most `limit` ended runs that wait for the downstream workflow, oldest first.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn waiting(&self, link: &WorkflowLink, limit: usize) -> Result<Vec<RunId>, StoreError>;

    /// Records that an ended run waits no longer: the downstream run has begun, or is not wanted.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed. Then the run waits still, and the idempotency key of
    /// the downstream run prevents another one.
    async fn handled(&self, link: &WorkflowLink, run: RunId) -> Result<(), StoreError>;
}

/// What starts runs of a workflow: runs of the downstream one start when runs of the upstream one end,
/// or when runs end that have made the upstream asset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkflowLink {
    /// What ended runs are of.
    pub upstream: Upstream,
    /// The workflow whose runs start.
    pub downstream: ScheduledWorkflow,
}

/// The upstream end of a link.
///
/// The set is closed, so that stores handle every kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Upstream {
    /// The workflow whose runs end.
    Workflow(ScheduledWorkflow),
    /// The name of the asset that runs have made.
    Asset(String),
}

/// A link in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLink {
    /// The link.
    pub link: WorkflowLink,
    /// Whether ended runs wait.
    pub has_waiting: bool,
}
