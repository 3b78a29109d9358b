//! How often somebody may try to sign in.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts what went wrong, by who tried: five times are free, and after that each failure doubles
/// the time to the next try, from a second up to a quarter of an hour.
#[derive(Default)]
pub(crate) struct Throttle(Mutex<HashMap<String, Failures>>);

struct Failures {
    count: u32,
    /// Until when no further try is taken.
    until: Instant,
}

const FREE: u32 = 5;
const LONGEST: Duration = Duration::from_secs(900);
/// After this time without a failure, all is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(1800);
/// So many names are remembered; beyond, those that may try again are forgotten.
const MOST: usize = 10_000;

impl Throttle {
    /// For how long `who` is to wait, if they are.
    pub(crate) fn wait(&self, who: &str, now: Instant) -> Option<Duration> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = failures.get(who)?.until;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// A try of `who` failed.
    pub(crate) fn failed(&self, who: &str, now: Instant) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MOST {
            failures.retain(|_, of| of.until > now);
        }
        let of = failures.entry(who.to_owned()).or_insert(Failures { count: 0, until: now });
        if now.saturating_duration_since(of.until) > FORGOTTEN {
            of.count = 0;
        }
        of.count = of.count.saturating_add(1);
        let doublings = of.count.saturating_sub(FREE);
        let wait = match doublings {
            0 => Duration::ZERO,
            doublings => Duration::from_secs(1 << (doublings - 1).min(20)).min(LONGEST),
        };
        of.until = now + wait;
    }

    /// A try of `who` went well.
    pub(crate) fn passed(&self, who: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(who);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_some_failures_tries_are_to_wait() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..FREE {
            throttle.failed("ada", now);
        }
        assert_eq!(throttle.wait("ada", now), None);
        throttle.failed("ada", now);
        assert_eq!(throttle.wait("ada", now), Some(Duration::from_secs(1)));
        for _ in 0..20 {
            throttle.failed("ada", now);
        }
        assert_eq!(throttle.wait("ada", now), Some(LONGEST));
        assert_eq!(throttle.wait("bob", now), None);
        assert_eq!(throttle.wait("ada", now + LONGEST), None);
    }
}
