//! Keeps the runs of `workflow-core` through crashes, in a file of SQLite or in PostgreSQL, and
//! answers questions about them.

mod blob;
mod buckets;
mod catalog;
mod crew;
mod label;
mod memory;
mod open;
mod operation;
#[cfg(feature = "postgres")]
mod postgres;
mod queue;
mod reader;
mod runs;
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statement;
mod store;
mod value;
mod version;
mod writer;

pub use blob::MAX_INLINE;
pub use catalog::{
    Catalog, CatalogError, Durations, Imported, JobStatistics, JobSummary, MetadataChange,
    NewWorkflow, Page, Retention, RunDetails, RunQuery, RunSummary, Source, Statistics,
    StoredWorkflow, WorkflowChange, WorkflowQuery, WorkflowSort, merge_patch,
};
pub use open::open;
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresStore};
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, Sqlite, SqliteOptions, SqliteStore};
pub use store::SqlStore;
