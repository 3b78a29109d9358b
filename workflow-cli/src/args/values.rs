//! Values that several commands parse: runs, pages, formats, times and statuses.

use std::convert::Infallible;
use std::ops::{Bound, RangeBounds};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use workflow_core::Status;
use workflow_core::id::RunId;
use workflow_store::time::{TimeError, parse_duration};
use workflow_store::{Catalog, CatalogError, RunQuery};

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

#[cfg(feature = "temporal")]
impl RunSelector {
    /// The text, as written.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl RunSelector {
    /// Looks the run up and returns its ID.
    ///
    /// # Errors
    ///
    /// Fails when no run or several runs match.
    pub(crate) fn find(&self, store: &dyn Catalog) -> Result<RunId, Failure> {
        let found = pollster::block_on(store.find_run(&self.0));
        if let Err(CatalogError::UnknownRun(_)) = &found
            && pollster::block_on(store.runs(RunQuery { limit: Some(1), ..RunQuery::default() }))?
                .items
                .is_empty()
        {
            return Err(Failure::Usage("the store has no runs; start one with `run`".to_owned()));
        }
        Ok(found?)
    }
}

/// The part of a list to show.
#[derive(Debug, Default, Args)]
pub(crate) struct PageArguments {
    /// Maximum number of rows, up to 1000
    #[arg(short, long, value_name = "N", default_value_t = 50,
        value_parser = integer::<u16>(1..=1000))]
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

/// Parses a timeout: a number of seconds, or a duration.
///
/// # Errors
///
/// Fails when the text is neither.
pub(crate) fn parse_timeout(text: &str) -> Result<Duration, TimeError> {
    match text.parse::<u32>() {
        Ok(seconds) => Ok(Duration::from_secs(seconds.into())),
        Err(_) => parse_duration(text),
    }
}

/// Parses the status of a run.
///
/// # Errors
///
/// Fails when runs do not have this status.
pub(crate) fn parse_run_status(text: &str) -> Result<Status, String> {
    match text.parse() {
        Ok(status) if status != Status::Skipped => Ok(status),
        _ => Err("expected pending, running, completed, failed or cancelled".to_owned()),
    }
}

/// Returns a parser of integers in this range.
pub(crate) fn integer<T: TryFrom<i64>>(
    range: impl RangeBounds<i64>,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    let range = (range.start_bound().cloned(), range.end_bound().cloned());
    move |text| {
        let number: i64 = text.parse().map_err(|_| expected_integer(range))?;
        if !range.contains(&number) {
            return Err(expected_integer(range));
        }
        T::try_from(number).map_err(|_| "expected a smaller integer".to_owned())
    }
}

fn expected_integer(range: (Bound<i64>, Bound<i64>)) -> String {
    match range {
        (Bound::Included(min), Bound::Included(max)) => {
            format!("expected an integer from {min} to {max}")
        }
        (Bound::Included(min), _) => format!("expected an integer of at least {min}"),
        _ => "expected an integer".to_owned(),
    }
}
