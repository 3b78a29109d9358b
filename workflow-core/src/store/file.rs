//! Files that have arrived and were handled.

use async_trait::async_trait;

use super::{ScheduledWorkflow, StoreError};

/// The part of a [`Store`](super::Store) that remembers for which files runs were started. Runs are
/// deleted sooner or later, and the files may be there still.
#[async_trait]
pub trait FileStore: Send + Sync {
    /// Returns the files that were handled for a workflow, by name.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn handled_files(
        &self,
        workflow: &ScheduledWorkflow,
    ) -> Result<Vec<HandledFile>, StoreError>;

    /// Records that a file was handled for a workflow, in place of another version of it. Does nothing
    /// if the store does not have the workflow.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed. Then the idempotency key of the run prevents another
    /// one.
    async fn add_handled_file(
        &self,
        workflow: &ScheduledWorkflow,
        file: &HandledFile,
    ) -> Result<(), StoreError>;

    /// Forgets files that are gone, by name.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn forget_files(
        &self,
        workflow: &ScheduledWorkflow,
        names: &[String],
    ) -> Result<(), StoreError>;
}

/// A file for which a run was started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandledFile {
    /// The name of the watched folder and the path in it, with `/` between them.
    pub name: String,
    /// What tells contents under one name apart.
    pub version: String,
}
