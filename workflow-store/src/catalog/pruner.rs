//! Periodic pruning, by one of the processes that share a store.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use workflow_core::error_text::io_reason;
use workflow_core::store::StoreError;

use super::{Catalog, CatalogError, Retention};

/// Prunes a store periodically until it is dropped.
///
/// Every process of a store may have one: the first in each period prunes, by
/// [`Catalog::prune_when_due`]. Failures are logged as warnings and retried.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use workflow_store::{Pruner, Retention, SqliteStore};
///
/// # pollster::block_on(async {
/// let store = Arc::new(SqliteStore::open(":memory:").await?);
/// let days = |days: u64| Some(Duration::from_secs(days * 24 * 3600));
/// let all = Retention { keep_for: days(30), ..Retention::default() };
/// let audits = Retention { workflow: Some("audit".into()), keep_for: days(365), keep_last: None };
/// let _pruner = Pruner::start(store, [all, audits], Pruner::EVERY)?;
/// # Ok::<(), workflow_core::store::StoreError>(())
/// # })?;
/// # Ok::<(), workflow_core::store::StoreError>(())
/// ```
#[derive(Debug)]
pub struct Pruner {
    over: Arc<Over>,
    thread: Option<JoinHandle<()>>,
}

/// Whether it must stop.
#[derive(Debug, Default)]
struct Over {
    is_over: Mutex<bool>,
    bell: Condvar,
}

/// The number of checks in a period, with bounds on their distance, so that another process soon
/// replaces one that died.
const LOOKS: u32 = 10;
const MOST_OFTEN: Duration = Duration::from_millis(10);
const LEAST_OFTEN: Duration = Duration::from_secs(60);

impl Pruner {
    /// The usual period: an hour.
    pub const EVERY: Duration = Duration::from_secs(3600);

    /// Starts a thread that prunes at once if due, and then once in every period.
    ///
    /// # Errors
    ///
    /// Fails when the thread cannot be started.
    pub fn start(
        store: Arc<dyn Catalog>,
        retentions: impl IntoIterator<Item = Retention>,
        every: Duration,
    ) -> Result<Self, StoreError> {
        let retentions: Vec<Retention> = retentions.into_iter().collect();
        let over = Arc::new(Over::default());
        let until = Arc::clone(&over);
        let thread = std::thread::Builder::new().name("workflow-pruner".to_owned());
        let work = move || {
            let pause = (every / LOOKS).clamp(MOST_OFTEN, LEAST_OFTEN);
            loop {
                tell(pollster::block_on(store.prune_when_due(&retentions, every)));
                if until.comes_within(pause) {
                    return;
                }
            }
        };
        let started = thread.spawn(work).map_err(|error| {
            let reason = io_reason(&error);
            let text = format!("cannot start the thread that deletes old runs: {reason}");
            StoreError::Unavailable(text.into())
        });
        Ok(Self { over, thread: Some(started?) })
    }
}

impl Drop for Pruner {
    fn drop(&mut self) {
        *self.over.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.over.bell.notify_all();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Over {
    fn comes_within(&self, time: Duration) -> bool {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.bell.wait_timeout_while(is_over, time, |is_over| !*is_over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn tell(pruned: Result<Option<u64>, CatalogError>) {
    match pruned {
        Ok(None | Some(0)) => {}
        Ok(Some(runs)) => tracing::info!(runs, "deleted old runs"),
        Err(error) => tracing::warn!(%error, "cannot delete old runs"),
    }
}
