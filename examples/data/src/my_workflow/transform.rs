//! Transformation: what happens with the records.

use std::sync::Arc;

use arrow_array::StringArray;
use serde::Deserialize;
use workflow_config::{Config, ConfigError};
use workflow_data::{Batch, Options, Pipeline, PipelineError, Stage, StageError, Stages};

use super::{NAME, assets};

/// The pipeline that takes the extracted records through the stages of the configuration.
///
/// # Errors
///
/// Fails when the configuration is invalid, with file, line and column, and when nothing has been
/// extracted.
pub fn transform_data<T>(config: &Config<T>) -> Result<Pipeline, PipelineError> {
    let extracted = assets::read_from(config, &assets::extracted(config)?)?;
    let config = assets::write_to(&extracted, &assets::transformed(config)?)?;
    Pipeline::builder(&config).stages(stages()).build()
}

/// The pipeline that loads the transformed records into the outputs of the configuration.
///
/// # Errors
///
/// Fails when the configuration is invalid, with file, line and column, and when nothing has been
/// transformed.
pub fn load_data<T>(config: &Config<T>) -> Result<Pipeline, PipelineError> {
    let transformed = assets::read_from(config, &assets::transformed(config)?)?;
    Pipeline::open(&assets::without_stages(&transformed)?)
}

// A program checks the stages before it serves, and so does `workflow config validate`.
workflow_config::check!(NAME, check);

fn check(config: &Config) -> Result<(), ConfigError> {
    assets::table(config)?;
    stages().check(config)
}

/// The stages that the configuration may name: the built-in ones, and those of this file.
pub fn stages() -> Stages {
    Stages::new().with("size", size)
}

/// The options of the stage `size`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Size {
    large_from: f64,
}

impl Default for Size {
    fn default() -> Self {
        Self { large_from: 100.0 }
    }
}

/// Adds the column `size`: `large` for an amount from `large_from` on, else `small`.
fn size(options: &Options) -> Result<impl Stage + use<>, ConfigError> {
    let Size { large_from } = options.read()?;
    Ok(move |batch: Batch| {
        let amounts = batch.numbers("amount");
        let amounts =
            amounts.ok_or_else(|| StageError::new("the column `amount` must be a number"))?;
        let sizes: StringArray = amounts
            .iter()
            .map(|amount| Some(if amount? >= large_from { "large" } else { "small" }))
            .collect();
        Ok(batch.with_column("size", Arc::new(sizes))?)
    })
}
