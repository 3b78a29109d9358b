//! Parquet files.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{CursorName, Sink, SinkError};
use crate::batch::Batch;
use crate::staged::StagedFile;

pub(super) struct ParquetSink {
    path: PathBuf,
    /// From the first batch to the commit.
    writer: Option<ArrowWriter<StagedFile>>,
    /// The columns of a batch without records, if there are no others.
    empty: Option<SchemaRef>,
}

impl ParquetSink {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, writer: None, empty: None }
    }

    fn open(&self, schema: SchemaRef) -> Result<ArrowWriter<StagedFile>, SinkError> {
        let file = StagedFile::begin(&self.path);
        let file = file.map_err(|error| SinkError::io(&self.path, &error))?;
        let snappy = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = ArrowWriter::try_new(file, schema, Some(snappy));
        writer.map_err(|error| self.failure(&error))
    }

    /// The columns of a file without records: those of the file that is there, if they have the same
    /// names. A source without records does not know their types.
    fn empty_schema(&self) -> Option<SchemaRef> {
        let file = File::open(&self.path).ok();
        let known = file.and_then(|file| ParquetRecordBatchReaderBuilder::try_new(file).ok());
        let known = known.map(|known| Arc::clone(known.schema()));
        let names = |schema: &SchemaRef| {
            schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
        };
        match (&self.empty, known) {
            (Some(empty), Some(known)) if names(empty) != names(&known) => Some(Arc::clone(empty)),
            (empty, known) => known.or_else(|| empty.clone()),
        }
    }

    fn failure(&self, error: &ParquetError) -> SinkError {
        SinkError::of_path(&self.path, error.to_string())
    }
}

impl Sink for ParquetSink {
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        if batch.is_empty() {
            self.empty.get_or_insert_with(|| batch.records().schema());
            return Ok(());
        }
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.open(batch.records().schema())?,
        };
        let writer = self.writer.insert(writer);
        let written = writer.write(batch.records()).and_then(|()| {
            // Records wait in memory until their row group is complete.
            if writer.in_progress_size() > LARGEST_ROW_GROUP { writer.flush() } else { Ok(()) }
        });
        written.map_err(|error| self.failure(&error))
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => match self.empty_schema() {
                Some(schema) => self.open(schema)?,
                None => return Ok(()),
            },
        };
        let file = writer.into_inner().map_err(|error| self.failure(&error))?;
        file.commit().map_err(|error| SinkError::io(&self.path, &error))
    }

    /// The rules of the configuration refuse incremental loads, because the file cannot grow.
    fn saved_cursor(&mut self, _: &CursorName) -> Result<Option<String>, SinkError> {
        Ok(None)
    }

    fn save_cursor(&mut self, _: &CursorName, _: &str) {}
}

/// The size at which a row group is written, in bytes.
const LARGEST_ROW_GROUP: usize = 32 << 20;
