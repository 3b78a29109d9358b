//! Something that waits: the future of an attempt, or the alarm of a run.
//!
//! A job is polled once in place, with a waker that is used again for the next job when nobody
//! has kept it. Only a future that is not ready becomes a task of its own.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Wake;

use futures::future::BoxFuture;

use crate::engine::active::ActiveRun;
use crate::job::BodyFuture;
use crate::store::{Lease, StoreError};

/// What a task waits for.
pub(in crate::engine) enum Work {
    Attempt(Attempt),
    /// The next deadline of the run.
    Alarm(BoxFuture<'static, ()>),
    /// The store, which is to keep the events up to this number.
    Record {
        appended: BoxFuture<'static, Result<Lease, StoreError>>,
        until: usize,
    },
}

/// One attempt of a job under way.
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

/// Nothing to do until a wake.
const IDLE: u8 = 0;
/// In the line of tasks to poll.
const QUEUED: u8 = 1;
/// Being polled.
const POLLING: u8 = 2;
/// Being polled, and woken meanwhile.
const WOKEN: u8 = 3;

impl Task {
    /// A task whose future is being polled in place.
    pub(in crate::engine) fn polling(run: Weak<ActiveRun>) -> Arc<Self> {
        Arc::new(Self { run, state: AtomicU8::new(POLLING), work: Mutex::new(None) })
    }

    /// A task that stands in line for its first poll.
    pub(in crate::engine) fn queued(run: Weak<ActiveRun>, work: Work) -> Arc<Self> {
        Arc::new(Self { run, state: AtomicU8::new(QUEUED), work: Mutex::new(Some(work)) })
    }

    pub(in crate::engine) fn lock(&self) -> std::sync::MutexGuard<'_, Option<Work>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the work out of a task that was in line, to poll it.
    pub(in crate::engine) fn take(&self) -> Option<Work> {
        self.state.store(POLLING, Ordering::Release);
        self.lock().take()
    }

    /// Puts work back that is not ready. True when it was woken meanwhile, and stands in line.
    pub(in crate::engine) fn put_back(&self, work: Work) -> bool {
        *self.lock() = Some(work);
        self.rest()
    }

    /// Ends a poll. True when the task was woken meanwhile, and stands in line.
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
