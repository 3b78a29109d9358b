//! A thread pool for runs that were started outside of tokio.
//!
//! Unlike the pool of `futures`, its threads do not count as inside of an executor, so that a job
//! that is polled here may call an executor of its own.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures::future::BoxFuture;

/// Runs a future on the pool. If the pool has no thread, runs it on the calling thread.
pub(super) fn spawn(future: BoxFuture<'static, ()>) {
    match pool() {
        Some(pool) => {
            let task = Task { pool, future: Mutex::new(Some(future)), state: QUEUED.into() };
            pool.push(Arc::new(task));
        }
        None => pollster::block_on(future),
    }
}

struct Pool {
    queue: Mutex<VecDeque<Arc<Task>>>,
    condvar: Condvar,
}

struct Task {
    pool: &'static Pool,
    /// `None` once it has ended.
    future: Mutex<Option<BoxFuture<'static, ()>>>,
    state: AtomicU8,
}

/// Waits for a wake.
const IDLE: u8 = 0;
/// Queued, or ended.
const QUEUED: u8 = 1;
/// Being polled.
const POLLING: u8 = 2;
/// Being polled, and woken meanwhile.
const WOKEN: u8 = 3;

fn pool() -> Option<&'static Pool> {
    static POOL: OnceLock<Option<&'static Pool>> = OnceLock::new();
    *POOL.get_or_init(|| {
        let pool = Box::leak(Box::new(Pool { queue: Mutex::default(), condvar: Condvar::new() }));
        let pool: &'static Pool = pool;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let started = (0..threads).filter(|number| {
            let thread = std::thread::Builder::new().name(format!("workflow-{number}"));
            thread.spawn(|| pool.work()).is_ok()
        });
        (started.count() > 0).then_some(pool)
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    fn push(&self, task: Arc<Task>) {
        lock(&self.queue).push_back(task);
        self.condvar.notify_one();
    }

    fn work(&self) {
        super::caller::join_pool();
        loop {
            let waited = self.condvar.wait_while(lock(&self.queue), |queue| queue.is_empty());
            let task = waited.unwrap_or_else(PoisonError::into_inner).pop_front();
            if let Some(task) = task {
                task.run();
            }
        }
    }
}

impl Task {
    fn run(self: Arc<Self>) {
        self.state.store(POLLING, Ordering::Release);
        let waker = Waker::from(Arc::clone(&self));
        let mut slot = lock(&self.future);
        let Some(future) = slot.as_mut() else { return };
        let poll = || future.as_mut().poll(&mut Context::from_waker(&waker));
        // A panic ends the future, but not the thread.
        if !matches!(catch_unwind(AssertUnwindSafe(poll)), Ok(Poll::Pending)) {
            self.state.store(QUEUED, Ordering::Release);
            let ended = slot.take();
            drop(slot);
            let _ = catch_unwind(AssertUnwindSafe(|| drop(ended)));
            return;
        }
        drop(slot);
        let idle = self.state.compare_exchange(POLLING, IDLE, Ordering::AcqRel, Ordering::Acquire);
        if idle.is_err() {
            self.state.store(QUEUED, Ordering::Release);
            self.pool.push(Arc::clone(&self));
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let after_wake = |state| match state {
            IDLE => Some(QUEUED),
            POLLING => Some(WOKEN),
            _ => None,
        };
        let before = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, after_wake);
        if before == Ok(IDLE) {
            self.pool.push(Arc::clone(self));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_panic_costs_no_thread() {
        let (done, results) = mpsc::channel();
        for number in 0..50 {
            let done = done.clone();
            spawn(Box::pin(async move {
                let _done = Done(done);
                assert!(number % 2 == 0, "as asked");
            }));
        }
        drop(done);
        assert_eq!(results.iter().count(), 50);
    }

    struct Done(mpsc::Sender<()>);

    impl Drop for Done {
        fn drop(&mut self) {
            self.0.send(()).expect("someone waits");
        }
    }

    #[test]
    fn a_task_that_wakes_itself_is_polled_again() {
        let (done, results) = mpsc::channel();
        for _ in 0..20 {
            let (done, mut left) = (done.clone(), 100);
            spawn(Box::pin(std::future::poll_fn(move |cx| {
                left -= 1;
                let waker = cx.waker().clone();
                if left == 0 {
                    done.send(()).expect("someone waits");
                    return Poll::Ready(());
                }
                // Also from another thread, so that the wake may come while the task is polled.
                if left % 10 == 0 {
                    std::thread::spawn(move || waker.wake());
                } else {
                    waker.wake();
                }
                Poll::Pending
            })));
        }
        drop(done);
        assert_eq!(results.iter().count(), 20);
    }
}
