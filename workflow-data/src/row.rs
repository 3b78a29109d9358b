//! Places of records, and what is wrong with one.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

/// The place of a record in its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Position {
    /// The file, or the name of another source.
    pub place: Arc<str>,
    /// The number of the record, from 1. The header of a CSV file is not counted.
    pub record: u64,
}

impl Position {
    /// The place of a record, by its number from 1.
    pub fn new(place: impl Into<Arc<str>>, record: u64) -> Self {
        Self { place: place.into(), record }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: record {}", self.place, self.record)
    }
}

/// One reason why a record fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RowReason {
    /// The column, if the reason is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The value as text, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What is wrong, such as "is not a number".
    pub message: String,
}

impl RowReason {
    /// A reason about the whole record.
    pub fn of_record(message: impl Into<String>) -> Self {
        Self { column: None, value: None, message: message.into() }
    }

    /// A reason about the value of a column. The message continues the value: "is not a number". Of
    /// a column without a value, it becomes "the empty value is not a number".
    pub fn of_value(column: &str, value: Option<String>, message: impl Into<String>) -> Self {
        let message = match &value {
            Some(_) => message.into(),
            None => format!("the empty value {}", message.into()),
        };
        Self { column: Some(column.to_owned()), value, message }
    }
}

impl fmt::Display for RowReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(column) = &self.column {
            write!(f, "column `{column}`: ")?;
        }
        match &self.value {
            // A long value would hide the reason.
            Some(value) if value.chars().count() > LONGEST => {
                let start: String = value.chars().take(LONGEST).collect();
                write!(f, "`{start}..` ")?;
            }
            Some(value) => write!(f, "`{value}` ")?,
            None => {}
        }
        f.write_str(&self.message)
    }
}

/// How much of a value an error shows, in characters.
const LONGEST: usize = 80;

/// A record that fails, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FailedRow {
    /// Its place in the source.
    #[serde(flatten)]
    pub position: Position,
    /// The reasons, at least one.
    pub reasons: Vec<RowReason>,
    /// Its values by column. Empty if the record could not be split into values.
    pub values: Map<String, Value>,
    /// The record as it is in the source, such as the line of a file, if it could not be split into
    /// values. At most 4,096 characters; `…` stands for more. What is not UTF-8 is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

impl FailedRow {
    /// A record that fails for these reasons.
    pub fn new(position: Position, reasons: Vec<RowReason>, values: Map<String, Value>) -> Self {
        Self { position, reasons, values, raw: None }
    }

    /// A record that could not be split into values.
    pub(crate) fn unreadable(position: Position, reasons: Vec<RowReason>, raw: String) -> Self {
        Self { raw: Some(raw), ..Self::new(position, reasons, Map::new()) }
    }

    /// The error of a record that stops the pipeline.
    pub(crate) fn into_error(self) -> RowError {
        let reason = self.reasons.into_iter().next();
        let reason = reason.unwrap_or_else(|| RowReason::of_record("the record is invalid"));
        RowError { position: self.position, reason }
    }
}

/// A record that stops the pipeline, because of the policy `fail`.
///
/// ```
/// use workflow_data::{Position, RowReason, RowError};
///
/// let position = Position::new("orders.csv", 1204);
/// let reason = RowReason::of_value("price", Some("abc".into()), "is not a number");
/// let text = "orders.csv: record 1204, column `price`: `abc` is not a number";
/// assert_eq!(RowError { position, reason }.to_string(), text);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}{}{reason}", if reason.column.is_some() { ", " } else { ": " })]
pub struct RowError {
    /// The place of the record.
    pub position: Position,
    /// The first reason.
    pub reason: RowReason,
}
