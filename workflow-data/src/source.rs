//! Sources: where the records of a pipeline come from, batch by batch.
//!
//! A source knows nothing of stages and sinks. It blocks while it reads: CSV, Parquet and SQLite do
//! so anyway, and a pipeline that asks for one batch after the other holds no more than one.

#[cfg(feature = "api")]
mod api;
mod csv;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod database;
mod file;
#[cfg(feature = "api")]
mod http;
mod input;
mod json;
mod mock;
#[cfg(feature = "object-store")]
mod object;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(all(feature = "object-store", feature = "parquet"))]
mod parquet_object;
mod place;
mod table;

use std::time::Duration;

use crate::batch::Batch;
use crate::clock::RecordClock;
use crate::config::{ApiSource, DatabaseSource, FileSource, MockSource, Repeated};
use crate::cursor::Cursor;
use crate::normalize::NormalizeError;
use crate::policy::{RejectError, Rejects};

pub(crate) use file::find;
#[cfg(feature = "openlineage")]
pub(crate) use http::tls;
#[cfg(feature = "parquet")]
pub(crate) use parquet::rows as parquet_rows;

/// Where records come from, batch by batch.
pub trait Source: Send {
    /// Reads the next batch; `None` after the last one.
    ///
    /// All batches have the same columns. A source without records returns one empty batch, if it
    /// knows its columns.
    ///
    /// # Errors
    ///
    /// Fails when nothing more can be read, and at a record that the policy of `rejects` does not
    /// let pass.
    fn next(&mut self, rejects: &mut Rejects) -> Result<Option<Batch>, SourceError>;

    /// Leaves out the records up to this cursor, which the last load kept. Called before the first
    /// batch. Sources that are not incremental ignore it.
    fn resume(&mut self, cursor: &Cursor) {
        let _ = cursor;
    }

    /// How many records were read and left out because of the cursor.
    fn left_out(&self) -> u64 {
        0
    }
}

/// Why a source cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A record fails.
    #[error(transparent)]
    Rejected(#[from] RejectError),
    /// The source as a whole, or the rest of it, cannot be read.
    #[error("cannot read `{place}`: {reason}")]
    Read {
        /// The file, or the name of another source.
        place: String,
        /// The reason.
        reason: String,
    },
}

impl SourceError {
    /// Why the columns of a source cannot have normal types.
    pub(crate) fn of_types(place: &str, error: NormalizeError) -> Self {
        match error {
            NormalizeError::Rejected(error) => error.into(),
            NormalizeError::Column(reason) => Self::Read { place: place.to_owned(), reason },
        }
    }
}

/// What every source is told.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// The name of the source.
    pub(crate) label: String,
    /// The most records of a batch.
    pub(crate) batch_size: usize,
    /// How often a failed request is tried again.
    #[cfg_attr(not(feature = "api"), expect(dead_code, reason = "files and databases have none"))]
    pub(crate) max_retries: u32,
    /// How long a server may take for a query and for each batch. Default: as long as it needs.
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres")),
        expect(dead_code, reason = "only a query has it")
    )]
    pub(crate) statement_timeout: Option<Duration>,
    pub(crate) clock: RecordClock,
    /// What the outputs do with a record that they have already.
    pub(crate) repeated: Repeated,
}

/// A source of made-up records.
pub(crate) fn mock(options: MockSource, reading: Reading) -> Box<dyn Source> {
    Box::new(mock::Mock::new(options, reading))
}

/// A source of an HTTP API, or why there is none: an option, and what is wrong with it.
#[cfg(feature = "api")]
pub(crate) fn api(
    options: ApiSource,
    reading: Reading,
) -> Result<Box<dyn Source>, (&'static str, String)> {
    let made = api::Api::new(options, reading);
    made.map(|api| Box::new(api) as Box<dyn Source>).map_err(|reason| ("url", reason))
}

#[cfg(not(feature = "api"))]
pub(crate) fn api(_: ApiSource, _: Reading) -> Result<Box<dyn Source>, (&'static str, String)> {
    Err(("type", crate::text::missing_feature("api")))
}

/// A source of a query to a database, or why there is none: an option, and what is wrong with it.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn database(
    options: DatabaseSource,
    reading: Reading,
) -> Result<Box<dyn Source>, (&'static str, String)> {
    let made = database::Database::new(options, reading);
    made.map(|database| Box::new(database) as Box<dyn Source>)
}

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
pub(crate) fn database(
    _: DatabaseSource,
    _: Reading,
) -> Result<Box<dyn Source>, (&'static str, String)> {
    Err(("type", crate::text::missing_feature("sqlite` or `postgres")))
}

/// A source of files and objects, which [`find`] found.
pub(crate) fn files(
    options: FileSource,
    found: impl Into<file::Found>,
    reading: Reading,
) -> Box<dyn Source> {
    Box::new(file::Files::new(options, found.into(), reading))
}
