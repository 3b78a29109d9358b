//! The start of a table that a pipeline wrote: its columns, its first rows, and what the values of
//! the columns are. The number of rows that are read is bounded, and what is kept of them, whatever
//! the table has become since. A batch of rows is whole in memory, however large its cells are.

mod chart;
mod location;

use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::ArrowError;
use workflow_config::Loader;
use workflow_core::table::{TableColumn, TableError, TablePreview, TableReader, TableRecord};

use self::chart::Values;
pub(crate) use self::location::{Location, READER};
use crate::config::FailurePolicy;
use crate::policy::Rejects;
use crate::source::{Source, SourceError};
use crate::value::type_name;

/// The most columns that are shown.
const MOST_COLUMNS: usize = 100;
/// The most rows that are shown.
const MOST_ROWS: usize = 100;
/// The most characters of a cell.
const LONGEST_CELL: usize = 200;
/// The most rows that are read, and that the charts are of.
const MOST_SAMPLED: u64 = 10_000;
/// The most bytes of cells that the charts are of.
const LARGEST_SAMPLE: usize = 8 << 20;

workflow_core::registry::inventory::submit! {
    TableReader { name: READER, read }
}

fn read(record: &TableRecord) -> Result<TablePreview, TableError> {
    let fail = |reason: String| TableError::new(&record.place, reason);
    let location: Location = serde_json::from_value(record.source.clone())
        .map_err(|_| fail("it was recorded by another version of this program".to_owned()))?;
    let mut source = location.open(&Loader::new(), MOST_SAMPLED).map_err(fail)?;
    let mut preview = sample(source.as_mut()).map_err(fail)?;
    preview.row_count = preview.row_count.or_else(|| location.row_count());
    Ok(preview)
}

/// Reads records until the sample is complete or the table ends.
fn sample(source: &mut dyn Source) -> Result<TablePreview, String> {
    let mut rejects = Rejects::new(FailurePolicy::Skip);
    let mut sample = Sample::default();
    let is_all = loop {
        let batch = source.next(&mut rejects).map_err(|error| match error {
            // The error of the preview has the place.
            SourceError::Read { reason, .. } => reason,
            other => other.to_string(),
        })?;
        let Some(batch) = batch else { break true };
        sample.add(batch.records()).map_err(|error| error.to_string())?;
        if sample.is_full() || sample.sampled + rejects.skipped() >= MOST_SAMPLED {
            break false;
        }
    };
    let (rows, unreadable) = (sample.sampled, rejects.skipped());
    let mut preview = sample.finish();
    preview.unreadable = unreadable;
    preview.row_count = is_all.then_some(rows + unreadable);
    Ok(preview)
}

/// The rows that were read so far.
#[derive(Default)]
struct Sample {
    columns: Vec<Column>,
    column_count: usize,
    rows: Vec<Vec<Option<String>>>,
    sampled: u64,
    /// The bytes of the cells.
    size: usize,
}

struct Column {
    name: String,
    kind: String,
    nulls: u64,
    values: Values,
}

impl Sample {
    fn add(&mut self, records: &RecordBatch) -> Result<(), ArrowError> {
        if self.columns.is_empty() {
            let schema = records.schema();
            self.column_count = schema.fields().len();
            let shown = schema.fields().iter().take(MOST_COLUMNS);
            self.columns = shown
                .map(|field| Column {
                    name: field.name().clone(),
                    kind: type_name(field.data_type()),
                    nulls: 0,
                    values: Values::of(field.data_type()),
                })
                .collect();
        }
        let options = FormatOptions::default();
        let arrays = records.columns().iter().take(self.columns.len());
        let formatters: Vec<_> = arrays
            .map(|array| ArrayFormatter::try_new(array, &options))
            .collect::<Result<_, _>>()?;
        let columns = self.columns.iter().zip(records.columns());
        let numbers: Vec<_> = columns.map(|(column, array)| column.values.numbers(array)).collect();
        for row in 0..records.num_rows() {
            if self.is_full() {
                break;
            }
            self.sampled += 1;
            let mut cells = Vec::with_capacity(self.columns.len());
            let columns = self.columns.iter_mut().zip(records.columns()).zip(&formatters);
            for (((column, array), formatter), numbers) in columns.zip(&numbers) {
                if array.is_null(row) {
                    column.nulls += 1;
                    cells.push(None);
                    continue;
                }
                let text = formatter.value(row).to_string();
                self.size += text.len();
                let cell = cut(text);
                column.values.add(numbers.as_ref(), row, &cell);
                cells.push(Some(cell));
            }
            if self.rows.len() < MOST_ROWS {
                self.rows.push(cells);
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.sampled >= MOST_SAMPLED || self.size >= LARGEST_SAMPLE
    }

    fn finish(self) -> TablePreview {
        let columns = self.columns.into_iter().map(|column| {
            let Column { name, kind, nulls, values } = column;
            TableColumn { name, kind, nulls, chart: values.chart() }
        });
        TablePreview {
            columns: columns.collect(),
            column_count: self.column_count as u64,
            rows: self.rows,
            row_count: None,
            sampled: self.sampled,
            unreadable: 0,
        }
    }
}

/// Cuts a long cell off.
fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST_CELL) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, TimestampSecondArray};

    use super::*;

    #[test]
    fn a_value_without_a_text_leaves_the_others_readable() {
        let times: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX, 0]));
        let records = RecordBatch::try_from_iter([("at", times)]).expect("records");
        let mut sample = Sample::default();
        sample.add(&records).expect("it can be shown");
        let rows = sample.finish().rows;
        assert!(rows[0][0].as_deref().is_some_and(|text| text.starts_with("ERROR: ")), "{rows:?}");
        assert_eq!(rows[1][0].as_deref(), Some("1970-01-01T00:00:00"));
    }
}
