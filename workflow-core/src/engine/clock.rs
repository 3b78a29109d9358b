//! The engine's time: the trait [`Clock`], and the only code that reads the clock of the machine.

mod manual;

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use futures::future::BoxFuture;

use super::runtime::Runtime;

pub use manual::ManualClock;
pub(super) use manual::{Activity, IDLE_TURNS, in_function};

/// Tells the time and waits. Each engine has a clock. Tests use a [`ManualClock`].
///
/// Engines call [`now`](Self::now) and [`sleep`](Self::sleep) under the lock of a run, so they must
/// neither block nor call the run. If they panic, the run fails.
pub trait Clock: Send + Sync + 'static {
    /// Returns the time since a fixed moment. Never goes back.
    fn now(&self) -> Duration;

    /// Returns the time of day, for timestamps.
    fn time_of_day(&self) -> SystemTime;

    /// Returns a future that ends after this duration.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The clock of an engine.
#[derive(Clone)]
pub(super) enum Time {
    /// The machine's clock.
    Machine,
    /// A manual clock, which runs notify when they are idle.
    Manual(ManualClock),
    /// Any other clock.
    Given(Arc<dyn Clock>),
}

impl Time {
    pub(super) fn given(clock: impl Clock) -> Self {
        match (&clock as &dyn Any).downcast_ref::<ManualClock>() {
            Some(manual) => Self::Manual(manual.clone()),
            None => Self::Given(Arc::new(clock)),
        }
    }

    #[inline]
    pub(super) fn now(&self) -> Duration {
        match self {
            Self::Machine => SystemClock.now(),
            Self::Manual(clock) => clock.now(),
            Self::Given(clock) => clock.now(),
        }
    }

    pub(super) fn time_of_day(&self) -> SystemTime {
        match self {
            Self::Machine => SystemTime::now(),
            Self::Manual(clock) => clock.time_of_day(),
            Self::Given(clock) => clock.time_of_day(),
        }
    }

    /// Waits. With the machine's clock, waits on `runtime`.
    pub(super) fn sleep(&self, runtime: &Runtime, duration: Duration) -> BoxFuture<'static, ()> {
        match self {
            Self::Machine => runtime.sleep(duration),
            Self::Manual(clock) => clock.sleep(duration),
            Self::Given(clock) => clock.sleep(duration),
        }
    }

    /// The manual clock, if it is one.
    #[inline]
    pub(super) fn manual(&self) -> Option<&ManualClock> {
        match self {
            Self::Manual(clock) => Some(clock),
            _ => None,
        }
    }
}

/// The clock of a run: that of its engine, or that of a runtime with paused time. It is chosen when
/// the run waits for the first time, and stays the same to the end.
#[derive(Default)]
pub(super) struct RunTime(OnceLock<Option<Arc<dyn Clock>>>);

impl RunTime {
    #[inline]
    pub(super) fn now(&self, time: &Time) -> Duration {
        match (time, self.0.get()) {
            (Time::Machine, Some(Some(paused))) => paused.now(),
            _ => time.now(),
        }
    }

    pub(super) fn time_of_day(&self, time: &Time) -> SystemTime {
        match (time, self.0.get()) {
            (Time::Machine, Some(Some(paused))) => paused.time_of_day(),
            _ => time.time_of_day(),
        }
    }

    pub(super) fn sleep(
        &self,
        time: &Time,
        runtime: &Runtime,
        duration: Duration,
    ) -> BoxFuture<'static, ()> {
        match time {
            Time::Machine => match self.0.get_or_init(|| runtime.paused_clock()) {
                Some(paused) => paused.sleep(duration),
                None => super::runtime::sleep(duration),
            },
            _ => time.sleep(runtime, duration),
        }
    }
}

/// The machine's clock, which waits with a timer thread.
///
/// In a tokio runtime with paused time, runs follow the clock of the runtime, which advances as
/// soon as nothing else is left to do:
///
/// ```
/// use std::time::Duration;
/// use workflow_core::prelude::*;
///
/// #[job(retry(maximum_attempts = 3, initial_interval = "1h", jitter = 0.0))]
/// async fn flaky(ctx: &JobContext) -> Result<u32, JobError> {
///     if ctx.attempt() < 3 { Err(JobError::from("not yet")) } else { Ok(ctx.attempt()) }
/// }
///
/// #[register_workflow(name = "flaky_flow")]
/// fn flaky_flow(flow: &mut Flow) -> Handle<u32> { flow.job(flaky()) }
///
/// #[tokio::main(flavor = "current_thread", start_paused = true)] // or #[tokio::test(..)]
/// async fn main() -> Result<(), RunError> {
///     let began = tokio::time::Instant::now();
///     let report = registry::run("flaky_flow").await?;
///     assert_eq!(report.job("flaky").map(|job| job.attempts), Some(3));
///     assert!(began.elapsed() >= Duration::from_secs(3 * 3600));
///     Ok(())
/// }
/// ```
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
