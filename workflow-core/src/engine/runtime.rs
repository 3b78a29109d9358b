//! Which executor surrounds a run: tokio's, when there is one, or none that we need to know.

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

/// Where tasks and blocking functions go.
#[derive(Clone)]
pub(super) enum Runtime {
    /// The tokio runtime that the caller is in.
    #[cfg(feature = "tokio")]
    Tokio(tokio::runtime::Handle),
    /// Threads of our own: a pool for tasks, and those that a run starts for functions that block.
    /// Any other executor's futures run there as well.
    Own,
}

impl Runtime {
    /// The runtime that the caller is in.
    pub(super) fn current() -> Self {
        #[cfg(feature = "tokio")]
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            return Self::Tokio(handle);
        }
        Self::Own
    }

    /// The runtime to use while the calling thread is blocked: a tokio runtime with a single
    /// thread may have no other to go on with.
    pub(super) fn for_blocked_thread() -> Self {
        match Self::current() {
            runtime if !runtime.has_threads() => Self::Own,
            runtime => runtime,
        }
    }

    /// Whether the caller is in this runtime.
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

    /// Whether tasks go from one thread to another while tokio polls them.
    pub(super) fn has_workers(&self) -> bool {
        !matches!(self, Self::Own) && self.has_threads()
    }

    /// The clock of the runtime, where a test has paused time and it is not the machine's.
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

    /// Drives a future in the background.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(handle) => drop(handle.spawn(unconstrained(Box::pin(future)))),
            Self::Own => pool::spawn(Box::pin(future)),
        }
    }

    /// Calls a function on a thread that may block. False when no thread is to be had.
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

    /// A future that ends after this time.
    pub(super) fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        match self.paused_clock() {
            Some(clock) => clock.sleep(duration),
            None => sleep(duration),
        }
    }
}

/// Ends after this time of the machine.
///
/// Not on the timers of tokio, even where there are some: a runtime may have been built without
/// them, and says so by a panic only (docs/decisions/0020).
pub(super) fn sleep(duration: Duration) -> BoxFuture<'static, ()> {
    Box::pin(timer::Sleep::new(duration))
}

/// Has the caller polled again once its executor has gone round.
///
/// Tokio holds some wakes back until it has nothing else to do, `yield_now` among them: this one
/// must not overtake those.
pub(super) fn go_round(cx: &mut Context<'_>) {
    #[cfg(feature = "tokio")]
    if tokio::runtime::Handle::try_current().is_ok() {
        let turn = std::pin::pin!(tokio::task::yield_now());
        if turn.poll(cx).is_pending() {
            return;
        }
    }
    cx.waker().wake_by_ref();
}

/// A future that tokio does not make yield: a driver polls many futures in one turn, and yields
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
