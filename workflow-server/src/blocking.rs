//! Work that blocks or needs the CPU, such as parsing a large file. It runs on blocking threads with limited
//! concurrency, so that it does not delay other requests.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::problem::Problem;

/// Runs one kind of such work with limited concurrency.
pub(crate) struct Blocking {
    permits: Arc<Semaphore>,
}

impl Blocking {
    pub(crate) fn new(concurrency: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(concurrency)) }
    }

    /// Waits for a permit and runs the work. The work holds its permit until it ends, even if this
    /// future is dropped.
    ///
    /// # Errors
    ///
    /// Fails if the work panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = self.permits.clone().acquire_owned().await.map_err(Problem::internal)?;
        let result = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        result.await.map_err(Problem::internal)
    }
}
