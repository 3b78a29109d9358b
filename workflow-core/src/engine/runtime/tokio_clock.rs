//! The clock of a tokio runtime with paused time.

use std::time::{Duration, Instant, SystemTime};

use futures::future::BoxFuture;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::engine::clock::{Clock, SystemClock};

/// A clock that stands still while there is something to do, and then jumps to the next timer of
/// its runtime. Starts with the machine's time.
pub(super) struct TokioClock {
    handle: Handle,
    found: tokio::time::Instant,
    /// The machine's time when the clock was created.
    began: Duration,
    time_of_day: SystemTime,
}

impl TokioClock {
    /// Returns the clock of a runtime whose time is or was paused.
    ///
    /// Tokio has no function for that. But a paused clock differs from the machine's, and only a
    /// runtime with one thread can be paused.
    pub(super) fn of_paused(handle: &Handle) -> Option<Self> {
        if handle.runtime_flavor() != RuntimeFlavor::CurrentThread {
            return None;
        }
        let found = {
            let _context = handle.enter();
            let before = Instant::now();
            let found = tokio::time::Instant::now();
            let is_machines = (before..=Instant::now()).contains(&found.into_std());
            (!is_machines).then_some(found)?
        };
        let (began, time_of_day) = (SystemClock.now(), SystemTime::now());
        Some(Self { handle: handle.clone(), found, began, time_of_day })
    }

    fn elapsed(&self) -> Duration {
        let _context = self.handle.enter();
        self.found.elapsed()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Duration {
        self.began + self.elapsed()
    }

    fn time_of_day(&self) -> SystemTime {
        self.time_of_day + self.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let _context = self.handle.enter();
        Box::pin(tokio::time::sleep(duration))
    }
}
