//! Until when it is certain that no other engine drives the runs of this one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Until when it is certain that no other engine drives the runs of this one. A process that was
/// stopped, or was slow, finds out here before it asks its store.
#[derive(Default)]
pub(super) struct LeaseValidity(Mutex<Leases>);

#[derive(Default)]
struct Leases {
    /// What the store has last said: that the engine is alive.
    alive: Option<Granted>,
    certain: Option<Granted>,
}

/// A moment, by both clocks of the machine. The monotonic one stands still while the machine
/// sleeps, and the time of day may be set; leases are judged by either.
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

/// A lease as the store has it.
#[derive(Debug, Clone, Copy)]
struct Granted {
    asked: Moment,
    lifetime: Duration,
}

impl Granted {
    /// Whether the lease is not over by either clock. A time of day before the one at which it was
    /// asked for proves nothing.
    fn holds(&self, now: Moment) -> bool {
        let passed = now.time_of_day.duration_since(self.asked.time_of_day);
        now.monotonic.saturating_duration_since(self.asked.monotonic) < self.lifetime
            && passed.is_ok_and(|passed| passed < self.lifetime)
    }
}

impl LeaseValidity {
    /// The store has said, to a request of this moment, that the engine is alive.
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
    /// That the engine is alive is certain when it was alive until now: what others began to take
    /// over in a gap may come to light after the answer.
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

    /// A lease that was renewed twice.
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
