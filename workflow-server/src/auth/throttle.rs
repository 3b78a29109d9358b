//! How often somebody may try to sign in.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::digest;

/// Counts what went wrong, by who tried: five times are free, and after that each failure doubles
/// the time to the next try, from a second up to a quarter of an hour.
#[derive(Default)]
pub(crate) struct Throttle(Mutex<HashMap<Who, Failures>>);

/// Who tried: a digest, so that what is remembered is as small for any name.
type Who = [u8; 32];

struct Failures {
    count: u32,
    /// Until when no further try is taken.
    until: Instant,
}

const FREE: u32 = 5;
const LONGEST: Duration = Duration::from_secs(900);
/// After this time without a failure, all is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(1800);
/// So many names are remembered. When there are more, half of them is forgotten: those who may try
/// again the soonest.
const MOST: usize = 10_000;

impl Throttle {
    /// For how long `who` is to wait, if they are.
    pub(crate) fn wait(&self, who: &str, now: Instant) -> Option<Duration> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = failures.get(&digest(who))?.until;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// A try of `who` failed.
    pub(crate) fn failed(&self, who: &str, now: Instant) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let who = digest(who);
        if failures.len() >= MOST && !failures.contains_key(&who) {
            forget_half(&mut failures);
        }
        let of = failures.entry(who).or_insert(Failures { count: 0, until: now });
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest(who));
    }
}

fn forget_half(failures: &mut HashMap<Who, Failures>) {
    let mut times: Vec<(Instant, Who)> =
        failures.iter().map(|(who, of)| (of.until, *who)).collect();
    times.sort_unstable();
    for (_, who) in times.drain(..MOST / 2) {
        failures.remove(&who);
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

    #[test]
    fn what_is_remembered_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..20 {
            throttle.failed("ada", now);
        }
        for number in 0..3 * MOST {
            throttle.failed(&format!("{number}{}", "x".repeat(100)), now);
        }
        let remembered = throttle.0.lock().expect("no panic").len();
        assert!(remembered <= MOST, "{remembered}");
        // Those who guess are kept.
        assert_eq!(throttle.wait("ada", now), Some(LONGEST));
    }
}
