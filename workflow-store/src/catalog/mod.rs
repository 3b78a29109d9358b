//! Queries and changes by people and programs: workflows, runs, statistics.

mod change;
mod derived;
mod export;
mod filter;
mod implementation;
mod metadata;
mod overview;
#[cfg(all(test, feature = "sqlite", feature = "postgres"))]
mod plans;
mod prune;
mod pruner;
mod recent;
mod request;
mod resolve;
mod resolve_run;
mod run_filter;
mod runs;
mod schedule;
mod scheduled;
mod stats;
mod versions;
mod workflow;
mod workflows;

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use workflow_core::id::RunId;
use workflow_core::store::{Store, WorkflowSnapshot};

use self::scheduled::StartedBy;
use crate::accounts::Accounts;
use crate::catalog_error::CatalogError;
use crate::page::Page;
use crate::runs::StatusReport;
use crate::visibility::Viewer;
use crate::workflows::{NewWorkflow, WorkflowSource};

pub use export::Imported;
pub use filter::{WorkflowDetail, WorkflowQuery, WorkflowSort};
pub use metadata::{MetadataChange, merge_patch};
pub use overview::{AtomUsage, MoleculeUsage, StatusCounts, Timeline, TimelineSpan, Usage};
pub use prune::Retention;
pub use pruner::Pruner;
pub use recent::RecentRun;
pub use request::WorkflowChange;
pub use resolve::MatchedBy;
pub use run_filter::RunQuery;
pub use runs::{JobSummary, RunDetails, RunSummary};
pub use stats::{Durations, JobStatistics, Statistics};
pub use versions::WorkflowVersion;
pub use workflow::StoredWorkflow;

/// A store with queries about workflows and runs.
///
/// The server and the command line work with any implementation; the module `testing` has
/// conformance tests for them. Methods that can be composed of others have a default
/// implementation, which a database can replace by a faster one.
///
/// A text refers to a workflow by its id; else by the exact name among the workflows of the
/// handle's [viewer](Catalog::seen_by); else by the exact name of a registered workflow; else by
/// its slug. For viewers with all permissions, it may also be the exact name of a workflow without
/// an owner, and for anonymous ones that of any workflow. Names that differ only in Unicode
/// normalization are equal.
///
/// ```
/// use workflow_store::{Catalog, NewWorkflow, SqliteStore, WorkflowQuery};
///
/// # pollster::block_on(async {
/// let store = SqliteStore::open(":memory:").await?;
/// let new = NewWorkflow { project: Some("sales".into()), ..NewWorkflow::new("Q4 Sales") };
/// store.create_workflow(new).await?;
/// let query = WorkflowQuery { project: Some("sales".into()), ..WorkflowQuery::default() };
/// let page = store.workflows(query).await?;
/// assert_eq!(page.items[0].slug, "q4-sales");
/// # Ok::<(), workflow_store::CatalogError>(())
/// # })?;
/// # Ok::<(), workflow_store::CatalogError>(())
/// ```
#[async_trait]
pub trait Catalog: Store + Accounts {
    /// Returns another handle on the same store with the permissions of this viewer, as in
    /// [`Viewer`]. It behaves as if hidden items did not exist. It cannot run workflows: an engine
    /// needs the store itself.
    fn seen_by(&self, viewer: Viewer) -> Arc<dyn Catalog>;

    /// Checks that the store responds, with a small query that does not wait behind others if the
    /// store has several connections. If the last write failed because the store was unavailable, also
    /// checks that it can be written again.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read or written.
    async fn ping(&self) -> Result<(), CatalogError> {
        let query = RunQuery { limit: Some(1), ..RunQuery::default() };
        self.runs(query).await.map(|_| ())
    }

    /// Returns a page of the workflows that match a query.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read, the cursor belongs to another query, or the query has
    /// more than 20 words and conditions.
    async fn workflows(&self, query: WorkflowQuery) -> Result<Page<StoredWorkflow>, CatalogError>;

    /// Returns a workflow by its id, name or slug.
    ///
    /// # Errors
    ///
    /// Fails when it does not exist.
    async fn workflow(&self, which: &str) -> Result<StoredWorkflow, CatalogError> {
        Ok(self.find_workflow(which).await?.0)
    }

    /// Returns a workflow by its id, name or slug, and which of these matched.
    ///
    /// # Errors
    ///
    /// Fails when it does not exist.
    async fn find_workflow(&self, which: &str)
    -> Result<(StoredWorkflow, MatchedBy), CatalogError>;

