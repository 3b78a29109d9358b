//! How a file of SQLite is opened.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

/// What is certain once a store has said that something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// It outlives a crash of the process, of the system, and a loss of power: the file is synced
    /// before the commit is acknowledged.
    #[default]
    Full,
    /// It outlives a crash of the process. A loss of power may undo the last moments, and never
    /// damages the file.
    Normal,
}

/// How a file of SQLite is opened.
///
/// ```
/// use workflow_store::{Durability, SqliteOptions};
///
/// # pollster::block_on(async {
/// let store = SqliteOptions::new().durability(Durability::Normal).open(":memory:").await?;
/// # drop(store);
/// # Ok::<(), workflow_core::StoreError>(())
/// # })?;
/// # Ok::<(), workflow_core::StoreError>(())
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
    /// `Full` durability, a busy timeout of five seconds, two threads that read.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is certain once something is said to be kept. Default: [`Durability::Full`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long to wait for another process that writes. Default: five seconds.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// How many threads read, at least one. Default: two.
    pub fn reader_threads(mut self, readers: usize) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// The most pages, of 4 KiB each, that the file may have. Default: what SQLite allows.
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = Some(pages);
        self
    }

    /// Judges leases by a clock that is off by so many microseconds, for tests of clocks that
    /// are wrong.
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
