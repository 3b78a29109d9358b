//! The one place that reads the clock.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use futures::channel::oneshot;
use futures::future::BoxFuture;

use super::runtime::Runtime;

/// Tells the time and waits. Engines have one; tests give theirs a [`ManualClock`].
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
        let mut hands = self.lock();
        hands.sleepers.retain(|_, sleeper| !sleeper.is_canceled());
        let next = hands.sleepers.keys().next().map(|(at, _)| *at);
        next.map(|at| at.saturating_sub(hands.now))
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
                match self.until_next() {
                    Some(time) => self.advance(time),
                    None => return Poll::Pending,
                }
            }
        })
        .await
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
        if duration > Duration::ZERO {
            hands.sleepers.insert(key, wake);
        }
        drop(hands);
        Box::pin(async move {
            let _ = sleep.await;
        })
    }
}
