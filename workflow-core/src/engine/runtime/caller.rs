//! Finds out whether the calling thread may block, from what else it is needed for.

use std::cell::Cell;

/// The kind of thread that wants to wait for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Caller {
    /// Not needed for anything else.
    Free,
    /// A thread of the library's pool, which drives runs in the background.
    Pool,
    /// Inside of an executor that continues without it, but must not be entered again.
    Entered,
    /// A worker of a multi-thread tokio runtime. Other workers continue, but some tasks wait for
    /// this one.
    Worker,
    /// The only thread that drives a tokio runtime.
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "only tokio is asked"))]
    Only,
}

thread_local! {
    /// Whether the thread is polling a driver, which has no budget.
    static DRIVING: Cell<bool> = const { Cell::new(false) };
    static IN_POOL: Cell<bool> = const { Cell::new(false) };
}

/// Marks the calling thread as polling a driver, until the guard is dropped.
pub(super) fn driving() -> Driving {
    Driving { outer: DRIVING.replace(true) }
}

/// The guard of [`driving`].
pub(super) struct Driving {
    outer: bool,
}

impl Drop for Driving {
    fn drop(&mut self) {
        DRIVING.set(self.outer);
    }
}

/// Marks the calling thread as one of the pool.
pub(super) fn join_pool() {
    IN_POOL.set(true);
}

impl Caller {
    /// Returns the kind of the calling thread.
    pub(in crate::engine) fn here() -> Self {
        #[cfg(feature = "tokio")]
        if let Ok(handle) = tokio::runtime::Handle::try_current()
            && (DRIVING.get() || has_budget())
        {
            return match (handle.runtime_flavor(), tokio::task::try_id()) {
                (tokio::runtime::RuntimeFlavor::CurrentThread, _) => Self::Only,
                (_, Some(_)) => Self::Worker,
                // The thread that called `block_on`. The workers continue without it.
                (_, None) => Self::Entered,
            };
        }
        if IN_POOL.get() {
            Self::Pool
        } else if futures::executor::enter().is_err() {
            Self::Entered
        } else {
            Self::Free
        }
    }
}

/// Whether the calling thread has a cooperative budget of tokio. Threads that poll futures have
/// one. Threads for blocking functions, and threads that only hold a handle, have none. No other
/// documented way tells these apart without a panic.
#[cfg(feature = "tokio")]
fn has_budget() -> bool {
    use std::task::{Context, Poll, Waker};

    use tokio::task::coop::poll_proceed;

    let mut cx = Context::from_waker(Waker::noop());
    // Dropped last, which restores the budget.
    let Poll::Ready(_before) = poll_proceed(&mut cx) else { return true };
    for _ in 0..MAX_BUDGET {
        match poll_proceed(&mut cx) {
            Poll::Pending => return true,
            Poll::Ready(spent) => spent.made_progress(),
        }
    }
    false
}

/// The largest budget, because tokio counts it in a byte.
#[cfg(feature = "tokio")]
const MAX_BUDGET: u32 = 256;

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use super::*;

    fn on_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(work).join().expect("no panic"))
    }

    #[test]
    fn a_runtime_with_one_thread_needs_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
        runtime.block_on(async {
            assert_eq!(Caller::here(), Caller::Only);
            let task = tokio::spawn(async { (Caller::here(), has_budget(), has_budget()) });
            assert_eq!(task.await.expect("no panic"), (Caller::Only, true, true));
            let blocking = tokio::task::spawn_blocking(Caller::here).await.expect("no panic");
            assert_eq!(blocking, Caller::Free);
            let local = tokio::task::LocalSet::new();
            local.run_until(async { assert_eq!(Caller::here(), Caller::Only) }).await;
            unconstrained(async { assert_eq!(Caller::here(), Caller::Only) }).await;
        });
        let _context = runtime.enter();
        assert_eq!(Caller::here(), Caller::Free);
    }

    #[test]
    fn a_runtime_with_workers_does_without_the_thread_that_blocks_on_it() {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).build().expect("it starts");
        runtime.block_on(async {
            assert_eq!(Caller::here(), Caller::Entered);
            let task =
                tokio::spawn(async { (Caller::here(), tokio::task::block_in_place(Caller::here)) });
            assert_eq!(task.await.expect("no panic"), (Caller::Worker, Caller::Free));
            let blocking = tokio::task::spawn_blocking(Caller::here).await.expect("no panic");
            assert_eq!(blocking, Caller::Free);
        });
    }

    #[test]
    fn asking_leaves_the_budget_as_it_was() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
        let spent = |runtime: &tokio::runtime::Runtime, asks: u32| {
            runtime.block_on(async {
                (0..asks).for_each(|_| assert!(has_budget()));
                std::future::poll_fn(|cx| {
                    let mut left = 0;
                    while let std::task::Poll::Ready(spent) = tokio::task::coop::poll_proceed(cx) {
                        spent.made_progress();
                        left += 1;
                        assert!(left < 1000);
                    }
                    std::task::Poll::Ready(left)
                })
                .await
            })
        };
        assert_eq!(spent(&runtime, 0), spent(&runtime, 3));
    }

    #[test]
    fn other_threads_are_free() {
        assert_eq!(on_thread(Caller::here), Caller::Free);
        assert_eq!(futures::executor::block_on(async { Caller::here() }), Caller::Entered);
        assert_eq!(Caller::here(), Caller::Free);
        assert_eq!(smol::block_on(async { Caller::here() }), Caller::Free);
    }

    use super::super::unconstrained as ours;

    async fn unconstrained<F: std::future::Future>(future: F) -> F::Output {
        ours(Box::pin(future)).await
    }
}
