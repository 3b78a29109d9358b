//! How long a read may take: until its time is up, or until nobody waits for its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;

use crate::db::sql::{SqlError, SqlKind};

/// The longest that a read may take: shorter than the server's timeout of a request, so that the
/// answer says why.
pub(crate) const READ_TIME: Duration = Duration::from_secs(20);

/// When a read ends at the latest, and whether somebody waits for it.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    caller: Arc<Caller>,
}

/// Who waits for a read.
#[derive(Debug, Default)]
struct Caller {
    is_gone: AtomicBool,
    waker: AtomicWaker,
}

/// Says that nobody waits any more, when it is dropped.
pub(crate) struct CallerGuard(Arc<Caller>);

impl Deadline {
    /// A deadline so far ahead, and what the caller holds while it waits.
    pub(crate) fn after(time: Duration) -> (Self, CallerGuard) {
        let caller = Arc::<Caller>::default();
        (Self { at: Instant::now() + time, caller: caller.clone() }, CallerGuard(caller))
    }

    /// Whether there is nothing more to be done.
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

/// What is said of a read that was stopped.
pub(crate) fn too_slow() -> SqlError {
    let seconds = READ_TIME.as_secs();
    let text = format!("the query took longer than {seconds} s and was stopped; {ASK_FOR_LESS}");
    SqlError::new(SqlKind::Unavailable, text)
}

/// What helps against slow queries.
pub(crate) const ASK_FOR_LESS: &str =
    "ask for fewer items or with fewer conditions, or try again when the database has less to do";
