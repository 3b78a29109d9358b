//! SQLite stores.

use std::path::Path;

use workflow_core::store::StoreError;

use crate::db::sqlite::{Opener, SqliteOptions};
use crate::exec::connection_pool::ConnectionPool;
use crate::exec::operation::TxMode;
use crate::runs;
use crate::store::{Database, SqlStore};

/// A store in a SQLite file.
///
/// One thread writes: queued operations share a transaction and are acknowledged when it is
/// committed. Any number of processes may open one file. If it is deleted, moved or replaced while
/// a store has it open, all operations fail with
/// [`StoreError::Unavailable`](workflow_core::store::StoreError::Unavailable) until the file is
/// moved back.
///
/// ```
/// use workflow_store::SqliteStore;
/// # use workflow_core::store::Store;
///
/// # pollster::block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("workflows.db");
/// let store = SqliteStore::open(&path).await?;
/// assert!(store.abandoned(None, 10).await?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type SqliteStore = SqlStore<Sqlite>;

/// The marker type of SQLite stores.
#[derive(Debug)]
pub struct Sqlite;

impl Database for Sqlite {}

impl SqlStore<Sqlite> {
    /// Opens a file, and creates it if it does not exist. The path may be written as
    /// `sqlite://path`; `:memory:` is a database in memory that ends with the store.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be opened or is not a database, when a newer version of this
    /// crate has written it, or when another process locks it for longer than five seconds.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        SqliteOptions::new().open(path).await
    }
}

impl SqliteOptions {
    /// Opens a file, as [`SqliteStore::open`] does.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`].
    pub async fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, StoreError> {
        Ok(SqliteStore::with_pool(start(path.as_ref(), self).await?))
    }
}

/// Starts the threads after migrations.
async fn start(path: &Path, options: SqliteOptions) -> Result<ConnectionPool, StoreError> {
    let readers = options.readers();
    let opener = Opener::new(path, options);
    let pool = ConnectionPool::start(&opener, if opener.is_memory() { 0 } else { readers })?;
    // The first connection migrates.
    while pool.write(TxMode::Exclusive, runs::backfill_waiting).await? {}
    Ok(pool)
}
