//! Durations and times as people write them in queries and options.

use std::time::{Duration, SystemTime};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};

/// Why a text is not a duration or a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// Not a duration, or a negative one.
    #[error("expected a duration such as 90s, 30m, 2h or 7d")]
    Duration(String),
    /// Neither an age nor a time.
    #[error("expected an age such as 2h or 7d, or a time such as 2026-01-02T03:04:05Z")]
    Time(String),
    /// An age that reaches back before all times.
    #[error("`{0}` is too long ago")]
    TooLongAgo(String),
}

/// Parses a duration such as `30s`, `2h` or `7d`; a day has 24 hours.
///
/// # Errors
///
/// Fails when the text is not a duration, or is negative.
pub fn parse_duration(text: &str) -> Result<Duration, TimeError> {
    let span = text.parse::<Span>().ok();
    let span = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let duration = span.and_then(|span| Duration::try_from(span).ok());
    duration.ok_or_else(|| TimeError::Duration(text.to_owned()))
}

/// Parses a point in time: `2h` for two hours ago, or a date or time, in UTC unless it says
/// otherwise.
///
/// # Errors
///
/// Fails when the text is neither.
pub fn parse_time(text: &str) -> Result<SystemTime, TimeError> {
    if let Ok(age) = parse_duration(text) {
        let at = SystemTime::now().checked_sub(age);
        return at.ok_or_else(|| TimeError::TooLongAgo(text.to_owned()));
    }
    let in_utc = || text.parse::<DateTime>().and_then(|at| at.to_zoned(TimeZone::UTC));
    let at = text.parse::<Timestamp>().or_else(|_| in_utc().map(|at| at.timestamp()));
    at.map(SystemTime::from).map_err(|_| TimeError::Time(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_times_are_parsed() {
        assert_eq!(parse_duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert!(parse_duration("-2h").is_err() && parse_duration("soon").is_err());
        let day = parse_time("2026-01-02").map(|day| Timestamp::try_from(day).expect("in range"));
        assert_eq!(day.map(|day| day.to_string()).as_deref(), Ok("2026-01-02T00:00:00Z"));
        assert_eq!(parse_time("2026-01-02T01:00:00+01:00"), parse_time("2026-01-02"));
        let error = parse_time("yesterday").expect_err("it has no form of a time");
        assert!(error.to_string().contains("2h or 7d"), "{error}");
        assert!(matches!(parse_time("19998y"), Err(TimeError::Time(_))));
    }
}
