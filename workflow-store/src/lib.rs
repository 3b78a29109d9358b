//! Keeps the runs of `workflow-core` through crashes, in a file of SQLite or in PostgreSQL, and
//! answers questions about workflows and runs.
//!
//! ```
//! use workflow_core::prelude::*;
//! use workflow_store::SqliteStore;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # pollster::block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("workflows.db");
//! let store = SqliteStore::open(&path).await?;
//! let engine = Engine::builder().store(store).build();
//! # drop(engine);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })
//! # }
//! ```
//!
//! # What is promised
//!
//! - What a store has acknowledged is committed: on SQLite with [`Durability::Full`], the default,
//!   and on PostgreSQL as the server is set up, it outlives a loss of power.
//! - The events of one call are kept all or not at all, together with the run's status, the
//!   workflow's counters and the figures.
//! - An owner whose lease is over can append until another has claimed the run, and never after.
//! - What cannot be done is answered with an error that says whether trying again may help, and
//!   leaves the database as it was.
//!
//! # Where to look
//!
//! - [`SqliteStore`], [`SqliteOptions`], [`PostgresStore`], [`open`]: stores
//! - [`Accounts`]: users, tokens, sessions; [`Viewer`]: what of all this a user may see
//! - [`Catalog`]: workflows listed, changed and counted; runs listed, pruned, exported, imported
//! - [`Pruner`]: old runs deleted now and then
//!
//! # Features
//!
//! - `sqlite` (default): [`SqliteStore`]; SQLite is compiled in.
//! - `postgres` (default): [`PostgresStore`], with a runtime on threads of its own.
//! - `tls`: encrypted connections to PostgreSQL, by rustls.
//! - `testing`: conformance suites for stores of other crates, in the module `testing`.

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
compile_error!("workflow-store needs at least one of its features `sqlite` and `postgres`");

mod accounts;
mod catalog;
mod catalog_error;
mod db;
mod exec;
mod histogram;
mod liveness;
mod open;
mod page;
mod retry_run;
mod rfc3339;
mod rows;
mod runs;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod visibility;
mod workflows;

#[cfg(all(test, feature = "sqlite", feature = "postgres"))]
use test_postgres as cluster;

pub use accounts::{
    Accounts, ApiToken, NewSession, NewToken, NewUser, ScopeError, Session, TokenScope, User,
    UserChange, UserQuery,
};
pub use catalog::{
    AtomUsage, Catalog, Durations, Imported, JobStatistics, JobSummary, MatchedBy, MetadataChange,
    MoleculeUsage, Pruner, RecentRun, Retention, RunDetails, RunQuery, RunSummary, Statistics,
    StatusCounts, StoredWorkflow, Timeline, TimelineSpan, Usage, WorkflowChange, WorkflowDetail,
    WorkflowQuery, WorkflowSort, WorkflowVersion, merge_patch,
};
pub use catalog_error::CatalogError;
#[cfg(feature = "sqlite")]
pub use db::sqlite::{Durability, SqliteOptions};
pub use open::open;
#[cfg(feature = "postgres")]
pub use open::{Postgres, PostgresStore};
#[cfg(feature = "sqlite")]
pub use open::{Sqlite, SqliteStore};
pub use page::Page;
pub use retry_run::{RetryError, RetryRequest, RetrySource, retry_run};
pub use rows::event::MAX_INLINE;
pub use runs::StatusReport;
pub use store::SqlStore;
pub use visibility::Viewer;
pub use workflows::{NewWorkflow, Source};
