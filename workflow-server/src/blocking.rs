//! Work that keeps a processor busy, such as parsing a large file: done on threads that may block,
//! a few at a time, so that those that serve requests go on.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::problem::Problem;

/// Does one kind of work, so many at a time.
pub(crate) struct Blocking {
    turns: Arc<Semaphore>,
}

impl Blocking {
    pub(crate) fn new(at_once: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(at_once)) }
    }

    /// Waits for a turn, and does the work. It keeps its turn to its end, whether or not somebody
    /// still waits for it.
    ///
    /// # Errors
    ///
    /// Fails when it panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.turns.clone().acquire_owned().await.map_err(Problem::internal)?;
        let worked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        worked.await.map_err(Problem::internal)
    }
}
