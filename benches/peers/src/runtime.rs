//! The two-worker runtime shared by all contenders that require one.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

use crate::contender::Place;

/// The number of workers of every parallel contender.
pub const WORKERS: usize = 2;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_time()
        .build()
        .expect("the runtime starts")
});

/// Runs `future` to its end, from `place`.
pub fn run_from<F>(place: Place, future: F) -> F::Output
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    match place {
        Place::Main => block_on(future),
        Place::Worker => {
            let task = RUNTIME.spawn(future);
            block_on(task).expect("the future does not panic")
        }
    }
}

/// Runs `future` to its end on the main thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}
