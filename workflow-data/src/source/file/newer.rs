//! The records after a cursor. A query and an API select them; files have others, too.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Scalar, StringArray};
use arrow_cast::cast;
use arrow_ord::cmp::{gt, gt_eq};

use super::SourceError;
use crate::batch::Batch;
use crate::config::{Incremental, Repeated};
use crate::cursor::{Cursor, are_misordered};
use crate::policy::{Failures, Rejects};
use crate::text::of_json;
use crate::value::type_name;

pub(super) struct Newer {
    column: String,
    /// Where the load begins. Without a value, all records are new.
    after: Option<After>,
    repeated: Repeated,
    left_out: u64,
}

enum After {
    /// The option `initial`.
    Initial(Cursor),
    /// The largest value of the last load.
    Last(Cursor),
}

impl After {
    fn cursor(&self) -> &Cursor {
        let (Self::Initial(cursor) | Self::Last(cursor)) = self;
        cursor
    }
}

impl Newer {
    pub(super) fn new(options: &Incremental, repeated: Repeated) -> Self {
        let initial = options.initial.clone().and_then(of_json).map(Cursor::untyped);
        let (column, after) = (options.cursor.clone(), initial.map(After::Initial));
        Self { column, after, repeated, left_out: 0 }
    }

    pub(super) fn resume(&mut self, cursor: &Cursor) {
        self.after = Some(After::Last(cursor.clone()));
    }

    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Rejects the records without a value, of which nobody knows whether they are new. Outputs that
    /// merge take them each time.
    ///
    /// # Errors
    ///
    /// Fails as [`Rejects::reject`] does.
    pub(super) fn reject_without_value(
        &self,
        batch: Batch,
        rejects: &mut Rejects,
    ) -> Result<Batch, SourceError> {
        let column = batch.records().column_by_name(&self.column);
        let Some(column) = column.filter(|_| self.repeated == Repeated::Added) else {
            return Ok(batch);
        };
        let Some(nulls) = column.logical_nulls().filter(|nulls| nulls.null_count() > 0) else {
            return Ok(batch);
        };
        let mut failures = Failures::default();
        for row in (0..column.len()).filter(|row| nulls.is_null(*row)) {
            failures.add_value(row, &self.column, column, |_| NO_CURSOR.to_owned());
        }
        let stays = failures.reject(&batch, batch.records(), |row| rejects.reject(row))?;
        batch.filter(&stays).map_err(|error| SourceError::of_types(&self.column, error.into()))
    }

    /// Keeps the records whose value is larger than the cursor, or has none. If the outputs merge,
    /// those with the value of the last load are read again: others with that value may be new. The
    /// pipeline reports a column that is not there.
    ///
    /// # Errors
    ///
    /// Fails with the reason when the cursor has another type than the column.
    pub(super) fn keep(&mut self, batch: Batch) -> Result<Batch, String> {
        let (Some(after), Some(column)) =
            (&self.after, batch.records().column_by_name(&self.column))
        else {
            return Ok(batch);
        };
        let cursor = after.cursor();
        if column.logical_null_count() == column.len() {
            return Ok(batch);
        }
        let kind = type_name(column.data_type());
        match (after, cursor.check_type(&self.column, &kind)) {
            (_, Ok(())) => {}
            (After::Initial(_), Err(_)) => return Err(self.misfit(after, &kind)),
            (After::Last(_), Err(reason)) => return Err(reason),
        }
        let text: ArrayRef = Arc::new(StringArray::from(vec![cursor.value.as_str()]));
        let value = cast(&text, column.data_type()).map_err(|error| error.to_string())?;
        if value.is_null(0) {
            return Err(self.misfit(after, &kind));
        }
        self.check_order(column, cursor)?;
        let value = Scalar::new(value);
        let is_newer = match (after, self.repeated) {
            (After::Last(_), Repeated::Merged) => gt_eq(column, &value),
            _ => gt(column, &value),
        };
        let is_newer = is_newer.map_err(|error| error.to_string())?;
        let stays: BooleanArray =
            is_newer.iter().map(|is_newer| Some(is_newer.unwrap_or(true))).collect();
        self.left_out += stays.false_count() as u64;
        batch.filter(&stays).map_err(|error| error.to_string())
    }

    fn misfit(&self, after: &After, kind: &str) -> String {
        let (name, value) = (&self.column, &after.cursor().value);
        match after {
            After::Initial(_) => format!(
                "`initial` of the cursor, `{value}`, does not fit the column `{name}` of type \
                 {kind}; correct it, or give the column its type in `columns`"
            ),
            After::Last(_) => format!(
                "the cursor of the last load, `{value}`, does not fit the column `{name}` of type \
                 {kind}; give the column its type of before in `columns`"
            ),
        }
    }

    /// Checks that a comparison of texts finds the records that are new.
    fn check_order(&self, column: &ArrayRef, after: &Cursor) -> Result<(), String> {
        let Some(texts) = column.as_string_opt::<i32>() else { return Ok(()) };
        let misordered = texts.iter().flatten().find(|text| are_misordered(text, &after.value));
        misordered.map_or(Ok(()), |text| {
            let (name, after) = (&self.column, &after.value);
            Err(format!(
                "the column `{name}` of the cursor has texts without an order, such as `{text}` \
                 and `{after}`; use a column of numbers or times"
            ))
        })
    }
}

/// What is wrong with a record without a value of the cursor.
const NO_CURSOR: &str = "does not say whether the record is new; fill it in, or use outputs with \
    `mode: merge`";
