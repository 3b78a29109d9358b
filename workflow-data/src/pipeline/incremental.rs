//! The cursor of an incremental load: read from the sinks, raised by the records, kept by the
//! sinks.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::cast;
use arrow_ord::ord::make_comparator;
use arrow_schema::SortOptions;

use super::{NamedSink, PipelineError};
use crate::batch::Batch;
use crate::cursor::{self, Cursor};
use crate::sink::CursorName;
use crate::source::{Source, SourceError};
use crate::value;

/// How far an incremental load is.
pub(crate) struct Progress {
    name: CursorName,
    column: String,
    /// The value of the last load.
    saved: Option<Cursor>,
    /// A column with the largest value so far.
    largest: Option<ArrayRef>,
}

impl Progress {
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
                "the outputs have different cursors; \
                 outputs with `mode: append` get some records again"
            );
        }
        let saved: Option<Vec<_>> = saved.into_iter().collect();
        if let Some(text) = saved.and_then(|mut saved| saved.pop()) {
            // The value may be that of a parameter of an API, which no log shows.
            tracing::info!(cursor = self.column, "reading new records only");
            let cursor = Cursor::from(text);
            source.resume(&cursor);
            self.saved = Some(cursor);
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
        if let Some(saved) = &self.saved {
            let checked = saved.check_type(&self.column, &value::type_name(column.data_type()));
            checked.map_err(|reason| self.reading(reason))?;
        }
        let found = column.slice(row, 1);
        // A source that ignores the cursor does not take it back.
        let before = self.largest.clone().or_else(|| {
            let saved = self.saved.as_ref()?.value.as_str();
            let saved: ArrayRef = Arc::new(StringArray::from(vec![saved]));
            cast(&saved, column.data_type()).ok().filter(|saved| saved.is_valid(0))
        });
        if let Some(texts) = column.as_string_opt::<i32>() {
            let largest = found.as_string::<i32>().value(0);
            let before = before.as_ref().map(|before| before.as_string::<i32>().value(0));
            check_order(texts, largest, before).map_err(|reason| fail(&reason))?;
        }
        let is_larger = match &before {
            Some(largest) => compare(&found, largest)?(0, 0) == Ordering::Greater,
            None => true,
        };
        self.largest = if is_larger { Some(found) } else { before };
        Ok(())
    }

    /// Hands the cursor to the sinks, which keep it at their commit.
    ///
    /// # Errors
    ///
    /// Fails when the largest value has no text.
    pub(super) fn save(&self, sinks: &mut [NamedSink]) -> Result<(), PipelineError> {
        let Some(largest) = &self.largest else { return Ok(()) };
        let value = value::text(largest, 0);
        let value = value.map_err(|error| {
            self.failure(&format!("has a value that cannot be shown as text: {error}"))
        })?;
        let Some(value) = value else { return Ok(()) };
        let text = Cursor::new(value, value::type_name(largest.data_type())).to_string();
        for NamedSink { sink, .. } in sinks {
            sink.save_cursor(&self.name, &text);
        }
        Ok(())
    }

    fn failure(&self, reason: &str) -> PipelineError {
        self.reading(format!("the column `{}` of the cursor {reason}", self.column))
    }

    fn reading(&self, reason: String) -> PipelineError {
        let place = self.name.source.clone();
        PipelineError::Source(SourceError::Read { place, reason })
    }
}

/// Checks that the largest text is the newest one.
fn check_order(texts: &StringArray, largest: &str, before: Option<&str>) -> Result<(), String> {
    if let Some(reason) = cursor::without_order(largest) {
        return Err(reason.to_owned());
    }
    let others = texts.iter().flatten().chain(before);
    let misordered = others.into_iter().find(|text| cursor::are_misordered(text, largest));
    misordered.map_or(Ok(()), |text| {
        Err(format!(
            "has texts without an order, such as `{text}` and `{largest}`; \
             use a column of numbers or times"
        ))
    })
}
