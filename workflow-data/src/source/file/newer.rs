//! The records after a cursor. A query and an API select them; files have others, too.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Scalar, StringArray};
use arrow_cast::cast;
use arrow_ord::cmp::gt;

use crate::batch::Batch;
use crate::config::Incremental;
use crate::text::of_json;

pub(super) struct Newer {
    column: String,
    /// The largest value of the last load. Without one, all records are new.
    after: Option<String>,
}

impl Newer {
    pub(super) fn new(options: &Incremental) -> Self {
        let after = options.initial.clone().and_then(of_json);
        Self { column: options.cursor.clone(), after }
    }

    pub(super) fn resume(&mut self, cursor: &str) {
        self.after = Some(cursor.to_owned());
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
        let text: ArrayRef = Arc::new(StringArray::from(vec![after.as_str()]));
        let value = cast(&text, column.data_type()).map_err(|error| error.to_string())?;
        if value.is_null(0) {
            let (name, kind) = (&self.column, column.data_type());
            return Err(format!(
                "the cursor of the last load, `{after}`, does not fit the column `{name}` of type \
                 {kind}; give the column its type of before in `columns`"
            ));
        }
        let is_newer = gt(column, &Scalar::new(value)).map_err(|error| error.to_string())?;
        batch.filter(&is_newer).map_err(|error| error.to_string())
    }
}
