//! Stages: what happens with each batch between the source and the sinks.
//!
//! A stage knows nothing of sources and sinks. The built-in ones are `cleaning`, `enrichment` and
//! `validation`; hosts add their own to [`Stages`] by name.

mod cleaning;
mod enrichment;
mod seen;
mod validation;

use std::collections::BTreeMap;
use std::fmt;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use serde::de::DeserializeOwned;
use workflow_config::{Config, ConfigError};

use crate::batch::Batch;
use crate::clock::RecordClock;
use crate::normalize::NormalizeError;
use crate::policy::{Failures, RejectError, Rejects};
use crate::row::FailedRow;
use crate::{text, value};

/// What happens with each batch between the source and the sinks.
///
/// Functions from a batch to a batch are stages, too.
pub trait Stage: Send {
    /// Changes a batch. Records that fail go to `rejects`.
    ///
    /// # Errors
    ///
    /// Fails when the batch does not fit the stage, and at a record that the policy of `rejects`
    /// does not let pass.
    fn apply(&mut self, batch: Batch, rejects: &mut Rejects) -> Result<Batch, StageError>;

    /// Returns the records that the stage has held back, after the last batch.
    ///
    /// # Errors
    ///
    /// Fails as [`apply`](Stage::apply) does.
    fn finish(&mut self, rejects: &mut Rejects) -> Result<Option<Batch>, StageError> {
        let _ = rejects;
        Ok(None)
    }
}

impl<F> Stage for F
where
    F: FnMut(Batch) -> Result<Batch, StageError> + Send,
{
    fn apply(&mut self, batch: Batch, _: &mut Rejects) -> Result<Batch, StageError> {
        self(batch)
    }
}

/// Why a stage cannot continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// A record fails.
    #[error(transparent)]
    Rejected(#[from] RejectError),
    /// The batch does not fit the stage.
    #[error("{0}")]
    Failed(String),
}

impl StageError {
    /// A reason why the batch does not fit the stage.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self::Failed(reason.to_string())
    }
}

impl From<NormalizeError> for StageError {
    fn from(error: NormalizeError) -> Self {
        match error {
            NormalizeError::Rejected(error) => error.into(),
            NormalizeError::Column(reason) => Self::Failed(reason),
        }
    }
}

impl From<ArrowError> for StageError {
    fn from(error: ArrowError) -> Self {
        Self::new(error)
    }
}

/// The options of a stage, with their places in the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    config: Config,
    path: String,
    clock: RecordClock,
}

impl Options {
    pub(crate) fn new(config: &Config, path: String, clock: RecordClock) -> Self {
        Self { config: config.clone(), path, clock }
    }

    /// Reads the options as a type; without options, its default. A type that denies unknown fields
    /// gives errors with suggestions.
    ///
    /// # Errors
    ///
    /// Fails when an option does not fit its field, with its place.
    pub fn read<T: DeserializeOwned + Default>(&self) -> Result<T, ConfigError> {
        self.config
            .read_part::<Option<T>>(&self.path)
            .map(|read| read.flatten().unwrap_or_default())
    }

    /// Makes an error at the place of an option, such as `rules[0].min`.
    pub fn error(&self, option: &str, message: &str) -> ConfigError {
        self.config.error_at(&format!("{}.{option}", self.path), message)
    }

    /// Makes one error of all mistakes in the options.
    fn all_of(&self, mistakes: Vec<ConfigError>) -> Result<(), ConfigError> {
        ConfigError::all_of(self.config.name(), mistakes.into_iter())
    }

    /// The clock of the pipeline.
    pub fn clock(&self) -> RecordClock {
        self.clock
    }
}

/// Stages by name: the built-in ones, and those of the host.
///
/// ```
/// use workflow_data::{Batch, Stages};
///
/// let stages = Stages::new().with("first_rows", |options| {
///     #[derive(Default, serde::Deserialize)]
///     #[serde(deny_unknown_fields)]
///     struct Few { most: usize }
///
///     let most = options.read::<Few>()?.most;
///     Ok(move |batch: Batch| {
///         let keep = (0..batch.len()).map(|row| Some(row < most)).collect();
///         Ok(batch.filter(&keep)?)
///     })
/// });
/// assert_eq!(
///     stages.names().collect::<Vec<_>>(),
///     ["cleaning", "enrichment", "first_rows", "validation"]
/// );
/// ```
pub struct Stages {
    makers: BTreeMap<String, Maker>,
}

/// Makes a stage from its options.
type Maker = Box<dyn Fn(&Options) -> Result<Box<dyn Stage>, ConfigError> + Send + Sync>;

impl Stages {
    /// The built-in stages.
    pub fn new() -> Self {
        Self { makers: BTreeMap::new() }
            .with("cleaning", cleaning::Cleaning::new)
            .with("enrichment", enrichment::Enrichment::new)
            .with("validation", validation::Validation::new)
    }

    /// Adds a stage that is made from its options. A stage of the same name is replaced.
    #[must_use]
    pub fn with<S: Stage + 'static>(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&Options) -> Result<S, ConfigError> + Send + Sync + 'static,
    ) -> Self {
        let boxed = move |options: &Options| -> Result<Box<dyn Stage>, ConfigError> {
            Ok(Box::new(make(options)?))
        };
        self.makers.insert(name.into(), Box::new(boxed));
        self
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.makers.keys().map(String::as_str)
    }

    /// Makes a stage; `None` if there is none of this name.
    pub(crate) fn make(
        &self,
        name: &str,
        options: &Options,
    ) -> Option<Result<Box<dyn Stage>, ConfigError>> {
        self.makers.get(name).map(|make| make(options))
    }
}

impl Default for Stages {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.makers.keys()).finish()
    }
}

/// The index of a column.
fn column(records: &RecordBatch, name: &str) -> Result<usize, StageError> {
    records.schema().index_of(name).map_err(|_| {
        let schema = records.schema();
        let near =
            text::suggestion(name, schema.fields().iter().map(|field| field.name().as_str()));
        let columns = value::columns(records);
        StageError::new(format!(
            "the table has no column `{name}`{near}; its columns are {columns}"
        ))
    })
}

/// Rejects records, and keeps the others.
fn reject_rows(
    batch: Batch,
    failures: Failures,
    reject: impl FnMut(FailedRow) -> Result<(), RejectError>,
) -> Result<Batch, StageError> {
    if failures.is_empty() {
        return Ok(batch);
    }
    let stays = failures.reject(&batch, batch.records(), reject)?;
    Ok(batch.filter(&stays)?)
}
