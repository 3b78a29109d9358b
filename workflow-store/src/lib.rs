//! Persists the runs of `workflow-core` in SQLite or PostgreSQL, and answers queries about
//! workflows and runs.
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
//! # Guarantees
//!
//! - Acknowledged writes are committed. They survive a power failure on SQLite with
//!   [`Durability::Full`], the default, and on PostgreSQL as the server is configured.
//! - The events of one call are persisted all or not at all, together with the status of the run,
//!   the counters of the workflow and the statistics.
//! - An owner whose lease has expired can append until another owner has claimed the run, never
//!   after.
//! - A failed operation leaves the database unchanged, and its error says whether a retry may help.
//!
//! # Where to look
//!
//! - [`SqliteStore`], [`SqliteOptions`], [`PostgresStore`], [`open`]: stores
//! - [`Accounts`]: users, tokens, sessions; [`Viewer`]: what a user may see
//! - [`Catalog`]: lists, changes and counts workflows; lists, prunes, exports and imports runs
//! - [`why()`]: why a run makes no progress
//! - [`Pruner`]: deletes old runs periodically
//! - [`time`]: durations and times as people write them
//!
//! # Features
//!
//! - `sqlite` (default): [`SqliteStore`]; SQLite is compiled in.
//! - `postgres` (default): [`PostgresStore`], with a runtime on its own threads.
//! - `tls`: encrypted connections to PostgreSQL with rustls.
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
pub mod time;
mod visibility;
mod why;
mod workflows;

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
pub use catalog_error::{CatalogError, CatalogField};
#[cfg(feature = "sqlite")]
pub use db::sqlite::{Durability, SqliteOptions};
#[cfg(feature = "postgres")]
pub use open::{Postgres, PostgresStore};
#[cfg(feature = "sqlite")]
pub use open::{Sqlite, SqliteStore};
pub use open::{open, sqlite_path};
pub use page::Page;
pub use retry_run::{RetryError, RetryRequest, RetrySource, retry_run};
pub use rows::event::MAX_INLINE;
pub use runs::StatusReport;
pub use store::SqlStore;
pub use visibility::Viewer;
pub use why::{Cause, StallReason, serving, why};
pub use workflows::{NewWorkflow, WorkflowSource};
