//! `Failures`: what is wrong with the records of a batch, until the policy decides about them.

use std::collections::BTreeMap;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::ArrowError;

use super::RejectError;
use crate::batch::Batch;
use crate::row::{FailedRow, Reason};
use crate::value::{self, ColumnType};

/// The reasons why records of a batch fail, by their rows.
#[derive(Debug, Default)]
pub(crate) struct Failures(BTreeMap<usize, Vec<Reason>>);

impl Failures {
    /// Adds a reason why a record fails.
    pub(crate) fn add(&mut self, row: usize, reason: Reason) {
        self.0.entry(row).or_default().push(reason);
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
            let text = value::text(column, row);
            self.add(row, Reason::of_value(name, text, kind.mismatch()));
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
        for (row, reasons) in self.0 {
            reject(FailedRow::new(batch.position(row), reasons, value::row(read, row)))?;
        }
        Ok(stays)
    }
}
