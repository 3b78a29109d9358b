//! Records that are made up, the same ones each time.

use std::sync::Arc;

use arrow_array::TimestampMicrosecondArray;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};

use super::{Reading, Source, SourceError};
use crate::batch::{Batch, BatchMetadata};
use crate::config::MockSource;
use crate::policy::Rejects;
use crate::value::{ColumnType, UTC};

pub(super) struct Mock {
    options: MockSource,
    reading: Reading,
    /// The index of the next record.
    next: u64,
    is_done: bool,
}

const NAMES: [&str; 8] = ["Ada", "Blaise", "Carl", "Dorothy", "Emmy", "Grace", "Leonhard", "Sofia"];

/// 2026-01-01, in microseconds since 1970. Each record is a minute later than the one before.
const START: i64 = 1_767_225_600_000_000;
const MINUTE: i64 = 60_000_000;

impl Mock {
    pub(super) fn new(options: MockSource, reading: Reading) -> Self {
        Self { options, reading, next: 0, is_done: false }
    }

    /// The index of the record that stands at this index: duplicates repeat the first ones.
    fn original(&self, index: u64) -> u64 {
        let distinct = self.options.records.saturating_sub(self.options.duplicates);
        if index < distinct { index } else { index - distinct }
    }

    fn records(&self, first: u64, count: u64) -> Result<RecordBatch, arrow_schema::ArrowError> {
        let indices: Vec<_> = (first..first + count).map(|index| self.original(index)).collect();
        let ids: Int64Array = indices.iter().map(|index| Some(signed(*index) + 1)).collect();
        let names = indices.iter().map(|index| Some(NAMES[(index % 8) as usize]));
        let names: StringArray = names.collect();
        let amounts = indices.iter().map(|index| {
            // Between 1.00 and 1000.96, in no visible order.
            let cents = 100 + index.wrapping_mul(7_919) % 99_997;
            (*index >= self.options.nulls).then_some(cents as f64 / 100.0)
        });
        let amounts: Float64Array = amounts.collect();
        let times =
            indices.iter().map(|index| START.saturating_add(signed(*index).saturating_mul(MINUTE)));
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone(UTC);
        let columns: Vec<ArrayRef> =
            vec![Arc::new(ids), Arc::new(names), Arc::new(amounts), Arc::new(times)];
        RecordBatch::try_new(Arc::new(schema()), columns)
    }
}

fn schema() -> Schema {
    let columns = [
        ("id", ColumnType::Integer),
        ("name", ColumnType::Text),
        ("amount", ColumnType::Number),
        ("created_at", ColumnType::Timestamp),
    ];
    Schema::new(columns.map(|(name, kind)| Field::new(name, kind.data_type(), true)).to_vec())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX - 1)
}

impl Source for Mock {
    fn next(&mut self, _: &mut Rejects) -> Result<Option<Batch>, SourceError> {
        if self.is_done {
            return Ok(None);
        }
        let first = self.next;
        let count = (self.options.records - first).min(self.reading.batch_size as u64);
        self.next += count;
        self.is_done = self.next == self.options.records;
        let label = &self.reading.label;
        let records = self.records(first, count).map_err(|error| SourceError::Read {
            place: label.clone(),
            reason: error.to_string(),
        })?;
        let metadata = BatchMetadata::new(label, count, self.reading.clock.timestamp());
        Ok(Some(Batch::new(records, metadata, label.as_str(), first + 1)))
    }
}
