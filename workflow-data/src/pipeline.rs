//! `Pipeline`: streams batches from a source through stages to sinks.

mod incremental;
mod writer;

use std::collections::BTreeMap;

use arrow_schema::SchemaRef;
use workflow_config::ConfigError;
use workflow_core::store::SchemaField;
use workflow_core::{JobContext, JobError, table};

pub(crate) use self::incremental::Progress;
use self::writer::Writer;
use crate::batch::{Batch, BatchMetadata};
use crate::clock::RecordClock;
use crate::config::OutputConfig;
use crate::normalize::{self, NormalizeError};
use crate::policy::{Failures, RejectError, Rejects};
use crate::preview::Location;
use crate::sink::{Demands, Sink, SinkError};
use crate::source::{Source, SourceError};
use crate::stage::{Stage, StageError};
use crate::summary::{SinkSummary, StageSummary, Summary};
use crate::value;

/// A source, stages and sinks, ready to run.
///
/// At most three batches are in memory: one is read and passes the stages, one waits, and one is
/// written. A stage `cleaning` that removes duplicates also keeps 20 to 40 bytes for each distinct
/// key; above 512 MiB, they are in a temporary file. A Parquet sink also keeps up to 32 MiB of the
/// row group that it is writing.
///
/// ```
/// use serde_json::json;
/// use workflow_config::Config;
/// use workflow_data::Pipeline;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("orders.csv");
/// let config = Config::from_json("orders", json!({
///     "source": { "type": "mock", "mock": { "records": 50, "duplicates": 5 } },
///     "transformation": {
///         "stages": [{ "name": "cleaning", "options": { "remove_duplicates": true } }],
///     },
///     "output": { "type": "file", "path": path },
/// }))?;
/// let summary = Pipeline::open(&config)?.run()?;
/// assert_eq!((summary.read, summary.written), (50, 45));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct Pipeline {
    pub(crate) label: String,
    pub(crate) source: Box<dyn Source>,
    pub(crate) stages: Vec<NamedStage>,
    pub(crate) sinks: Vec<NamedSink>,
    pub(crate) rejects: Rejects,
    pub(crate) clock: RecordClock,
    /// Of an incremental load.
    pub(crate) progress: Option<Progress>,
}

/// Why a pipeline cannot be built or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A stage fails.
    #[error("stage `{name}`: {error}")]
    Stage {
        /// The name of the stage.
        name: String,
        /// The reason.
        error: StageError,
    },
    /// A sink cannot be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// An output cannot take a record, or the quarantine cannot be written.
    #[error(transparent)]
    Rejected(#[from] RejectError),
    /// The pipeline is cancelled. Nothing is written.
    #[error("cancelled after {read} records; nothing is written")]
    Cancelled {
        /// How many records were read.
        read: u64,
    },
    /// The tables are written, and cannot be recorded.
    #[error("the tables are written, and the run cannot record them: {0}")]
    Record(JobError),
    /// A stage, or a source, changes the columns from one batch to the next.
    #[error(
        "the columns change at {position}: they were {before}, and are {now}; \
         every stage must give all batches the same columns and types"
    )]
    Columns {
        /// The place of the first record of the batch.
        position: String,
        /// The columns of the batches before.
        before: String,
        /// The columns of the batch.
        now: String,
    },
}

pub(crate) struct NamedStage {
    stage: Box<dyn Stage>,
    summary: StageSummary,
}

impl NamedStage {
    pub(crate) fn new(name: &str, stage: Box<dyn Stage>) -> Self {
        Self { stage, summary: StageSummary::new(name) }
    }

    fn apply(&mut self, batch: Batch, rejects: &mut Rejects) -> Result<Batch, PipelineError> {
        let received = batch.len();
        self.summary.received += received as u64;
        let applied = self.stage.apply(batch, rejects).and_then(|batch| normal(batch, rejects));
        let batch = applied.map_err(|error| self.failure(error))?;
        let passed = batch.len();
        tracing::debug!(stage = self.summary.name, received, passed, "stage applied to a batch");
        Ok(self.passed(batch))
    }

    fn finish(&mut self, rejects: &mut Rejects) -> Result<Option<Batch>, PipelineError> {
        let finished = self.stage.finish(rejects);
        let finished =
            finished.and_then(|rest| rest.map(|batch| normal(batch, rejects)).transpose());
        let rest = finished.map_err(|error| self.failure(error))?;
        Ok(rest.map(|batch| self.passed(batch)))
    }

    fn passed(&mut self, batch: Batch) -> Batch {
        self.summary.passed += batch.len() as u64;
        batch.passed(&self.summary.name)
    }

    fn failure(&self, error: StageError) -> PipelineError {
        PipelineError::Stage { name: self.summary.name.clone(), error }
    }
}

