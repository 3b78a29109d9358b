//! Values that several commands parse: runs, pages, formats, times and statuses.

use std::convert::Infallible;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use jiff::{Span, SpanRelativeTo, Timestamp};
use workflow_core::Status;
use workflow_core::id::RunId;
use workflow_store::Catalog;

use crate::failure::Failure;

/// A run as users name it: a number, an ID or its beginning, or `latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunSelector(String);

impl FromStr for RunSelector {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl RunSelector {
    /// Looks the run up and returns its ID.
    ///
    /// # Errors
    ///
    /// Fails when no run or several runs match.
    pub(crate) fn find(&self, store: &dyn Catalog) -> Result<RunId, Failure> {
        Ok(pollster::block_on(store.find_run(&self.0))?)
    }
}

/// The part of a list to show.
#[derive(Debug, Default, Args)]
pub(crate) struct PageArguments {
    /// Maximum number of rows, up to 1000
    #[arg(short, long, value_name = "N", default_value_t = 50,
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Continue a list from the cursor that its previous page printed
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl PageArguments {
    pub(crate) fn limit(&self) -> Option<usize> {
        Some(self.limit.into())
    }

    pub(crate) fn after(&self) -> Option<String> {
        self.cursor.clone()
    }
}

/// The output format of commands that show stored data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// Readable table
    #[default]
    Table,
    /// JSON document
    Json,
}

/// Parses a duration such as `2h` or `7d`.
///
/// # Errors
///
/// Fails when the text is not a duration.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("invalid duration `{text}`; expected a form such as 90s, 30m, 2h or 7d");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let span = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Duration::try_from(span).map_err(|_| wrong())
}

/// Parses a point in time: `2h` for two hours ago, or a date or time.
///
/// # Errors
///
/// Fails when the text is neither.
pub(crate) fn parse_time(text: &str) -> Result<SystemTime, String> {
    if let Ok(span) = parse_duration(text) {
        return SystemTime::now()
            .checked_sub(span)
            .ok_or_else(|| format!("`{text}` is too long ago"));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.into());
    }
    let day = text.parse::<jiff::civil::DateTime>().ok();
    let at = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    at.map(|at| at.timestamp().into()).ok_or_else(|| {
        format!("invalid time `{text}`; expected an age such as 2h or 7d, or a time such as 2026-01-02T03:04:05Z")
    })
}

/// Parses the status of a run.
///
/// # Errors
///
/// Fails when runs do not have this status.
pub(crate) fn parse_run_status(text: &str) -> Result<Status, String> {
    match text.parse() {
        Ok(Status::Skipped) => Err("only jobs can be skipped, not runs".to_owned()),
        Ok(status) => Ok(status),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::time;

    #[test]
    fn times_are_parsed() {
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert!(parse_duration("-2h").is_err() && parse_duration("soon").is_err());
        let day = parse_time("2026-01-02").map(|day| time(Some(day)));
        assert_eq!(day, Ok("2026-01-02 00:00:00".to_owned()));
        assert!(parse_time("yesterday").is_err_and(|error| error.contains("2h or 7d")));
    }
}
