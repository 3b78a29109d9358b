//! Retry policies: how often a job is retried, and with which backoff. Pure arithmetic, without a
//! clock or a random number generator.
//!
//! Names and defaults are those of Temporal's retry policies
//! (<https://docs.temporal.io/encyclopedia/retry-policies>), plus `jitter`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A retry policy: how often, and after which delays, a failed job is retried.
///
/// ```
/// use std::time::Duration;
/// use workflow_core::RetryPolicy;
///
/// let policy = RetryPolicy::attempts(3).initial_interval(Duration::from_millis(200)).jitter(0.0);
/// assert_eq!(policy.delay(1, 0.0), Some(Duration::from_millis(200)));
/// assert_eq!(policy.delay(2, 0.0), Some(Duration::from_millis(400)));
/// assert_eq!(policy.delay(3, 0.0), None); // the third attempt was the last
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The delay after the first failed attempt. Default: 1 s.
    pub initial_interval: Duration,
    /// The factor by which the delay grows with each attempt. Default: 2.0; at least 1.
    pub backoff_coefficient: f64,
    /// The longest delay. Default: 100 times the initial interval.
    pub maximum_interval: Option<Duration>,
    /// The largest number of attempts; 0 means no limit. Default: 1.
    pub maximum_attempts: u32,
    /// The share of a delay, 0.0 to 1.0, that may be subtracted at random, so that jobs that failed
    /// together are not retried together. Default: 0.2.
    pub jitter: f64,
    /// Error types that are not retried: the full path of a Rust type, its last segment, or the
    /// name given with `JobError::with_type`.
    pub non_retryable_errors: Vec<String>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            initial_interval: Duration::from_secs(1),
            backoff_coefficient: 2.0,
            maximum_interval: None,
            maximum_attempts: 1,
            jitter: 0.2,
            non_retryable_errors: Vec::new(),
        }
    }
}

impl RetryPolicy {
    /// Creates the default policy with this many attempts; 0 means no limit.
    pub fn attempts(maximum_attempts: u32) -> Self {
        Self { maximum_attempts, ..Self::default() }
    }

    /// Sets the delay after the first failed attempt.
    #[must_use]
    pub fn initial_interval(mut self, interval: Duration) -> Self {
        self.initial_interval = interval;
        self
    }

    /// Sets the factor by which the delay grows with each attempt; values below 1 count as 1.
    #[must_use]
    pub fn backoff_coefficient(mut self, coefficient: f64) -> Self {
        self.backoff_coefficient = coefficient;
        self
    }

    /// Sets the longest delay.
    #[must_use]
    pub fn maximum_interval(mut self, interval: Duration) -> Self {
        self.maximum_interval = Some(interval);
        self
    }

    /// Sets the share of a delay that may be subtracted at random.
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// Adds an error type that is not retried.
    #[must_use]
    pub fn non_retryable(mut self, error_type: impl Into<String>) -> Self {
        self.non_retryable_errors.push(error_type.into());
        self
    }

    /// Returns the delay after attempt number `attempt` (from 1) failed; `None` if it was the last.
    ///
    /// `chance` is a random number from 0.0 to 1.0: the share of the jitter to subtract.
    pub fn delay(&self, attempt: u32, chance: f64) -> Option<Duration> {
        if self.maximum_attempts != 0 && attempt >= self.maximum_attempts {
            return None;
        }
        let exponent = f64::from(attempt.saturating_sub(1));
        let factor = self.backoff_coefficient.max(1.0).powf(exponent);
        let ceiling =
            self.maximum_interval.unwrap_or_else(|| self.initial_interval.saturating_mul(100));
        let delay = (self.initial_interval.as_secs_f64() * factor).min(ceiling.as_secs_f64());
        let share = 1.0 - self.jitter.clamp(0.0, 1.0) * chance.clamp(0.0, 1.0);
        Some(Duration::try_from_secs_f64(delay * share).unwrap_or(ceiling))
    }

    /// Returns whether the policy forbids another attempt after an error of this type.
    pub(crate) fn forbids(&self, error_type: &str) -> bool {
        let short = error_type.rsplit("::").next().unwrap_or(error_type);
        self.non_retryable_errors.iter().any(|listed| listed == error_type || listed == short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_ceiling() {
        let policy = RetryPolicy::attempts(0).jitter(0.0);
        let seconds = |attempt| policy.delay(attempt, 0.5).map(|wait| wait.as_secs());
        assert_eq!([1, 2, 3, 7, 8, u32::MAX].map(seconds), [1, 2, 4, 64, 100, 100].map(Some));
    }

    #[test]
    fn jitter_takes_off_its_share_and_no_more() {
        let policy = RetryPolicy::attempts(2).jitter(0.25);
        assert_eq!(policy.delay(1, 1.0), Some(Duration::from_millis(750)));
        assert_eq!(policy.delay(1, 0.0), Some(Duration::from_secs(1)));
    }

    #[test]
    fn absurd_numbers_do_not_panic() {
        let mut policy = RetryPolicy::attempts(0).initial_interval(Duration::MAX);
        for coefficient in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            policy.backoff_coefficient = coefficient;
            policy.jitter = coefficient;
            assert!(policy.delay(u32::MAX, coefficient).is_some());
        }
    }

    #[test]
    fn error_types_match_by_path_or_by_last_segment() {
        let policy = RetryPolicy::default().non_retryable("ParseIntError");
        assert!(policy.forbids("core::num::error::ParseIntError"));
        assert!(!policy.forbids("std::io::Error"));
    }
}
