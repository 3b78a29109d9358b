//! The runtime of a run, for its tasks, blocking functions and timers: the tokio runtime of the
//! caller, or threads of the library. Knows no runs.

mod caller;
mod pool;
mod timer;
#[cfg(feature = "tokio")]
mod tokio_clock;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;

pub(super) use caller::Caller;

use super::clock::Clock;

/// Where tasks and blocking functions run.
#[derive(Clone)]
pub(super) enum Runtime {
    /// The tokio runtime that the caller is in.
    #[cfg(feature = "tokio")]
    Tokio(tokio::runtime::Handle),
    /// Threads of the library: a pool for tasks, and threads that a run starts for functions that
    /// block. Also used under any other executor.
    Own,
}

impl Runtime {
    /// The caller's runtime.
    pub(super) fn current() -> Self {
        #[cfg(feature = "tokio")]
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            return Self::Tokio(handle);
        }
        Self::Own
    }

    /// The runtime to use while the calling thread is blocked: not a tokio runtime with a single
    /// thread, which may be the blocked one.
    pub(super) fn for_blocked_thread() -> Self {
        match Self::current() {
            runtime if !runtime.has_threads() => Self::Own,
            runtime => runtime,
        }
    }

    /// Whether this is the caller's runtime.
    pub(super) fn is_current(&self) -> bool {
        match (self, Self::current()) {
            #[cfg(feature = "tokio")]
            (Self::Tokio(this), Self::Tokio(current)) => this.id() == current.id(),
            (Self::Own, Self::Own) => true,
            #[cfg(feature = "tokio")]
            _ => false,
        }
    }

    /// Whether futures may be polled on several threads.
    pub(super) fn has_threads(&self) -> bool {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(handle) => {
                handle.runtime_flavor() != tokio::runtime::RuntimeFlavor::CurrentThread
            }
            Self::Own => true,
        }
    }

    /// Whether tasks move between worker threads of tokio.
    pub(super) fn has_workers(&self) -> bool {
        !matches!(self, Self::Own) && self.has_threads()
    }

    /// The clock of the runtime, if a test has paused its time.
    pub(super) fn paused_clock(&self) -> Option<Arc<dyn Clock>> {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(handle) => {
                let clock = tokio_clock::TokioClock::of_paused(handle)?;
                Some(Arc::new(clock))
            }
            Self::Own => None,
        }
    }

    /// Runs a future in the background.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(handle) => drop(handle.spawn(unconstrained(Box::pin(future)))),
            Self::Own => pool::spawn(Box::pin(future)),
        }
    }

    /// Calls a function on a thread that may block. Returns false if no thread can be started.
    pub(super) fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static) -> bool {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(handle) => {
                handle.spawn_blocking(work);
                true
            }
            Self::Own => {
                let thread = std::thread::Builder::new().name("workflow-job".to_owned());
                thread.spawn(work).is_ok()
            }
        }
    }

    /// Returns a future that ends after this duration.
    pub(super) fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        match self.paused_clock() {
            Some(clock) => clock.sleep(duration),
            None => sleep(duration),
        }
    }
}

/// Returns a future that ends after this duration, by the machine's clock.
///
/// Does not use the timers of tokio: a runtime without timers panics, and there is no other way to
/// find out (docs/decisions/0020).
pub(super) fn sleep(duration: Duration) -> BoxFuture<'static, ()> {
    Box::pin(timer::Sleep::new(duration))
}

/// Schedules the caller to be polled again after all other tasks of its executor.
///
/// Tokio delays some wakes until it has nothing else to do, among them those of `yield_now`. This
/// wake must not overtake them.
pub(super) fn yield_once(cx: &mut Context<'_>) {
    #[cfg(feature = "tokio")]
    if tokio::runtime::Handle::try_current().is_ok() {
        let turn = std::pin::pin!(tokio::task::yield_now());
        if turn.poll(cx).is_pending() {
            return;
        }
    }
    cx.waker().wake_by_ref();
}

/// A future without tokio's cooperative budget: a driver polls many futures in one turn, and yields
/// by itself.
pub(super) struct Unconstrained<F>(Inner<F>);

#[cfg(feature = "tokio")]
type Inner<F> = tokio::task::coop::Unconstrained<F>;
#[cfg(not(feature = "tokio"))]
type Inner<F> = F;

pub(super) fn unconstrained<F: Future>(future: F) -> Unconstrained<F> {
    #[cfg(feature = "tokio")]
    let future = tokio::task::coop::unconstrained(future);
    Unconstrained(future)
}

impl<F: Future + Unpin> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _driving = caller::driving();
        Pin::new(&mut self.0).poll(cx)
    }
}
