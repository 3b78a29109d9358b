//! Formats and parses times and durations.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use workflow_store::time::{parse_duration, parse_time};

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
    parse_duration(text).map_err(|error| Problem::invalid(field, error.to_string()))
}

/// Parses a time, or a duration before now such as `2h`.
///
/// # Errors
///
/// Fails if it is invalid.
pub(crate) fn moment(field: &str, text: &str) -> Result<SystemTime, Problem> {
    parse_time(text).map_err(|error| Problem::invalid(field, error.to_string()))
}