    /// Adds rows for registered workflows, so that they exist before their first run, and updates
    /// rows that nobody has edited. All or none.
    ///
    /// ```
    /// use workflow_core::registry;
    /// use workflow_core::store::WorkflowSnapshot;
    /// use workflow_store::{Catalog, SqliteStore};
    ///
    /// # pollster::block_on(async {
    /// let store = SqliteStore::open(":memory:").await?;
    /// let known: Vec<_> = registry::list()?
    ///     .into_iter()
    ///     .map(|entry| WorkflowSnapshot::of(&*entry.workflow()))
    ///     .collect();
    /// store.sync_registered(&known).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn sync_registered(&self, workflows: &[WorkflowSnapshot]) -> Result<(), CatalogError>;

    /// Adds a workflow. On the handle of a user, it belongs to the user. Its slug is made from the
    /// requested one or from the name, and differs from every other workflow's name, slug and id.
    ///
    /// If its owner has run the file before, the store has it already by its name. That workflow
    /// then becomes the created one, and runs of the file no longer change it.
    ///
    /// # Errors
    ///
    /// Fails when its name or its metadata is invalid, and when its owner has a workflow of this
    /// name.
    async fn create_workflow(&self, new: NewWorkflow) -> Result<StoredWorkflow, CatalogError>;

    /// Changes a workflow and returns the new state. A new file becomes its next version. Earlier
    /// versions stay, and existing runs keep their file.
    ///
    /// # Errors
    ///
    /// Fails when it does not exist or the name is ambiguous, when a new value is invalid, when its
    /// owner has another workflow of this name, and when a viewer without all permissions changes
    /// the owner.
    async fn update_workflow(
        &self,
        which: &str,
        change: WorkflowChange,
    ) -> Result<StoredWorkflow, CatalogError>;

    /// Returns a page of the versions of a workflow's file, newest first, without texts. Takes the
    /// cursor of the previous page, and the size of the page, 1 to 1,000, by default 50. Code has
    /// no versions.
    ///
    /// # Errors
    ///
    /// Fails when the workflow does not exist, and when the cursor belongs to another list.
    async fn versions(
        &self,
        which: &str,
        after: Option<String>,
        limit: Option<usize>,
    ) -> Result<Page<WorkflowVersion>, CatalogError>;

    /// Returns one version of a workflow's file, with its text.
    ///
    /// # Errors
    ///
    /// Fails when the workflow or the version does not exist.
    async fn version(&self, which: &str, version: i64) -> Result<WorkflowVersion, CatalogError>;

