//! The time until which an engine can be certain that no other engine drives its runs.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The time until which an engine can be certain that no other engine drives its runs. A process
/// that was paused or slow learns here that it may have lost its runs, before it asks the store.
/// Knows times only, and neither runs nor the store.
#[derive(Default)]
pub(super) struct LeaseValidity(Mutex<Leases>);

#[derive(Default)]
struct Leases {
    /// The latest renewal that the store confirmed.
    alive: Option<Granted>,
    certain: Option<Granted>,
}

/// A moment by both clocks of the machine. The monotonic clock stands still while the machine is
/// suspended, and the time of day may be set. A lease must be valid by both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    monotonic: Instant,
    time_of_day: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { monotonic: Instant::now(), time_of_day: SystemTime::now() }
    }
}

/// A lease that the store has confirmed.
#[derive(Debug, Clone, Copy)]
struct Granted {
    asked: Moment,
    lifetime: Duration,
}

impl Granted {
    /// Whether the lease is valid by both clocks. If the time of day is before that of the request,
    /// nothing is certain.
    fn holds(&self, now: Moment) -> bool {
        let passed = now.time_of_day.duration_since(self.asked.time_of_day);
        now.monotonic.saturating_duration_since(self.asked.monotonic) < self.lifetime
            && passed.is_ok_and(|passed| passed < self.lifetime)
    }
}

impl LeaseValidity {
    /// Records that the store confirmed a request of this moment.
    pub(super) fn renewed(&self, asked: Moment, lifetime: Duration) {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        leases.renewed(Granted { asked, lifetime }, Moment::now());
    }

    pub(super) fn holds(&self) -> bool {
        let certain = self.0.lock().unwrap_or_else(PoisonError::into_inner).certain;
        certain.is_some_and(|lease| lease.holds(Moment::now()))
    }
}

impl Leases {
    /// The lease is certain if it was valid without a gap. Otherwise another engine may have
    /// started to take over in the gap, which may show only after the answer.
    fn renewed(&mut self, granted: Granted, now: Moment) {
        let without_gap = self.alive.is_some_and(|lease| lease.holds(now));
        self.alive = Some(granted);
        if without_gap {
            self.certain = self.alive;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(9);
    const SECOND: Duration = Duration::from_secs(1);

    impl Leases {
        fn holds(&self, now: Moment) -> bool {
            self.certain.is_some_and(|lease| lease.holds(now))
        }

        fn renew(&mut self, now: Moment) {
            self.renewed(Granted { asked: now, lifetime: LEASE }, now);
        }
    }

    impl Moment {
        fn after(self, time: Duration) -> Self {
            Self { monotonic: self.monotonic + time, time_of_day: self.time_of_day + time }
        }
    }

    /// A lease that is certain because it was renewed twice.
    fn certain() -> (Leases, Moment) {
        let (mut leases, now) = (Leases::default(), Moment::now());
        leases.renew(now);
        assert!(!leases.holds(now));
        let now = now.after(SECOND);
        leases.renew(now);
        assert!(leases.holds(now));
        (leases, now)
    }

    #[test]
    fn it_takes_two_answers_without_a_gap() {
        let (mut leases, now) = certain();
        assert!(leases.holds(now.after(LEASE - SECOND)));
        let now = now.after(LEASE);
        assert!(!leases.holds(now));
        leases.renew(now);
        assert!(!leases.holds(now));
        leases.renew(now);
        assert!(leases.holds(now));
    }

    #[test]
    fn a_machine_that_slept_is_not_certain() {
        let (mut leases, now) = certain();
        let now = Moment { time_of_day: now.time_of_day + LEASE, ..now };
        assert!(!leases.holds(now));
        leases.renew(now);
        assert!(!leases.holds(now));
        leases.renew(now);
        assert!(leases.holds(now));
    }

    #[test]
    fn a_clock_that_was_set_ends_it_until_the_next_answers() {
        for hour in [1, 24 * 365 * 20] {
            let (mut leases, now) = certain();
            let jump = Duration::from_secs(hour * 3600);
            for time_of_day in [now.time_of_day + jump, now.time_of_day - jump] {
                let now = Moment { time_of_day, ..now };
                assert!(!leases.holds(now));
                leases.renew(now);
                leases.renew(now);
                assert!(leases.holds(now));
            }
        }
    }
}
