//! Formats and parses times and durations.

use std::time::{Duration, SystemTime};

use jiff::{Span, SpanRelativeTo, Timestamp};

use crate::problem::Problem;

/// Formats a time as RFC 3339.
pub(crate) fn text(at: SystemTime) -> String {
    Timestamp::try_from(at).map_or_else(|_| "9999-12-31T23:59:59Z".to_owned(), |at| at.to_string())
}

/// Returns the seconds between two times.
pub(crate) fn seconds(from: Option<SystemTime>, to: Option<SystemTime>) -> Option<f64> {
    Some(to?.duration_since(from?).ok()?.as_secs_f64())
}

/// Parses a duration such as `30s`, `2h` or `7d`.
///
/// # Errors
///
/// Fails if it is invalid.
pub(crate) fn span(field: &str, text: &str) -> Result<Duration, Problem> {
    let wrong = || {
        Problem::invalid(
            field,
            format!("invalid duration `{text}`; use a form such as 90s, 30m, 2h or 7d"),
        )
    };
    let span: Span = text.parse().map_err(|_| wrong())?;
    let span = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Duration::try_from(span).map_err(|_| wrong())
}

/// Parses a time, or a duration before now such as `2h`.
///
/// # Errors
///
/// Fails if it is invalid.
pub(crate) fn moment(field: &str, text: &str) -> Result<SystemTime, Problem> {
    if let Ok(span) = span(field, text) {
        let at = SystemTime::now().checked_sub(span);
        return at
            .ok_or_else(|| Problem::invalid(field, format!("`{text}` is too far in the past")));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.into());
    }
    let day = text.parse::<jiff::civil::DateTime>().ok();
    let at = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    at.map(|at| at.timestamp().into()).ok_or_else(|| {
        let message = format!(
            "invalid time `{text}`; use a duration before now such as 2h or 7d, or a time such as \
             2026-01-02T03:04:05Z"
        );
        Problem::invalid(field, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_parsed() {
        assert_eq!(span("wait", "30s").ok(), Some(Duration::from_secs(30)));
        assert!(span("wait", "-1s").is_err() && span("wait", "soon").is_err());
        let day = moment("since", "2026-01-02").map(text);
        assert_eq!(day.ok().as_deref(), Some("2026-01-02T00:00:00Z"));
        assert!(moment("since", "yesterday").is_err());
    }
}
