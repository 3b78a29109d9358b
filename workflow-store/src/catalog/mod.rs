//! The half of the store that people and programs ask: workflows, runs, figures.

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
use workflow_core::{RunId, Store, WorkflowSnapshot};

use crate::accounts::Accounts;
use crate::catalog_error::CatalogError;
use crate::page::Page;
use crate::runs::StatusReport;
use crate::visibility::Viewer;
use crate::workflows::{NewWorkflow, Source};

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

/// A store that answers questions about workflows and runs.
///
/// What the server and the command line need of a store. Any implementation will do; the module
/// `testing` has what to test one with. Methods that others can be composed of have a
/// default, which a database answers faster.
///
/// Where a workflow is asked for by a text, the text is its id; else the exact name of a workflow
/// of whoever the handle [answers to](Catalog::seen_by); else the exact name of one that programs
/// register; else its slug; and for who may do everything, else the exact name of one that is
/// nobody's, or anybody's where the handle answers to nobody in particular. Of two spellings of a name that differ in their Unicode form only, each
/// means the other.
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
    /// Another handle on the same store, which sees, lists, counts, changes and sends only what
    /// this viewer may, as [`Viewer`] says. For what is hidden from the viewer, its answers are
    /// those of a store that has no such thing. It drives no runs: an engine needs the store
    /// itself.
    fn seen_by(&self, viewer: Viewer) -> Arc<dyn Catalog>;

    /// Checks that the store answers, by a small query that does not wait behind others where the
    /// store has more than one connection.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn ping(&self) -> Result<(), CatalogError> {
        let query = RunQuery { limit: Some(1), ..RunQuery::default() };
        self.runs(query).await.map(|_| ())
    }

    /// A page of the workflows that a query selects.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read, when the cursor is of another query, or when the query
    /// has more than 20 words and conditions.
    async fn workflows(&self, query: WorkflowQuery) -> Result<Page<StoredWorkflow>, CatalogError>;

    /// A workflow by its id, name or slug.
    ///
    /// # Errors
    ///
    /// Fails when there is none.
    async fn workflow(&self, which: &str) -> Result<StoredWorkflow, CatalogError> {
        Ok(self.find_workflow(which).await?.0)
    }

    /// A workflow by its id, name or slug, and which of these it was.
    ///
    /// # Errors
    ///
    /// Fails when there is none.
    async fn find_workflow(&self, which: &str)
    -> Result<(StoredWorkflow, MatchedBy), CatalogError>;

    /// Makes rows for workflows that are code, so that they are there before they first run, and
    /// refreshes what rows say that nobody has edited. All or none.
    ///
    /// ```
    /// use workflow_core::{WorkflowSnapshot, registry};
    /// use workflow_store::{Catalog, SqliteStore};
    ///
    /// # pollster::block_on(async {
    /// let store = SqliteStore::open(":memory:").await?;
    /// let known: Vec<_> = registry::list()?
    ///     .into_iter()
    ///     .map(|entry| WorkflowSnapshot::of(&*entry.workflow()))
    ///     .collect();
    /// store.announce(&known).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn announce(&self, workflows: &[WorkflowSnapshot]) -> Result<(), CatalogError>;

    /// Adds a workflow. On a handle of a user it is the user's. Its slug is made from the one that
    /// is asked for, or from the name, so that it is like no other workflow's name, slug or id.
    ///
    /// A file that its owner has run is in the store by its name already: then that workflow becomes
    /// the one that is created, and runs of the file change it no more.
    ///
    /// # Errors
    ///
    /// Fails when its name or its metadata is not fit, and when its owner has one of this name.
    async fn create_workflow(&self, new: NewWorkflow) -> Result<StoredWorkflow, CatalogError>;

    /// Changes a workflow, and returns it as it is then. Another file is its next version; those
    /// before it stay, and so does the file of every run that has begun.
    ///
    /// # Errors
    ///
    /// Fails when there is none, or several, or when what is to be is not fit; when its owner has
    /// another workflow of this name; and when somebody who may not do everything gives it away.
    async fn update_workflow(
        &self,
        which: &str,
        change: WorkflowChange,
    ) -> Result<StoredWorkflow, CatalogError>;

    /// A page of the files that a workflow is and was, newest first, without their texts; where the
    /// page before this one ended, and how many, 1 to 1,000, by default 50. Code has none.
    ///
    /// # Errors
    ///
    /// Fails when there is no such workflow, and when the cursor is of another list.
    async fn versions(
        &self,
        which: &str,
        after: Option<String>,
        limit: Option<usize>,
    ) -> Result<Page<WorkflowVersion>, CatalogError>;

    /// One of the files that a workflow is and was, with its text.
    ///
    /// # Errors
    ///
    /// Fails when there is no such workflow, or no version of it with this number.
    async fn version(&self, which: &str, version: i64) -> Result<WorkflowVersion, CatalogError>;

    /// At most `limit` workflows in use that name a schedule in their metadata, by id, from the
    /// one after `after` on.
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

    /// How many runs a workflow has: what deleting it would delete.
    ///
    /// # Errors
    ///
    /// Fails when there is none, or several.
    async fn count_runs(&self, which: &str) -> Result<u64, CatalogError>;

    /// Deletes a workflow with all of its runs and their folders on this machine, and returns how
    /// many runs these were.
    ///
    /// # Errors
    ///
    /// Fails when there is none, or several.
    async fn delete_workflow(&self, which: &str) -> Result<u64, CatalogError>;

    /// A page of the runs that a query selects, newest first.
    ///
    /// # Errors
    ///
    /// Fails when the query's workflow is unknown, or the cursor is of another query.
    async fn runs(&self, query: RunQuery) -> Result<Page<RunSummary>, CatalogError>;

    /// A run with its jobs.
    ///
    /// # Errors
    ///
    /// Fails when there is no such run.
    async fn run_details(&self, run: RunId) -> Result<RunDetails, CatalogError>;

    /// A run without its jobs.
    ///
    /// # Errors
    ///
    /// Fails when there is no such run.
    async fn run_summary(&self, run: RunId) -> Result<RunSummary, CatalogError> {
        Ok(self.run_details(run).await?.run)
    }

    /// The run that a text means: its number, written `472` or `#472`; its id, or at least the
    /// first 8 characters of it, where no other run that is seen has an id which begins so; or
    /// `latest`, the newest run that is seen. A number comes before the beginning of an id.
    ///
    /// A whole id is not looked up.
    ///
    /// # Errors
    ///
    /// Fails when there is no such run, or several.
    async fn find_run(&self, which: &str) -> Result<RunId, CatalogError>;

    /// Records what a program outside says of a run that no engine drives, and returns the run as
    /// it is then: it runs, it completed with this result, it failed with this error, or it was
    /// cancelled. What is said twice changes nothing.
    ///
    /// A run that engines leave to programs outside, because its workflow is
    /// [external](WorkflowSnapshot::is_external) or another application has inserted it, may end
    /// before it was said to run. A result and an error of it may come before its end: they are
    /// shown meanwhile, and are the run's when it ends. Of other runs, they come with their status.
    /// One of those that is said to run may be taken up by an engine of this store that has its
    /// workflow.
    ///
    /// # Errors
    ///
    /// Fails when there is no such run, when an engine drives it, when it cannot become what is
    /// said, which the error names with what it is, when there is an error of what completed, and
    /// when something else is said of a run that has ended than what is on record.
    async fn report_run(
        &self,
        run: RunId,
        report: StatusReport,
    ) -> Result<RunSummary, CatalogError>;

    /// The last runs of each of these workflows, newest first within each: `each` of them, 100 at
    /// most, of 1,000 workflows at most, in the order of their numbers.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn recent(&self, workflows: &[i64], each: usize) -> Result<Vec<RecentRun>, CatalogError> {
        derived::recent(self, workflows, each).await
    }

    /// The runs that were asked for since a time, in spans of this length: how many stand where,
    /// and how long those that ended took; of one workflow, with its number. A span is a second
    /// at least, and so long that there are 1,000 at most.
    ///
    /// # Errors
    ///
    /// Fails when there is no such workflow.
    async fn timeline(
        &self,
        since: SystemTime,
        span: Duration,
        workflow: Option<i64>,
    ) -> Result<Timeline, CatalogError>;

    /// How many runs stand where.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn status_counts(&self) -> Result<StatusCounts, CatalogError>;

    /// In how many workflows molecules and atoms are used, and how many runs of these began.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn usage(&self) -> Result<Usage, CatalogError>;

    /// How often a workflow ran, how well, and for how long; of all workflows without `which`.
    ///
    /// # Errors
    ///
    /// Fails when there is no such workflow.
    async fn statistics(&self, which: Option<&str>) -> Result<Vec<Statistics>, CatalogError>;

    /// Deletes runs that ended long ago, or that many have followed; returns how many. Figures
    /// keep counting them. Of runs of workflow files, deletes the
    /// [folder](workflow_core::StoredRun::folder), too, if it is on this machine.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed; what was deleted until then is.
    async fn prune(&self, retention: Retention) -> Result<u64, CatalogError>;

    /// Prunes, unless a process that shares the store has done so within this time; returns how
    /// many runs were deleted, `None` when it was not due.
    ///
    /// A retention that names a workflow counts for it in place of the one that names none; of
    /// several the last. One that names a workflow which is not there deletes nothing.
    /// [`Pruner`] calls this again and again.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed; what was deleted until then is.
    async fn prune_when_due(
        &self,
        retentions: &[Retention],
        every: Duration,
    ) -> Result<Option<u64>, CatalogError>;

    /// Writes workflows, their runs and the runs' events, one JSON object on each line; of one
    /// workflow, with `which`. Runs that other applications have inserted are left out: they have no
    /// record.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read or the lines not be written.
    async fn export(
        &self,
        which: Option<&str>,
        out: &mut (dyn Write + Send),
    ) -> Result<(), CatalogError>;

    /// Reads what [`export`](Self::export) wrote. Workflows and runs that are there stay as they
    /// are. All of it is read into memory, and written in one transaction.
    ///
    /// # Errors
    ///
    /// Fails, and imports nothing, when a line is not fit.
    async fn import(&self, lines: &mut (dyn BufRead + Send)) -> Result<Imported, CatalogError>;
}
