//! Parquet files.

use std::fs::File;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::text::io_reason;

pub(super) struct ParquetFile {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
}

/// The number of rows, which the file knows. `None` if it cannot be read.
pub(crate) fn rows(path: &Path) -> Option<u64> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).ok()?).ok()?;
    u64::try_from(builder.metadata().file_metadata().num_rows()).ok()
}

impl ParquetFile {
    pub(super) fn open(path: &Path, batch_size: usize) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| io_reason(&error))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file);
        let builder = builder.map_err(|_| "the file is not valid Parquet".to_owned())?;
        let schema = builder.schema().clone();
        let reader = builder.with_batch_size(batch_size).build();
        let reader =
            reader.map_err(|error| format!("the Parquet file cannot be decoded: {error}"))?;
        Ok(Self { reader, schema })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, String> {
        let next = self.reader.next().transpose();
        next.map_err(|error| format!("the Parquet file is damaged: {error}"))
    }
}