pub(crate) struct NamedSink {
    sink: Box<dyn Sink>,
    location: Location,
    summary: SinkSummary,
}

impl NamedSink {
    pub(crate) fn new(output: &OutputConfig, location: Location, sink: Box<dyn Sink>) -> Self {
        let (path, mode) = (output.place(), output.mode);
        let summary = SinkSummary { path, records: 0, mode, columns: Vec::new() };
        Self { sink, location, summary }
    }

    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        self.sink.write(batch)?;
        self.summary.records += batch.len() as u64;
        Ok(())
    }
}

impl Pipeline {
    /// Reads all batches, and writes what passes the stages. Blocks until everything is written.
    ///
    /// The sinks are committed after the last batch, one after the other. If the pipeline fails
    /// before, none of them has changed. Quarantined records are committed first.
    ///
    /// # Errors
    ///
    /// Fails when the source cannot be read, a stage does not fit the records, a sink cannot be
    /// written, or a record fails and the policy is `fail`.
    pub fn run(self) -> Result<Summary, PipelineError> {
        self.run_until(|| false)
    }

    /// Runs like [`run`](Pipeline::run) in a job: stops between two batches when the job is
    /// cancelled, and records the tables in the run, so that the page and `workflow data` show them.
    ///
    /// # Errors
    ///
    /// Fails as [`run_until`](Pipeline::run_until) does, and with [`PipelineError::Record`] when the
    /// attempt of the job has ended.
    pub fn run_in(self, context: &JobContext) -> Result<Summary, PipelineError> {
        let locations: Vec<_> = self.sinks.iter().map(|sink| sink.location.clone()).collect();
        let summary = self.run_until(|| context.is_cancelled())?;
        let tables = locations.iter().zip(&summary.sinks);
        let tables = tables.map(|(location, sink)| location.record(&sink.path, sink.records));
        table::record(context, &tables.collect::<Vec<_>>()).map_err(PipelineError::Record)?;
        Ok(summary)
    }

    /// Runs like [`run`](Pipeline::run), and stops between two batches when it is cancelled.
    ///
    /// # Errors
    ///
    /// Fails as [`run`](Pipeline::run) does, and with [`PipelineError::Cancelled`].
    pub fn run_until(self, is_cancelled: impl FnMut() -> bool) -> Result<Summary, PipelineError> {
        let started = BatchMetadata::new(&self.label, 0, self.clock.timestamp());
        Run { pipeline: self, summary: Summary::new(started), schema: None, demands: Vec::new() }
            .finish(is_cancelled)
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stages: Vec<_> = self.stages.iter().map(|stage| &stage.summary.name).collect();
        let sinks: Vec<_> = self.sinks.iter().map(|sink| &sink.summary.path).collect();
        f.debug_struct("Pipeline")
            .field("source", &self.label)
            .field("stages", &stages)
            .field("sinks", &sinks)
            .finish_non_exhaustive()
    }
}

/// A run of a pipeline.
struct Run {
    pipeline: Pipeline,
    summary: Summary,
    /// The columns of the batches that were written.
    schema: Option<SchemaRef>,
    /// What a record must have so that all sinks take it.
    demands: Vec<Demands>,
}

impl Run {
    fn finish(mut self, is_cancelled: impl FnMut() -> bool) -> Result<Summary, PipelineError> {
        tracing::info!(source = self.pipeline.label, "reading the source");
        if let Pipeline { progress: Some(progress), sinks, source, .. } = &mut self.pipeline {
            progress.resume(sinks, source.as_mut())?;
        }
        let mut sinks = std::mem::take(&mut self.pipeline.sinks);
        for NamedSink { sink, .. } in &mut sinks {
            self.demands.push(sink.demands()?);
        }
        self.pipeline.sinks = std::thread::scope(|scope| {
            let writer = Writer::start(scope, sinks);
            let passed = self.pass_all(&writer, is_cancelled);
            // The batch that it could not write came before the record at which reading stopped.
            let sinks = writer.finish()?;
            passed.map(|()| sinks)
        })?;
        self.commit()?;
        Ok(self.summarize())
    }

