//! Deadlines of reads: the time limit, or the moment when the caller stops waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;

use crate::db::sql::{SqlError, SqlKind};

/// The longest duration of a read: shorter than the server's request timeout, so that the response
/// gives the reason.
pub(crate) const READ_TIME: Duration = Duration::from_secs(20);

/// The latest end of a read, and whether its caller is still waiting.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    caller: Arc<Caller>,
}

/// The caller of a read.
#[derive(Debug, Default)]
struct Caller {
    is_gone: AtomicBool,
    waker: AtomicWaker,
}

/// Marks the caller as gone when it is dropped.
pub(crate) struct CallerGuard(Arc<Caller>);

impl Deadline {
    /// Makes a deadline, and a guard that the caller keeps while it waits.
    pub(crate) fn after(time: Duration) -> (Self, CallerGuard) {
        let caller = Arc::<Caller>::default();
        (Self { at: Instant::now() + time, caller: caller.clone() }, CallerGuard(caller))
    }

    /// Checks that the read should continue.
    ///
    /// # Errors
    ///
    /// Fails when the time is up, or the caller is gone.
    pub(crate) fn check(&self) -> Result<(), SqlError> {
        match self.is_over() {
            true => Err(too_slow()),
            false => Ok(()),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.caller.is_gone.load(Ordering::Acquire) || Instant::now() >= self.at
    }

    /// Waits until the caller is gone.
    #[cfg(feature = "postgres")]
    pub(crate) async fn abandoned(&self) {
        use std::task::Poll;

        std::future::poll_fn(|cx| {
            self.caller.waker.register(cx.waker());
            match self.caller.is_gone.load(Ordering::Acquire) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

impl Drop for CallerGuard {
    fn drop(&mut self) {
        self.0.is_gone.store(true, Ordering::Release);
        self.0.waker.wake();
    }
}

/// The error of a read that was stopped.
pub(crate) fn too_slow() -> SqlError {
    let seconds = READ_TIME.as_secs();
    let text = format!("the query took longer than {seconds} s and was stopped; {ASK_FOR_LESS}");
    SqlError::new(SqlKind::Unavailable, text)
}

/// The cure for slow queries.
pub(crate) const ASK_FOR_LESS: &str =
    "request fewer items or use fewer conditions, or try again when the database is less busy";
