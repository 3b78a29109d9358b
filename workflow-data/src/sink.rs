//! Sinks: where a pipeline writes its table. What a sink writes is visible only after its commit.

mod cursor;
mod demands;
mod file;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod table;

use std::path::Path;

pub(crate) use self::cursor::CursorName;
pub(crate) use self::demands::Demands;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use self::table::quoted;
use crate::batch::Batch;
use crate::config::{FileFormat, OutputConfig, SinkKind};
use crate::text::io_reason;
#[cfg(not(all(feature = "parquet", feature = "sqlite")))]
use crate::text::missing_feature;

/// Where a pipeline writes its table.
///
/// A sink that is dropped without a commit leaves its target as it was.
pub(crate) trait Sink: Send {
    /// What a record must have so that the sink takes it. Asked before the first batch.
    ///
    /// # Errors
    ///
    /// Fails when the target cannot be read.
    fn demands(&mut self) -> Result<Demands, SinkError> {
        Ok(Demands::default())
    }

    /// Writes a batch, whose records have what the sink demands. All batches have the same columns.
    ///
    /// # Errors
    ///
    /// Fails when the batch cannot be written, or does not fit the data that is there.
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError>;

    /// Makes everything that was written visible, at once.
    ///
    /// Without a batch, or with empty ones only, a target that is replaced keeps its columns and has
    /// no records. One that is not there is left out if no batch says its columns.
    ///
    /// # Errors
    ///
    /// Fails when that is not possible. The target is as it was before.
    fn commit(&mut self) -> Result<(), SinkError>;

    /// The cursor that was kept with the records that are there; `None` before the first load.
    ///
    /// # Errors
    ///
    /// Fails when the target cannot be read.
    fn saved_cursor(&mut self, name: &CursorName) -> Result<Option<String>, SinkError>;

    /// Keeps a cursor together with the records, at the commit.
    fn save_cursor(&mut self, name: &CursorName, value: &str);
}

/// Why a sink cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot write `{target}`: {reason}")]
#[non_exhaustive]
pub struct SinkError {
    /// The file, or the table of a database.
    pub target: String,
    /// The reason.
    pub reason: String,
}

impl SinkError {
    /// A reason why a target cannot be written.
    pub fn new(target: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { target: target.into(), reason: reason.into() }
    }

    fn of_path(path: &Path, reason: impl Into<String>) -> Self {
        Self::new(path.display().to_string(), reason)
    }

    fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::of_path(path, io_reason(error))
    }
}

/// Makes the sink of a configuration, or says why there is none: an option, and what is wrong.
pub(crate) fn make(options: &OutputConfig) -> Result<Box<dyn Sink>, (&'static str, String)> {
    match options.kind {
        SinkKind::File => {
            let format = options.format.or_else(|| FileFormat::of(&options.path));
            // The rules of the configuration demand a format that can be written.
            let format = format.unwrap_or(FileFormat::Csv);
            Ok(Box::new(file::FileSink::new(options.path.clone(), format, options.mode)))
        }
        SinkKind::Parquet => parquet(options).map_err(|reason| ("type", reason)),
        SinkKind::Sqlite => sqlite(options).map_err(|reason| ("type", reason)),
        SinkKind::Postgres => postgres(options),
    }
}

#[cfg(feature = "postgres")]
fn postgres(options: &OutputConfig) -> Result<Box<dyn Sink>, (&'static str, String)> {
    let made = postgres::PostgresSink::new(options);
    made.map(|sink| Box::new(sink) as Box<dyn Sink>).map_err(|reason| ("url", reason))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &OutputConfig) -> Result<Box<dyn Sink>, (&'static str, String)> {
    Err(("type", crate::text::missing_feature("postgres")))
}

#[cfg(feature = "parquet")]
fn parquet(options: &OutputConfig) -> Result<Box<dyn Sink>, String> {
    Ok(Box::new(parquet::ParquetSink::new(options.path.clone())))
}

#[cfg(not(feature = "parquet"))]
fn parquet(_: &OutputConfig) -> Result<Box<dyn Sink>, String> {
    Err(missing_feature("parquet"))
}

#[cfg(feature = "sqlite")]
fn sqlite(options: &OutputConfig) -> Result<Box<dyn Sink>, String> {
    Ok(Box::new(sqlite::SqliteSink::new(options)))
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(_: &OutputConfig) -> Result<Box<dyn Sink>, String> {
    Err(missing_feature("sqlite"))
}