    /// Returns at most `limit` active workflows with a schedule in their metadata, by id, after the
    /// id `after`.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn scheduled(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredWorkflow>, CatalogError> {
        derived::scheduled(self, after, limit).await
    }

    /// Returns all active workflows with a schedule in their metadata, by id.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn all_scheduled(&self) -> Result<Vec<StoredWorkflow>, CatalogError> {
        derived::all_started_by(self, StartedBy::Schedule).await
    }

    /// Returns at most `limit` active workflows whose runs start
    /// [after](workflow_core::definition::AfterTrigger) those of others, or when an
    /// [asset](workflow_core::definition::AssetTrigger) was made, or when a
    /// [file](workflow_core::definition::FileTrigger) arrives, by id, after the id `after`.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn triggered(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredWorkflow>, CatalogError> {
        derived::triggered(self, after, limit).await
    }

    /// Returns all active workflows whose runs start after those of others, when an asset was made, or
    /// when a file arrives, by id.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn all_triggered(&self) -> Result<Vec<StoredWorkflow>, CatalogError> {
        derived::all_started_by(self, StartedBy::Event).await
    }

    /// Counts the runs of a workflow, which deleting it would delete.
    ///
    /// # Errors
    ///
    /// Fails when it does not exist or the name is ambiguous.
    async fn count_runs(&self, which: &str) -> Result<u64, CatalogError>;

    /// Deletes a workflow with all of its runs and their folders on this machine, and returns the
    /// number of runs.
    ///
    /// # Errors
    ///
    /// Fails when it does not exist or the name is ambiguous.
    async fn delete_workflow(&self, which: &str) -> Result<u64, CatalogError>;

    /// Returns a page of the runs that match a query, newest first.
    ///
    /// # Errors
    ///
    /// Fails when the workflow of the query is unknown, or the cursor belongs to another query.
    async fn runs(&self, query: RunQuery) -> Result<Page<RunSummary>, CatalogError>;

    /// Returns a run with its jobs.
    ///
    /// # Errors
    ///
    /// Fails when the run does not exist.
    async fn run_details(&self, run: RunId) -> Result<RunDetails, CatalogError>;

    /// Returns a run without its jobs.
    ///
    /// # Errors
    ///
    /// Fails when the run does not exist.
    async fn run_summary(&self, run: RunId) -> Result<RunSummary, CatalogError> {
        Ok(self.run_details(run).await?.run)
    }

    /// Finds the run that a text refers to: its number, as `472` or `#472`; its id, or at least the
    /// first 8 characters, if they are unique among visible runs; or `latest`, the newest visible
    /// run. Numbers take precedence over prefixes of ids.
    ///
    /// A complete id is not looked up.
    ///
    /// # Errors
    ///
    /// Fails when there is no such run, or the prefix is ambiguous.
    async fn find_run(&self, which: &str) -> Result<RunId, CatalogError>;

    /// Records the status of a run that an external program executes, and returns the new state:
    /// running, completed with a result, failed with an error, or cancelled. Repeating a report
    /// changes nothing.
    ///
    /// A run that engines leave to external programs, because its workflow is
    /// [external](WorkflowSnapshot::is_external) or another application has inserted it, may end
    /// without a report that it is running. Its result and error may be reported before its end.
    /// For other runs, they must come with the status, and an engine of this store that has the
    /// workflow may take over a run that is reported as running.
    ///
    /// # Errors
    ///
    /// Fails when the run does not exist or is running on an engine, when the transition of the
    /// status is invalid, when a completed run has an error, and when a report contradicts the
    /// record of a finished run.
    async fn report_run(
        &self,
        run: RunId,
        report: StatusReport,
    ) -> Result<RunSummary, CatalogError>;

    /// Returns the last `each` runs (at most 100) of each of these workflows (at most 1,000), by
    /// workflow number, newest first within each.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn recent(&self, workflows: &[i64], each: usize) -> Result<Vec<RecentRun>, CatalogError> {
        derived::recent(self, workflows, each).await
    }

    /// Returns statistics of the runs requested since a time, in spans of this length: the number
    /// in each status, and the durations of finished runs; with `workflow`, of one workflow by its
    /// number. A span is at least a second, and long enough for at most 1,000 spans.
    ///
    /// # Errors
    ///
    /// Fails when the workflow does not exist.
    async fn timeline(
        &self,
        since: SystemTime,
        span: Duration,
        workflow: Option<i64>,
    ) -> Result<Timeline, CatalogError>;

    /// Counts the runs in each status.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn status_counts(&self) -> Result<StatusCounts, CatalogError>;

    /// Counts the workflows that use each molecule and atom, and their runs.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn usage(&self) -> Result<Usage, CatalogError>;

    /// Returns the run counts, success rates and durations of a workflow; without `which`, of all
    /// workflows.
    ///
    /// # Errors
    ///
    /// Fails when the workflow does not exist.
    async fn statistics(&self, which: Option<&str>) -> Result<Vec<Statistics>, CatalogError>;

    /// Deletes old runs by age or count, and returns their number. Statistics still include them.
    /// Also deletes the [folders](workflow_core::store::StoredRun::folder) of runs of workflow files on
    /// this machine, and the records of assets of deleted runs that newer records have replaced.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed; runs deleted until then stay deleted.
    async fn prune(&self, retention: Retention) -> Result<u64, CatalogError>;

    /// Prunes, unless a process that shares the store has done so within this time. Returns the
    /// number of deleted runs, or `None` if pruning was not due.
    ///
    /// A retention for a workflow overrides the general one; the last of several counts. A
    /// retention for an unknown workflow deletes nothing. [`Pruner`] calls this periodically.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed; runs deleted until then stay deleted.
    async fn prune_when_due(
        &self,
        retentions: &[Retention],
        every: Duration,
    ) -> Result<Option<u64>, CatalogError>;

    /// Writes workflows, their runs and their events as JSON lines; with `which`, of one workflow.
    /// Runs that other applications have inserted are omitted, because they have no events.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read or the lines cannot be written.
    async fn export(
        &self,
        which: Option<&str>,
        out: &mut (dyn Write + Send),
    ) -> Result<(), CatalogError>;

    /// Imports lines of [`export`](Self::export). Existing workflows and runs are not changed.
    /// Everything is read into memory and written in one transaction: move a large store workflow by
    /// workflow.
    ///
    /// # Errors
    ///
    /// Fails, and imports nothing, when a line is invalid or longer than 256 MiB.
    async fn import(&self, lines: &mut (dyn BufRead + Send)) -> Result<Imported, CatalogError>;
}
