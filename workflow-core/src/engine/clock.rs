//! The one place that reads the clock.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use futures::channel::oneshot;
use futures::future::BoxFuture;

use super::runtime::Runtime;

/// Tells the time and waits. Engines have one; tests give theirs a [`ManualClock`].
///
/// Engines call [`now`](Self::now) and [`sleep`](Self::sleep) under the lock of a run: they must
/// neither block nor call the run. A panic of theirs fails the run.
pub trait Clock: Send + Sync + 'static {
    /// Time since some fixed moment; never goes back.
    fn now(&self) -> Duration;

    /// The time of day, for people.
    fn time_of_day(&self) -> SystemTime;

    /// Ends after this time.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// What an engine tells the time with: the machine, directly, or a clock that it was given.
#[derive(Clone)]
pub(super) enum Time {
    Machine,
    Given(Arc<dyn Clock>),
}

impl Time {
    #[inline]
    pub(super) fn now(&self) -> Duration {
        match self {
            Self::Machine => SystemClock.now(),
            Self::Given(clock) => clock.now(),
        }
    }

    pub(super) fn time_of_day(&self) -> SystemTime {
        match self {
            Self::Machine => SystemTime::now(),
            Self::Given(clock) => clock.time_of_day(),
        }
    }

    /// Waits, on the machine with the timers of `runtime`.
    pub(super) fn sleep(&self, runtime: &Runtime, duration: Duration) -> BoxFuture<'static, ()> {
        match self {
            Self::Machine => runtime.sleep(duration),
            Self::Given(clock) => clock.sleep(duration),
        }
    }
}

/// The clock of the machine. Waits with the timers of the tokio runtime that it is used in, and
/// elsewhere with a timer thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }

    fn time_of_day(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Runtime::current().sleep(duration)
    }
}

/// A clock that stands still until it is moved, so that tests of hours take no time.
///
/// ```
/// use std::time::Duration;
/// use workflow_core::{Clock, ManualClock};
///
/// let clock = ManualClock::new();
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(clock.now(), Duration::from_secs(3600));
/// ```
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<Mutex<Hands>>);

#[derive(Debug, Default)]
struct Hands {
    now: Duration,
    /// Sleepers by the time at which they wake, and their number.
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    count: u64,
    /// Who waits for a sleeper to move the clock to.
    driving: Option<Waker>,
}

impl Hands {
    fn until_next(&mut self) -> Option<Duration> {
        self.sleepers.retain(|_, sleeper| !sleeper.is_canceled());
        let next = self.sleepers.keys().next().map(|(at, _)| *at);
        next.map(|at| at.saturating_sub(self.now))
    }
}

impl ManualClock {
    /// A clock that stands at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock, and wakes whoever has slept long enough.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.lock();
        hands.now += by;
        let first_later = (hands.now + Duration::from_nanos(1), 0);
        let later = hands.sleepers.split_off(&first_later);
        let due = std::mem::replace(&mut hands.sleepers, later);
        drop(hands);
        for (_, sleeper) in due {
            // One that is no longer waited for has nobody to tell.
            let _ = sleeper.send(());
        }
    }

    /// The time that must pass until the next sleeper wakes; `None` when nobody sleeps.
    pub fn until_next(&self) -> Option<Duration> {
        self.lock().until_next()
    }

    /// Awaits, and moves the clock to the next sleeper whenever nothing else is left to do.
    ///
    /// For engines with [`threads(1)`](super::EngineBuilder::threads): of work on other threads
    /// the clock knows nothing.
    ///
    /// ```
    /// use std::time::Duration;
    /// use workflow_core::prelude::*;
    /// use workflow_core::{Clock, ManualClock};
    ///
    /// #[register_workflow(name = "patient")]
    /// async fn patient(ctx: JobContext) { ctx.sleep(Duration::from_secs(86_400)).await }
    ///
    /// # fn main() -> Result<(), RunError> {
    /// let clock = ManualClock::new();
    /// let engine = Engine::builder().clock(clock.clone()).threads(1).build();
    /// futures::executor::block_on(clock.drive(engine.run("patient").into_future()))?;
    /// assert_eq!(clock.now(), Duration::from_secs(86_400));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn drive<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(output) = future.as_mut().poll(cx) {
                    return Poll::Ready(output);
                }
                match self.until_next_or_wake(cx.waker()) {
                    Some(time) => self.advance(time),
                    None => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// As [`until_next`](Self::until_next); when nobody sleeps, wakes this with the next sleeper.
    fn until_next_or_wake(&self, waker: &Waker) -> Option<Duration> {
        let mut hands = self.lock();
        let next = hands.until_next();
        if next.is_none() {
            hands.driving = Some(waker.clone());
        }
        next
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Hands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        self.lock().now
    }

    fn time_of_day(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let (wake, sleep) = oneshot::channel();
        let mut hands = self.lock();
        hands.count += 1;
        let key = (hands.now.saturating_add(duration), hands.count);
        let mut driving = None;
        if duration > Duration::ZERO {
            hands.sleepers.insert(key, wake);
            driving = hands.driving.take();
        }
        drop(hands);
        // Somebody on another thread may be waiting for a sleeper.
        driving.into_iter().for_each(Waker::wake);
        Box::pin(async move {
            let _ = sleep.await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_drives_hears_of_sleepers_on_other_threads() {
        let (clock, (wake, waked)) = (ManualClock::new(), oneshot::channel::<()>());
        let mut driven = pin!(clock.drive(waked));
        let told = Arc::new(Told::default());
        let waker = Waker::from(told.clone());
        let mut cx = std::task::Context::from_waker(&waker);
        assert!(driven.as_mut().poll(&mut cx).is_pending());
        let sleep = clock.sleep(Duration::from_secs(60));
        assert!(told.0.load(std::sync::atomic::Ordering::SeqCst), "nobody was told");
        assert!(driven.as_mut().poll(&mut cx).is_pending());
        futures::executor::block_on(sleep);
        drop(wake);
    }

    #[derive(Default)]
    struct Told(std::sync::atomic::AtomicBool);

    impl std::task::Wake for Told {
        fn wake(self: Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
}
