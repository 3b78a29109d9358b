//! The records after a cursor. A query and an API select them; files have others, too.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Scalar, StringArray};
use arrow_cast::cast;
use arrow_ord::cmp::gt;

use crate::batch::Batch;
use crate::config::Incremental;
use crate::cursor::{Cursor, are_misordered};
use crate::text::of_json;
use crate::value::type_name;

pub(super) struct Newer {
    column: String,
    /// The largest value of the last load. Without one, all records are new.
    after: Option<Cursor>,
}

impl Newer {
    pub(super) fn new(options: &Incremental) -> Self {
        let after = options.initial.clone().and_then(of_json).map(Cursor::untyped);
        Self { column: options.cursor.clone(), after }
    }

    pub(super) fn resume(&mut self, cursor: &Cursor) {
        self.after = Some(cursor.clone());
    }

    /// Keeps the records whose value is larger than the cursor. The pipeline reports a column that
    /// is not there.
    ///
    /// # Errors
    ///
    /// Fails with the reason when the cursor has another type than the column.
    pub(super) fn keep(&self, batch: Batch) -> Result<Batch, String> {
        let (Some(after), Some(column)) =
            (&self.after, batch.records().column_by_name(&self.column))
        else {
            return Ok(batch);
        };
        if column.logical_null_count() < column.len() {
            after.check_type(&self.column, &type_name(column.data_type()))?;
        }
        let text: ArrayRef = Arc::new(StringArray::from(vec![after.value.as_str()]));
        let value = cast(&text, column.data_type()).map_err(|error| error.to_string())?;
        if value.is_null(0) {
            let (name, kind) = (&self.column, type_name(column.data_type()));
            let after = &after.value;
            return Err(format!(
                "the cursor of the last load, `{after}`, does not fit the column `{name}` of type \
                 {kind}; give the column its type of before in `columns`"
            ));
        }
        self.check_order(column, after)?;
        let is_newer = gt(column, &Scalar::new(value)).map_err(|error| error.to_string())?;
        batch.filter(&is_newer).map_err(|error| error.to_string())
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
