//! The cursor of an incremental load: read from the sinks, raised by the records, kept by the
//! sinks.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::cast;
use arrow_ord::ord::make_comparator;
use arrow_schema::{DataType, SortOptions};

use super::{NamedSink, PipelineError};
use crate::batch::Batch;
use crate::sink::CursorName;
use crate::source::{Source, SourceError};
use crate::value;

/// The cursor of a pipeline.
pub(crate) struct Cursor {
    name: CursorName,
    column: String,
    /// The value of the last load.
    saved: Option<String>,
    /// A column with the largest value so far.
    largest: Option<ArrayRef>,
}

impl Cursor {
    pub(crate) fn new(name: CursorName, column: &str) -> Self {
        Self { name, column: column.to_owned(), saved: None, largest: None }
    }

    /// Tells the source where the last load ended.
    ///
    /// Sinks are committed in order, so after a crash in between the last one has the oldest
    /// cursor. A sink without a cursor needs all records.
    pub(super) fn resume(
        &mut self,
        sinks: &mut [NamedSink],
        source: &mut dyn Source,
    ) -> Result<(), PipelineError> {
        let mut saved: Vec<Option<String>> = Vec::new();
        for NamedSink { sink, .. } in sinks {
            saved.push(sink.saved_cursor(&self.name)?);
        }
        if saved.windows(2).any(|pair| pair[0] != pair[1]) {
            tracing::warn!(
                "the outputs are not equally far; \
                 outputs with `mode: append` get some records again"
            );
        }
        let saved: Option<Vec<_>> = saved.into_iter().collect();
        if let Some(value) = saved.and_then(|mut saved| saved.pop()) {
            // The value may be that of a parameter of an API, which no log shows.
            tracing::info!(cursor = self.column, "reading new records only");
            source.resume(&value);
            self.saved = Some(value);
        }
        Ok(())
    }

    /// Raises the cursor to the largest value of a batch.
    pub(super) fn raise(&mut self, batch: &Batch) -> Result<(), PipelineError> {
        if batch.is_empty() {
            return Ok(());
        }
        let records = batch.records();
        let Some(column) = records.column_by_name(&self.column) else {
            let columns = value::columns(records);
            return Err(self.failure(&format!("is not there; the columns are {columns}")));
        };
        let fail = |reason: &str| self.failure(reason);
        let compare = |one: &ArrayRef, other: &ArrayRef| {
            let compare = make_comparator(one, other, SortOptions::default());
            compare.map_err(|_| fail("has a type without an order"))
        };
        let within = compare(column, column)?;
        let valid = (0..column.len()).filter(|row| column.is_valid(*row));
        let Some(row) = valid.max_by(|one, other| within(*one, *other)) else { return Ok(()) };
        let found = column.slice(row, 1);
        let text = value::text(&found, 0).unwrap_or_default();
        // As texts, 9 is more than 10.
        if *column.data_type() == DataType::Utf8 && text.parse::<f64>().is_ok() {
            return Err(fail("has numbers as texts, which have no order; convert it to numbers"));
        }
        // A source that ignores the cursor does not take it back.
        let before = self.largest.clone().or_else(|| {
            let saved: ArrayRef = Arc::new(StringArray::from(vec![self.saved.as_deref()?]));
            cast(&saved, column.data_type()).ok().filter(|saved| saved.is_valid(0))
        });
        let is_larger = match &before {
            Some(largest) => compare(&found, largest)?(0, 0) == Ordering::Greater,
            None => true,
        };
        self.largest = if is_larger { Some(found) } else { before };
        Ok(())
    }

    /// Hands the cursor to the sinks, which keep it at their commit.
    pub(super) fn save(&self, sinks: &mut [NamedSink]) {
        let Some(value) = self.largest.as_ref().and_then(|largest| value::text(largest, 0)) else {
            return;
        };
        for NamedSink { sink, .. } in sinks {
            sink.save_cursor(&self.name, &value);
        }
    }

    fn failure(&self, reason: &str) -> PipelineError {
        let place = self.name.source.clone();
        let reason = format!("the column `{}` of the cursor {reason}", self.column);
        PipelineError::Source(SourceError::Read { place, reason })
    }
}
