//! Tasks: work of a run that waits to be woken, such as the future of an attempt or a timer.
//!
//! A job is polled once in place, with a waker that is reused for the next job unless somebody
//! holds it. Only a future that is not ready becomes a task. Tasks do not know how their work ends.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Wake, Waker};

use futures::future::BoxFuture;

use crate::engine::active::ActiveRun;
use crate::job::{BodyFuture, PollingTask};
use crate::store::{Lease, StoreError};

/// The work of a task.
pub(in crate::engine) enum Work {
    Attempt(Attempt),
    /// The next deadline of the run.
    Alarm(BoxFuture<'static, ()>),
    /// A write to the store of the events up to this number.
    Record {
        appended: BoxFuture<'static, Result<Lease, StoreError>>,
        until: usize,
    },
}

/// A running attempt of a job.
pub(in crate::engine) struct Attempt {
    pub(in crate::engine) job: u32,
    pub(in crate::engine) attempt: u32,
    pub(in crate::engine) future: BodyFuture,
    pub(in crate::engine) span: tracing::Span,
}

pub(in crate::engine) struct Task {
    run: Weak<ActiveRun>,
    state: AtomicU8,
    /// Present while the task waits.
    work: Mutex<Option<Work>>,
    /// The waker for waits that the engine knows, once there is one.
    weak_waker: OnceLock<Waker>,
}

/// Waits for a wake.
const IDLE: u8 = 0;
/// Queued to be polled.
const QUEUED: u8 = 1;
/// Being polled.
const POLLING: u8 = 2;
/// Being polled, and woken meanwhile.
const WOKEN: u8 = 3;

impl Task {
    /// Creates a task whose future is being polled in place.
    pub(in crate::engine) fn polling(run: Weak<ActiveRun>) -> Arc<Self> {
        Self::new(run, POLLING, None)
    }

    /// Creates a task that is queued for its first poll.
    pub(in crate::engine) fn queued(run: Weak<ActiveRun>, work: Work) -> Arc<Self> {
        Self::new(run, QUEUED, Some(work))
    }

    fn new(run: Weak<ActiveRun>, state: u8, work: Option<Work>) -> Arc<Self> {
        let (state, work) = (AtomicU8::new(state), Mutex::new(work));
        Arc::new(Self { run, state, work, weak_waker: OnceLock::new() })
    }

    pub(in crate::engine) fn lock(&self) -> std::sync::MutexGuard<'_, Option<Work>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the work out of a queued task, to poll it.
    pub(in crate::engine) fn take(&self) -> Option<Work> {
        self.state.store(POLLING, Ordering::Release);
        self.lock().take()
    }

    /// Puts back work that is not ready. Returns true if it was woken meanwhile and must be queued.
    pub(in crate::engine) fn put_back(&self, work: Work) -> bool {
        *self.lock() = Some(work);
        self.rest()
    }

    /// The job whose attempt waits in this task.
    pub(in crate::engine) fn job(&self) -> Option<u32> {
        match &*self.lock() {
            Some(Work::Attempt(attempt)) => Some(attempt.job),
            _ => None,
        }
    }

    /// Whether it waits for a wake.
    pub(in crate::engine) fn is_idle(&self) -> bool {
        self.state.load(Ordering::Acquire) == IDLE
    }

    /// Ends a poll. Returns true if the task was woken meanwhile and must be queued.
    fn rest(&self) -> bool {
        let idle = self.state.compare_exchange(POLLING, IDLE, Ordering::AcqRel, Ordering::Acquire);
        if idle.is_err() {
            self.state.store(QUEUED, Ordering::Release);
        }
        idle.is_err()
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
        if before == Ok(IDLE)
            && let Some(run) = self.run.upgrade()
        {
            run.woken(Arc::clone(self));
        }
    }
}

impl PollingTask for Task {
    fn weak_waker(self: Arc<Self>) -> Waker {
        let create = || Waker::from(Arc::new(WeakWake(Arc::downgrade(&self))));
        self.weak_waker.get_or_init(create).clone()
    }
}

/// Wakes a task, and does not count as a reference to it.
struct WeakWake(Weak<Task>);

impl Wake for WeakWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(task) = self.0.upgrade() {
            task.wake();
        }
    }
}
