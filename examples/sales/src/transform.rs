//! Transformation: what happens with the records.

use std::sync::Arc;

use arrow_array::StringArray;
use serde::Deserialize;
use workflow_config::{Config, ConfigError};
use workflow_data::{Batch, Options, Stage, StageError, Stages};

use crate::ingestion::NAME;

// A program checks the stages before it serves, and so does `workflow config validate`.
workflow_config::check!(NAME, check);

fn check(config: &Config) -> Result<(), ConfigError> {
    stages().check(config)
}

/// The stages that `config.yaml` may name: the built-in ones, and those of this file.
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
