//! The one place that reads the clock.

mod manual;

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use futures::future::BoxFuture;

use super::runtime::Runtime;

pub use manual::ManualClock;
pub(super) use manual::{Activity, TURNS_AT_REST, in_function};

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

/// What an engine tells the time with.
#[derive(Clone)]
pub(super) enum Time {
    /// The machine, directly.
    Machine,
    /// A clock that runs can tell when they have nothing to do.
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

    /// Waits, on the machine as `runtime` does.
    pub(super) fn sleep(&self, runtime: &Runtime, duration: Duration) -> BoxFuture<'static, ()> {
        match self {
            Self::Machine => runtime.sleep(duration),
            Self::Manual(clock) => clock.sleep(duration),
            Self::Given(clock) => clock.sleep(duration),
        }
    }

    /// The clock to be told when there is nothing to do.
    #[inline]
    pub(super) fn manual(&self) -> Option<&ManualClock> {
        match self {
            Self::Manual(clock) => Some(clock),
            _ => None,
        }
    }
}

/// What a run tells the time with: its engine's clock, unless time is paused in its runtime. That is
/// found out once the run waits for the first time. What it reads then and what it waits with are one
/// clock to the end.
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

/// The clock of the machine. Waits with a timer thread.
///
/// In a tokio runtime in which a test has paused time, runs follow the clock of the runtime
/// instead, which goes on as soon as nothing else is left to do:
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
