//! Options of SQLite stores.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

/// The durability of acknowledged writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// Survives crashes of the process and the system, and power failures: the file is synced
    /// before the commit is acknowledged.
    #[default]
    Full,
    /// Survives crashes of the process. A power failure may undo the last writes, but never
    /// corrupts the file.
    Normal,
}

/// Options for opening a SQLite file.
///
/// ```
/// use workflow_store::{Durability, SqliteOptions};
///
/// # pollster::block_on(async {
/// let store = SqliteOptions::new().durability(Durability::Normal).open(":memory:").await?;
/// # drop(store);
/// # Ok::<(), workflow_core::store::StoreError>(())
/// # })?;
/// # Ok::<(), workflow_core::store::StoreError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    durability: Durability,
    busy_timeout: Duration,
    readers: usize,
    max_pages: Option<u32>,
    clock_offset: Arc<AtomicI64>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            busy_timeout: Duration::from_secs(5),
            readers: 2,
            max_pages: None,
            clock_offset: Arc::default(),
        }
    }
}

impl SqliteOptions {
    /// Creates the default options: `Full` durability, a busy timeout of five seconds, two reader
    /// threads.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the durability of acknowledged writes. Default: [`Durability::Full`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how long to wait for another process that writes. Default: five seconds.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets the number of reader threads, at least one. Default: two.
    pub fn reader_threads(mut self, readers: usize) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// Sets the largest size of the file, in pages of 4 KiB. Default: the limit of SQLite.
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = Some(pages);
        self
    }

    /// Sets an offset of the clock for leases, in microseconds, for tests with wrong clocks.
    #[doc(hidden)]
    pub fn clock_offset(mut self, offset: Arc<AtomicI64>) -> Self {
        self.clock_offset = offset;
        self
    }

    pub(crate) fn readers(&self) -> usize {
        self.readers
    }

    pub(super) fn timeout(&self) -> Duration {
        self.busy_timeout
    }

    pub(super) fn pages(&self) -> Option<u32> {
        self.max_pages
    }

    pub(super) fn offset(&self) -> Arc<AtomicI64> {
        self.clock_offset.clone()
    }

    pub(super) fn synchronous(&self) -> &'static str {
        match self.durability {
            Durability::Full => "FULL",
            Durability::Normal => "NORMAL",
        }
    }
}
