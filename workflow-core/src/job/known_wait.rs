//! Waits that the engine knows: for a signal, a durable sleep, a called job, or a child run.
//!
//! An attempt with only such waits can be dropped, and made again when a wait ends. Known waits hold
//! weak references to the attempt's task: whoever else could wake it holds a strong one. So the
//! number of strong references tells whether the attempt waits for something that the engine does
//! not know.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

/// A task that polls an attempt.
pub(crate) trait PollingTask: Send + Sync {
    /// A waker of the task that does not count as a reference to it.
    fn weak_waker(self: Arc<Self>) -> Waker;
}

thread_local! {
    /// The task that polls an attempt on this thread.
    static POLLING: RefCell<Option<Arc<dyn PollingTask>>> = const { RefCell::new(None) };
}

/// Sets the task that polls an attempt on this thread, until the guard is dropped.
pub(crate) fn enter_task(task: Arc<dyn PollingTask>) -> TaskGuard {
    TaskGuard(POLLING.with(|polling| polling.replace(Some(task))))
}

/// Restores the task before.
pub(crate) struct TaskGuard(Option<Arc<dyn PollingTask>>);

impl Drop for TaskGuard {
    fn drop(&mut self) {
        let before = self.0.take();
        drop(POLLING.with(|polling| polling.replace(before)));
    }
}

/// Awaits a future that is a known wait.
pub(crate) async fn known_wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let waker = known_waker(cx.waker());
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

/// The waker for a known wait: a weak one, if it is that of the task which polls here. Combinators
/// such as `FuturesUnordered` have wakers of their own, and count as unknown.
pub(crate) fn known_waker(waker: &Waker) -> Waker {
    let task = POLLING.with(|polling| {
        let polling = polling.borrow();
        polling.as_ref().filter(|task| waker.data() == Arc::as_ptr(task).cast()).cloned()
    });
    task.map_or_else(|| waker.clone(), PollingTask::weak_waker)
}
