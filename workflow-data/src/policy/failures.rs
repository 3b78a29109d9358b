//! `Failures`: what is wrong with the records of a batch, until the policy decides about them.

use std::collections::BTreeMap;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use serde_json::Value;

use super::RejectError;
use crate::batch::Batch;
use crate::row::{FailedRow, RowReason};
use crate::value::{self, ColumnType};

/// The records of a batch that fail, by their rows.
#[derive(Debug, Default)]
pub(crate) struct Failures(BTreeMap<usize, Failure>);

#[derive(Debug, Default)]
struct Failure {
    reasons: Vec<RowReason>,
    /// The record as it is in the source, if it cannot be read.
    raw: Option<String>,
}

impl Failures {
    /// Adds a reason why a record fails.
    pub(crate) fn add(&mut self, row: usize, reason: RowReason) {
        self.0.entry(row).or_default().reasons.push(reason);
    }

    /// Adds a record that cannot be read, as it is in the source.
    pub(crate) fn add_unreadable(&mut self, row: usize, reason: RowReason, raw: String) {
        self.0.insert(row, Failure { reasons: vec![reason], raw: Some(raw) });
    }

    /// Adds what is wrong with a value of a column. The message continues the value.
    pub(crate) fn add_value(
        &mut self,
        row: usize,
        name: &str,
        column: &ArrayRef,
        message: impl FnOnce(Option<&str>) -> String,
    ) {
        let reason = match value::text(column, row) {
            Ok(text) => {
                let message = message(text.as_deref());
                RowReason::of_value(name, text, message)
            }
            Err(error) => unreadable(name, &error),
        };
        self.add(row, reason);
    }

    /// Adds that a value of a column has no text.
    pub(crate) fn add_textless(&mut self, row: usize, name: &str, error: &ArrowError) {
        self.add(row, unreadable(name, error));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Converts a column. Records whose value does not fit the type fail; their values in the
    /// result are null or meaningless.
    pub(crate) fn convert(
        &mut self,
        name: &str,
        column: &ArrayRef,
        kind: ColumnType,
    ) -> Result<ArrayRef, ArrowError> {
        let converted = value::convert(column, kind)?;
        for row in converted.misfits {
            self.add_value(row, name, column, |value| kind.mismatch(value).to_owned());
        }
        Ok(converted.column)
    }

    /// Rejects the failing records, in order, with their values in `read`. Returns for each record
    /// whether it stays.
    ///
    /// # Errors
    ///
    /// Fails as `reject` does.
    pub(crate) fn reject(
        self,
        batch: &Batch,
        read: &RecordBatch,
        mut reject: impl FnMut(FailedRow) -> Result<(), RejectError>,
    ) -> Result<BooleanArray, RejectError> {
        let stays = (0..batch.len()).map(|row| Some(!self.0.contains_key(&row)));
        let stays: BooleanArray = stays.collect();
        let schema = read.schema();
        for (row, Failure { mut reasons, raw }) in self.0 {
            let position = batch.position(row);
            if let Some(raw) = raw {
                reject(FailedRow::unreadable(position, reasons, raw))?;
                continue;
            }
            let fields = schema.fields().iter().zip(read.columns());
            let values = fields.map(|(field, column)| {
                let value = value::json(column, row).unwrap_or_else(|error| {
                    reasons.push(unreadable(field.name(), &error));
                    Value::Null
                });
                (field.name().clone(), value)
            });
            let values = values.collect();
            reject(FailedRow::new(position, reasons, values))?;
        }
        Ok(stays)
    }
}

/// The reason of a value that has no text.
fn unreadable(name: &str, error: &ArrowError) -> RowReason {
    RowReason::of_record(format!("column `{name}`: the value cannot be shown as text: {error}"))
}
