//! Rate limiting of failed sign-ins.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::digest;

/// Counts failed sign-ins by user name. After five failures, each further one doubles the wait,
/// from 1 s to 15 min.
#[derive(Default)]
pub(crate) struct Throttle(Mutex<HashMap<UserDigest, Failures>>);

/// The digest of a user name, so that every entry has the same small size.
type UserDigest = [u8; 32];

struct Failures {
    count: u32,
    /// The next attempt is allowed after this time.
    until: Instant,
}

/// The failures without a wait.
const FREE_FAILURES: u32 = 5;
/// The longest wait.
const MAX_WAIT: Duration = Duration::from_secs(900);
/// The time without a failure after which the count is reset.
const RESET_AFTER: Duration = Duration::from_secs(1800);
/// The most remembered names. Beyond, the half with the earliest next attempts is removed.
const MAX_ENTRIES: usize = 10_000;

impl Throttle {
    /// Returns how long a user must wait before the next attempt.
    pub(crate) fn wait(&self, user: &str, now: Instant) -> Option<Duration> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = failures.get(&digest(user))?.until;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// Records a failed attempt.
    pub(crate) fn failed(&self, user: &str, now: Instant) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let user = digest(user);
        if failures.len() >= MAX_ENTRIES && !failures.contains_key(&user) {
            remove_half(&mut failures);
        }
        let of = failures.entry(user).or_insert(Failures { count: 0, until: now });
        if now.saturating_duration_since(of.until) > RESET_AFTER {
            of.count = 0;
        }
        of.count = of.count.saturating_add(1);
        let doublings = of.count.saturating_sub(FREE_FAILURES);
        let wait = match doublings {
            0 => Duration::ZERO,
            doublings => Duration::from_secs(1 << (doublings - 1).min(20)).min(MAX_WAIT),
        };
        of.until = now + wait;
    }

    /// Resets the count after a successful sign-in.
    pub(crate) fn passed(&self, user: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest(user));
    }
}

fn remove_half(failures: &mut HashMap<UserDigest, Failures>) {
    let mut times: Vec<(Instant, UserDigest)> =
        failures.iter().map(|(user, of)| (of.until, *user)).collect();
    times.sort_unstable();
    for (_, user) in times.drain(..MAX_ENTRIES / 2) {
        failures.remove(&user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failed_sign_in_after_the_fifth_doubles_the_wait() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..FREE_FAILURES {
            throttle.failed("ada", now);
        }
        assert_eq!(throttle.wait("ada", now), None);
        throttle.failed("ada", now);
        assert_eq!(throttle.wait("ada", now), Some(Duration::from_secs(1)));
        for _ in 0..20 {
            throttle.failed("ada", now);
        }
        assert_eq!(throttle.wait("ada", now), Some(MAX_WAIT));
        assert_eq!(throttle.wait("bob", now), None);
        assert_eq!(throttle.wait("ada", now + MAX_WAIT), None);
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..20 {
            throttle.failed("ada", now);
        }
        for number in 0..3 * MAX_ENTRIES {
            throttle.failed(&format!("{number}{}", "x".repeat(100)), now);
        }
        let remembered = throttle.0.lock().expect("no panic").len();
        assert!(remembered <= MAX_ENTRIES, "{remembered}");
        // The entry with the longest wait is still there.
        assert_eq!(throttle.wait("ada", now), Some(MAX_WAIT));
    }
}
