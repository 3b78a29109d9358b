//! `Summary`: what a run of a pipeline did.

use std::io;

use serde::{Deserialize, Serialize};
use workflow_core::store::SchemaField;

use crate::batch::BatchMetadata;
use crate::config::WriteMode;
use crate::table_file::TableFile;

/// What a run of a pipeline did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// The metadata of all records that passed the stages. Its time is the start of the run.
    pub metadata: BatchMetadata,
    /// How many records were read, failing ones included.
    pub read: u64,
    /// How many records of files were left out because the last load had them.
    #[serde(default)]
    pub left_out: u64,
    /// How many records were written; 0 without sinks.
    pub written: u64,
    /// How many failing records were left out.
    pub skipped: u64,
    /// How many failing records were left out and written to the quarantine.
    pub quarantined: u64,
    /// How many batches were read.
    pub batches: u64,
    /// The number of records of the largest batch that was read.
    pub largest_batch: u64,
    /// The stages, in order.
    pub stages: Vec<StageSummary>,
    /// The sinks, in order.
    pub sinks: Vec<SinkSummary>,
}

/// What a stage did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StageSummary {
    /// The name.
    pub name: String,
    /// How many records it received.
    pub received: u64,
    /// How many records it passed on.
    pub passed: u64,
}

/// What a sink did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SinkSummary {
    /// The file, or `table` with the name of a table of PostgreSQL.
    pub path: String,
    /// How many records it wrote.
    pub records: u64,
    /// What happened with data that was there.
    #[serde(default)]
    pub mode: WriteMode,
    /// The columns of the records.
    #[serde(default)]
    pub columns: Vec<SchemaField>,
}

impl Summary {
    /// The file that the first output has written, with its columns; and its rows, if the run has
    /// replaced all of them.
    ///
    /// # Errors
    ///
    /// Fails when there is no output, or when it is no file that can be read.
    pub fn table_file(&self) -> io::Result<TableFile> {
        let missing = || io::Error::other("the pipeline has no output; add `output:`");
        let sink = self.sinks.first().ok_or_else(missing)?;
        let rows = (sink.mode == WriteMode::Replace).then_some(sink.records);
        Ok(TableFile { rows, columns: sink.columns.clone(), ..TableFile::open(&sink.path)? })
    }

    /// The summary of both pipelines, of which this one has read what the earlier one has written: the
    /// records of its source, all stages and failing records, and the outputs of this one.
    #[must_use]
    pub fn after(self, earlier: &Self) -> Self {
        let earlier = earlier.clone();
        let mut metadata = earlier.metadata;
        metadata.record_count = self.metadata.record_count;
        metadata.transformation_stages.extend(self.metadata.transformation_stages);
        Self {
            metadata,
            read: earlier.read,
            left_out: earlier.left_out + self.left_out,
            written: self.written,
            skipped: earlier.skipped + self.skipped,
            quarantined: earlier.quarantined + self.quarantined,
            batches: earlier.batches,
            largest_batch: earlier.largest_batch.max(self.largest_batch),
            stages: earlier.stages.into_iter().chain(self.stages).collect(),
            sinks: self.sinks,
        }
    }

    pub(crate) fn new(metadata: BatchMetadata) -> Self {
        Self {
            metadata,
            read: 0,
            left_out: 0,
            written: 0,
            skipped: 0,
            quarantined: 0,
            batches: 0,
            largest_batch: 0,
            stages: Vec::new(),
            sinks: Vec::new(),
        }
    }
}

impl StageSummary {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), received: 0, passed: 0 }
    }
}
