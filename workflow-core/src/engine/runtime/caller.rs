//! What the calling thread is needed for, and so whether it may block.

use std::cell::Cell;

/// The thread that asks to wait for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Caller {
    /// Nothing else is to be done on it.
    Free,
    /// It drives runs for those who started them: one of the library's pool.
    Pool,
    /// It is inside of an executor that goes on without it, but will not be entered again.
    Entered,
    /// It polls the tasks of a tokio runtime, which has other threads for that. Some tasks wait
    /// for this one nevertheless.
    Worker,
    /// It drives a tokio runtime that has no other thread.
    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "only tokio is asked"))]
    Only,
}

thread_local! {
    /// The thread is polling a driver which tokio does not make yield.
    static DRIVING: Cell<bool> = const { Cell::new(false) };
    static IN_POOL: Cell<bool> = const { Cell::new(false) };
}

/// Notes that the calling thread polls a driver.
pub(super) fn driving() -> Driving {
    Driving { outer: DRIVING.replace(true) }
}

/// Polls a driver until it is dropped.
pub(super) struct Driving {
    outer: bool,
}

impl Drop for Driving {
    fn drop(&mut self) {
        DRIVING.set(self.outer);
    }
}

/// Notes that the calling thread is one of the pool.
pub(super) fn join_pool() {
    IN_POOL.set(true);
}

impl Caller {
    /// The calling thread.
    pub(in crate::engine) fn here() -> Self {
        #[cfg(feature = "tokio")]
        if let Ok(handle) = tokio::runtime::Handle::try_current()
            && (DRIVING.get() || has_budget())
        {
            return match (handle.runtime_flavor(), tokio::task::try_id()) {
                (tokio::runtime::RuntimeFlavor::CurrentThread, _) => Self::Only,
                (_, Some(_)) => Self::Worker,
                // The future that `block_on` was called with: the workers do without this thread.
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

/// Whether tokio limits what the calling thread does in one turn. It does so wherever it polls
/// futures, and neither on its threads for blocking functions nor on threads that only hold a
/// handle. This is the one way to tell these apart that is documented and does not panic.
#[cfg(feature = "tokio")]
fn has_budget() -> bool {
    use std::task::{Context, Poll, Waker};

    use tokio::task::coop::poll_proceed;

    let mut cx = Context::from_waker(Waker::noop());
    // Dropped last, it sets the budget back to what it was.
    let Poll::Ready(_before) = poll_proceed(&mut cx) else { return true };
    for _ in 0..MOST_BUDGET {
        match poll_proceed(&mut cx) {
            Poll::Pending => return true,
            Poll::Ready(spent) => spent.made_progress(),
        }
    }
    false
}

/// No budget is larger: tokio counts it in a byte.
#[cfg(feature = "tokio")]
const MOST_BUDGET: u32 = 256;

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
