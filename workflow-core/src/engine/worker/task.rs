//! Tasks: work of a run that waits to be woken, such as the future of an attempt or a timer.
//!
//! A job is polled once in place, with a waker that is reused for the next job unless somebody
//! holds it. Only a future that is not ready becomes a task. Tasks do not know how their work ends.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Wake;

use futures::future::BoxFuture;

use crate::engine::active::ActiveRun;
use crate::job::BodyFuture;
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
        Arc::new(Self { run, state: AtomicU8::new(POLLING), work: Mutex::new(None) })
    }

    /// Creates a task that is queued for its first poll.
    pub(in crate::engine) fn queued(run: Weak<ActiveRun>, work: Work) -> Arc<Self> {
        Arc::new(Self { run, state: AtomicU8::new(QUEUED), work: Mutex::new(Some(work)) })
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
