//! When a failed request is tried again. This module decides, and neither waits nor sends.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use workflow_core::RetryPolicy;

/// The longest time that a server may ask to wait. Beyond it, the source fails.
pub(super) const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// How often requests are tried again, and after how long: any part, by chance, of a time that
/// doubles.
pub(super) fn policy(max_retries: u32) -> RetryPolicy {
    RetryPolicy::attempts(max_retries.saturating_add(1))
        .initial_interval(Duration::from_millis(500))
        .maximum_interval(Duration::from_secs(60))
        .jitter(1.0)
}

/// A number from 0 to 1 that other processes do not share.
pub(super) fn chance() -> f64 {
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}

/// How long a server asks to wait by `Retry-After`: a number of seconds, or a time. `None` if the
/// value is neither.
pub(super) fn asked(retry_after: &str, now: Timestamp) -> Option<Duration> {
    let text = retry_after.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let time = DateTimeParser::new().parse_timestamp(text).ok()?;
    // A time in the past asks for no wait.
    Some(Duration::try_from(time.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_a_minute() {
        let policy = policy(40);
        let seconds = |failed| policy.delay(failed, 0.0).map(|time| time.as_secs_f64());
        let expected = [0.5, 1.0, 2.0, 32.0, 60.0, 60.0].map(Some);
        assert_eq!([1, 2, 3, 7, 8, 40].map(seconds), expected);
        assert_eq!(policy.delay(3, 0.75), Some(Duration::from_millis(500)));
        assert_eq!(policy.delay(9, 1.0), Some(Duration::ZERO));
        assert_eq!(policy.delay(41, 0.5), None);
        assert!((0.0..=1.0).contains(&chance()));
    }

    #[test]
    fn servers_ask_in_seconds_or_by_a_time() {
        let now = Timestamp::from_second(784_111_770).unwrap_or_default();
        let seconds = |text| asked(text, now).map(|time| time.as_secs());
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds(" 120 "), Some(120));
        assert_eq!(seconds("99999999999999999999"), Some(u64::MAX));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(7));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:00 GMT"), Some(0));
        assert_eq!(seconds("-1"), None);
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds(""), None);
    }
}
