//! What the workflow makes, as assets: `workflow assets materialize` makes only what has changed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use workflow_config::{Config, ConfigError};
use workflow_core::asset::asset;
use workflow_core::prelude::*;
use workflow_data::TableFile;

use crate::{ingestion, workflow};

/// The records of the source.
#[derive(Debug, Serialize, Deserialize)]
pub struct Records(pub TableFile);

/// The table that dbt and Evidence read.
#[derive(Debug, Serialize, Deserialize)]
pub struct Table(pub TableFile);

/// The records of the source, as they are.
///
/// A change of `ingestion.rs` extracts them again. `--force` does so when the source has new ones.
#[asset(name = "sales_records", code_version = include_str!("ingestion.rs"))]
pub fn records() -> Result<Records, JobError> {
    let config = ingestion::config()?;
    let path = table(&config)?.with_extension("records.parquet");
    let no_stages = Value::Array(Vec::new());
    let config =
        config.with("transformation.stages", no_stages)?.with("output.path", path.to_str())?;
    workflow::pipeline(&config)?.run()?;
    Ok(Records(TableFile::open(path)?))
}

/// The table, made from the records.
///
/// A change of `transform.rs` or `config.yaml` makes it again, without extracting anything.
#[asset(
    name = "sales",
    code_version = concat!(include_str!("transform.rs"), include_str!("../config.yaml"))
)]
pub fn cleaned(records: &Records) -> Result<Table, JobError> {
    let config = ingestion::config()?;
    let path = table(&config)?;
    let file = json!({ "path": records.0.path, "format": "parquet" });
    let config = config.with("source.type", "file")?.with("source.file", file)?;
    workflow::pipeline(&config)?.run()?;
    Ok(Table(TableFile::open(path)?))
}

/// The file of the table.
///
/// # Errors
///
/// Fails when `output.path` is missing.
pub fn table(config: &Config) -> Result<PathBuf, ConfigError> {
    let path = config.read_part::<PathBuf>("output.path")?;
    path.ok_or_else(|| config.error_at("output", "the table needs a `path`"))
}
