//! Parquet files.

use std::path::PathBuf;

use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{CursorName, Sink, SinkError};
use crate::batch::Batch;
use crate::staged::{StagedFile, Start};

pub(super) struct ParquetSink {
    path: PathBuf,
    /// From the first batch to the commit.
    writer: Option<ArrowWriter<StagedFile>>,
}

impl ParquetSink {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, writer: None }
    }

    fn open(&self, batch: &Batch) -> Result<ArrowWriter<StagedFile>, SinkError> {
        let file = StagedFile::begin(&self.path, Start::Empty);
        let file = file.map_err(|error| SinkError::io(&self.path, &error))?;
        let snappy = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = ArrowWriter::try_new(file, batch.records().schema(), Some(snappy));
        writer.map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &ParquetError) -> SinkError {
        SinkError::of_path(&self.path, error.to_string())
    }
}

impl Sink for ParquetSink {
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.open(batch)?,
        };
        let writer = self.writer.insert(writer);
        let written = writer.write(batch.records()).and_then(|()| {
            // Records wait in memory until their row group is complete.
            if writer.in_progress_size() > LARGEST_ROW_GROUP { writer.flush() } else { Ok(()) }
        });
        written.map_err(|error| self.failure(&error))
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        let Some(writer) = self.writer.take() else {
            let reason = "the source has no columns, so there is no table to write";
            return Err(SinkError::of_path(&self.path, reason));
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
