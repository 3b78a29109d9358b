//! SQLite, compiled in.

mod connection;
mod error;
mod migrate;
mod options;
mod place;

use std::path::{Path, PathBuf};

use workflow_core::StoreError;

use crate::db::sql::{Sql, SqlError};
use crate::exec::connection_pool::{Connect, Crew, Purpose};
use crate::runs;
use crate::store::{Database, SqlStore};

use place::Place;

pub use options::{Durability, SqliteOptions};

/// Keeps runs in a file of SQLite.
///
/// One thread writes; what waits for it shares a transaction, and is acknowledged when that is
/// committed. Any number of processes may open one file. When it is deleted, moved or replaced
/// while a store has it open, the store refuses everything with
/// [`StoreError::Unavailable`](workflow_core::StoreError::Unavailable), until the file is moved
/// back.
///
/// ```
/// use workflow_store::SqliteStore;
/// # use workflow_core::Store;
///
/// # pollster::block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("workflows.db");
/// let store = SqliteStore::open(&path).await?;
/// assert!(store.orphans(None, 10).await?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type SqliteStore = SqlStore<Sqlite>;

/// Marks the stores that are files of SQLite.
#[derive(Debug)]
pub struct Sqlite;

impl Database for Sqlite {}

impl SqlStore<Sqlite> {
    /// Opens a file, and makes it when there is none. The path may be written as `sqlite://path`;
    /// `:memory:` is a database that ends with the store.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be opened or is no database, when a newer version of this crate
    /// has written it, or when another process is busy with it for longer than five seconds.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        SqliteOptions::new().open(path).await
    }
}

/// Opens connections to one file.
#[derive(Debug, Clone)]
pub(crate) struct Opener {
    path: PathBuf,
    options: SqliteOptions,
    place: Place,
}

impl Opener {
    pub(crate) fn new(path: &Path, options: SqliteOptions) -> Self {
        let text = path.to_string_lossy();
        let path = match text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")) {
            Some(rest) => PathBuf::from(rest),
            None => path.to_owned(),
        };
        Self { path, options, place: Place::default() }
    }

    pub(crate) fn is_memory(&self) -> bool {
        self.path.as_os_str() == ":memory:"
    }

    /// Starts the threads, once the schema is there.
    pub(crate) async fn start(self) -> Result<Crew, StoreError> {
        let readers = if self.is_memory() { 0 } else { self.options.readers() };
        let crew = Crew::start(&self, readers)?;
        // The first connection migrates.
        while crew.write(crate::exec::operation::Company::Alone, runs::tell_older).await? {}
        Ok(crew)
    }
}

impl Connect for Opener {
    fn connect(&self, purpose: Purpose) -> Result<Box<dyn Sql>, SqlError> {
        connection::open(&self.path, &self.options, purpose, &self.place)
    }

    fn begin(&self) -> &'static str {
        "BEGIN IMMEDIATE"
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sqlite_is_new_enough() {
        // Before 3.51.3 a file in WAL mode could be damaged when the log was reset.
        assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
    }
}
