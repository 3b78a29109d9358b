//! Parquet files.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::input::Input;
#[cfg(feature = "object-store")]
use super::parquet_object::RowGroups;
use crate::text::io_reason;

pub(super) struct ParquetFile {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    /// What is read.
    columns: Option<Projection>,
    /// Those that the reader does not have yet.
    #[cfg(feature = "object-store")]
    rest: Option<RowGroups>,
}

struct Projection {
    order: Vec<usize>,
    schema: SchemaRef,
}

impl Projection {
    fn of(&self, records: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = self.order.iter().map(|place| Arc::clone(records.column(*place)));
        let options = RecordBatchOptions::new().with_row_count(Some(records.num_rows()));
        let schema = Arc::clone(&self.schema);
        RecordBatch::try_new_with_options(schema, columns.collect(), &options)
    }
}

/// The number of rows, which the file knows. `None` if it cannot be read.
pub(crate) fn rows(path: &Path) -> Option<u64> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).ok()?).ok()?;
    u64::try_from(builder.metadata().file_metadata().num_rows()).ok()
}

impl ParquetFile {
    pub(super) fn open(input: &Input, batch_size: usize) -> Result<Self, String> {
        match input {
            Input::File(path) => Self::of_file(path, batch_size),
            #[cfg(feature = "object-store")]
            Input::Object(object) => {
                let rest = RowGroups::open(object.clone(), batch_size)?;
                let (reader, schema) = (rest.empty()?, rest.schema());
                Ok(Self { reader, schema, columns: None, rest: Some(rest) })
            }
        }
    }

    fn of_file(path: &Path, batch_size: usize) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| io_reason(&error))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file);
        let builder = builder.map_err(|_| NOT_VALID.to_owned())?;
        let schema = builder.schema().clone();
        let reader = builder.with_batch_size(batch_size).build();
        let reader = reader.map_err(|error| not_decoded(&error))?;
        Ok(Self {
            reader,
            schema,
            columns: None,
            #[cfg(feature = "object-store")]
            rest: None,
        })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Reads these columns in this order. All may have nulls then, so that files of one pattern make
    /// one table.
    pub(super) fn project(&mut self, order: Vec<usize>) {
        let field = |place: &usize| {
            let field = self.schema.field(*place);
            Field::new(field.name(), field.data_type().clone(), true)
        };
        let schema = Arc::new(Schema::new(order.iter().map(field).collect::<Vec<_>>()));
        self.columns = Some(Projection { order, schema });
    }

    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, String> {
        loop {
            let next = self.reader.next().map(|next| match &self.columns {
                Some(columns) => next.and_then(|records| columns.of(&records)),
                None => next,
            });
            let next = next.transpose().map_err(|error| {
                tracing::debug!(%error, "cannot read a Parquet file");
                "the Parquet file is damaged; write it again".to_owned()
            })?;
            if next.is_some() || !self.open_next_group()? {
                return Ok(next);
            }
        }
    }

    /// Opens the next row group of an object. Returns whether there is one.
    #[cfg(feature = "object-store")]
    fn open_next_group(&mut self) -> Result<bool, String> {
        let Some(rest) = &mut self.rest else { return Ok(false) };
        let next = rest.next()?;
        let has_next = next.is_some();
        if let Some(reader) = next {
            self.reader = reader;
        }
        Ok(has_next)
    }

    #[cfg(not(feature = "object-store"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the feature")]
    fn open_next_group(&mut self) -> Result<bool, String> {
        Ok(false)
    }
}

pub(super) const NOT_VALID: &str = "the file is not valid Parquet";

pub(super) fn not_decoded(error: &dyn std::fmt::Display) -> String {
    tracing::debug!(%error, "cannot decode a Parquet file");
    "cannot decode the Parquet file: it is damaged, or compressed in a way that this program does not \
     support"
        .to_owned()
}