    /// Hands all batches to the stages, and what passes them to the writer, as long as it
    /// continues.
    fn pass_all(
        &mut self,
        writer: &Writer<'_>,
        mut is_cancelled: impl FnMut() -> bool,
    ) -> Result<(), PipelineError> {
        while let Some(batch) = self.read()? {
            if is_cancelled() {
                return Err(PipelineError::Cancelled { read: self.summary.read });
            }
            if let Some(progress) = &mut self.pipeline.progress {
                progress.raise(&batch)?;
            }
            let passed = self.pass(batch, 0)?;
            if !writer.write(passed) {
                return Ok(());
            }
        }
        for index in 0..self.pipeline.stages.len() {
            let Pipeline { stages, rejects, .. } = &mut self.pipeline;
            if let Some(batch) = stages[index].finish(rejects)? {
                let passed = self.pass(batch, index + 1)?;
                if !writer.write(passed) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Batch>, PipelineError> {
        let Pipeline { label, source, rejects, .. } = &mut self.pipeline;
        let rejected = |rejects: &Rejects| rejects.skipped() + rejects.quarantined();
        let before = rejected(rejects);
        let batch = source.next(rejects)?;
        let batch = batch.map(|batch| normalize::batch(batch, &BTreeMap::new(), rejects));
        let batch = batch.transpose();
        let batch = batch.map_err(|error| SourceError::of_types(label, error))?;
        let records = batch.as_ref().map_or(0, |batch| batch.len() as u64);
        let records = records + rejected(rejects) - before;
        let summary = &mut self.summary;
        summary.read += records;
        summary.batches += u64::from(batch.is_some());
        summary.largest_batch = summary.largest_batch.max(records);
        Ok(batch)
    }

    /// Hands a batch to the stages from this one on.
    fn pass(&mut self, mut batch: Batch, from: usize) -> Result<Batch, PipelineError> {
        let Pipeline { stages, rejects, .. } = &mut self.pipeline;
        for stage in &mut stages[from..] {
            batch = stage.apply(batch, rejects)?;
        }
        self.check_columns(&batch)?;
        let batch = self.check_demands(batch)?;
        self.summary.metadata.record_count += batch.len() as u64;
        Ok(batch)
    }

    fn check_columns(&mut self, batch: &Batch) -> Result<(), PipelineError> {
        let now = batch.records().schema();
        let before = self.schema.get_or_insert_with(|| now.clone());
        if before.fields() == now.fields() {
            return Ok(());
        }
        let (before, now) = (columns(before), columns(&now));
        Err(PipelineError::Columns { position: batch.position(0).to_string(), before, now })
    }

    /// Rejects the records that a sink cannot take: all sinks get the same ones.
    fn check_demands(&mut self, batch: Batch) -> Result<Batch, PipelineError> {
        let mut failures = Failures::default();
        let types =
            |error| SourceError::of_types(&self.pipeline.label, NormalizeError::from(error));
        for demands in &self.demands {
            demands.check(batch.records(), &mut failures).map_err(types)?;
        }
        if failures.is_empty() {
            return Ok(batch);
        }
        let rejects = &mut self.pipeline.rejects;
        let stays = failures.reject(&batch, batch.records(), |row| rejects.reject(row))?;
        Ok(batch.filter(&stays).map_err(types)?)
    }

    fn commit(&mut self) -> Result<(), PipelineError> {
        self.pipeline.rejects.commit()?;
        if let Pipeline { progress: Some(progress), sinks, .. } = &mut self.pipeline {
            // Without new records, there may be no columns.
            if self.schema.is_none() {
                return Ok(());
            }
            progress.save(sinks)?;
        }
        if self.schema.is_none() {
            tracing::info!(
                "the source has no records, and does not say which columns it has; \
                 outputs keep their columns"
            );
        }
        for sink in &mut self.pipeline.sinks {
            sink.sink.commit()?;
        }
        Ok(())
    }

    fn summarize(self) -> Summary {
        let Self { pipeline, mut summary, schema, .. } = self;
        let fields = schema.iter().flat_map(|schema| schema.fields());
        let columns = fields.map(|field| SchemaField {
            name: field.name().clone(),
            kind: value::type_name(field.data_type()),
        });
        let columns: Vec<_> = columns.collect();
        summary.skipped = pipeline.rejects.skipped();
        summary.quarantined = pipeline.rejects.quarantined();
        summary.left_out = pipeline.source.left_out();
        if summary.left_out > 0 {
            tracing::info!(records = summary.left_out, "left out what the last load had");
        }
        for NamedStage { summary: stage, .. } in pipeline.stages {
            let StageSummary { name, received, passed } = &stage;
            tracing::info!(stage = name, received, passed, "stage finished");
            summary.metadata.transformation_stages.push(name.clone());
            summary.stages.push(stage);
        }
        for NamedSink { summary: mut sink, .. } in pipeline.sinks {
            sink.columns.clone_from(&columns);
            tracing::info!(path = sink.path, records = sink.records, "output written");
            summary.written = summary.written.max(sink.records);
            summary.sinks.push(sink);
        }
        summary
    }
}

fn normal(batch: Batch, rejects: &mut Rejects) -> Result<Batch, StageError> {
    Ok(normalize::batch(batch, &BTreeMap::new(), rejects)?)
}

fn columns(schema: &SchemaRef) -> String {
    let columns = schema.fields().iter();
    let columns: Vec<_> =
        columns.map(|field| format!("`{}` ({})", field.name(), field.data_type())).collect();
    columns.join(", ")
}
