//! Which executor surrounds a run: tokio's, when there is one, or none that we need to know.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use futures::executor::ThreadPool;
use futures::future::BoxFuture;

/// Where tasks, blocking functions and timers go.
#[derive(Clone)]
pub(super) enum Runtime {
    /// The tokio runtime that the caller is in.
    #[cfg(feature = "tokio")]
    Tokio(tokio::runtime::Handle),
    /// Threads of our own: a pool for tasks, those that a run starts for functions that block, and
    /// one for timers. Any other executor's futures run there as well.
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
    /// thread may have no other to drive its timers.
    pub(super) fn for_blocked_thread() -> Self {
        match Self::current() {
            #[cfg(feature = "tokio")]
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

    /// Drives a future in the background.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        match self {
            #[cfg(feature = "tokio")]
            Self::Tokio(handle) => {
                handle.spawn(unconstrained(future));
            }
            Self::Own => match pool() {
                Some(pool) => pool.spawn_ok(future),
                // Not even one thread was to be had, so the caller's must do.
                None => pollster::block_on(future),
            },
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
        #[cfg(feature = "tokio")]
        if let Self::Tokio(handle) = self
            && let Some(sleep) = tokio_sleep(handle, duration)
        {
            return sleep;
        }
        Box::pin(futures_timer::Delay::new(duration))
    }
}

/// A sleep on tokio's timers; `None` when the runtime was built without them, which tokio tells
/// only by a panic.
#[cfg(feature = "tokio")]
fn tokio_sleep(
    handle: &tokio::runtime::Handle,
    duration: Duration,
) -> Option<BoxFuture<'static, ()>> {
    use std::collections::HashMap;
    use std::sync::{Mutex, PoisonError};

    static TIMERS: Mutex<Option<HashMap<tokio::runtime::Id, bool>>> = Mutex::new(None);
    let mut timers = TIMERS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = timers.get_or_insert_default();
    let _context = handle.enter();
    let has_timers = *known.entry(handle.id()).or_insert_with(|| {
        std::panic::catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok()
    });
    has_timers.then(|| Box::pin(tokio::time::sleep(duration)) as BoxFuture<'static, ()>)
}

/// A future that tokio does not make yield: a driver polls many futures in one turn, and yields
/// by itself.
#[cfg(feature = "tokio")]
pub(super) type Unconstrained<F> = tokio::task::coop::Unconstrained<F>;
/// The future as it is.
#[cfg(not(feature = "tokio"))]
pub(super) type Unconstrained<F> = F;

#[cfg(feature = "tokio")]
pub(super) fn unconstrained<F>(future: F) -> Unconstrained<F> {
    tokio::task::coop::unconstrained(future)
}

#[cfg(not(feature = "tokio"))]
pub(super) fn unconstrained<F>(future: F) -> Unconstrained<F> {
    future
}

fn pool() -> Option<&'static ThreadPool> {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    POOL.get_or_init(|| ThreadPool::builder().name_prefix("workflow-").create().ok()).as_ref()
}
