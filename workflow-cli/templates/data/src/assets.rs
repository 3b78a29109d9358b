//! What the workflow makes, as assets: `workflow assets materialize` makes only what has changed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::json;
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
/// A change of `ingestion.rs` extracts them again. When the source has new ones, name this asset with
/// `--force`.
#[asset(name = "{{ crate_name }}_records", code_version = include_str!("ingestion.rs"))]
pub fn records() -> Result<Records, JobError> {
    extract(&ingestion::config()?).map(Records)
}

/// The table, made from the records.
///
/// A change of `transform.rs` or `config.yaml` makes it again, without extracting anything.
#[asset(
    name = "{{ crate_name }}",
    code_version = concat!(include_str!("transform.rs"), include_str!("../config.yaml"))
)]
pub fn cleaned(records: &Records) -> Result<Table, JobError> {
    clean(&ingestion::config()?, &records.0).map(Table)
}

/// Extracts the records into a file beside the table.
///
/// # Errors
///
/// Fails when the configuration is invalid, and when the source cannot be read.
pub fn extract(config: &Config) -> Result<TableFile, JobError> {
    let path = table(config)?.with_extension("records.parquet");
    let output = json!([{ "type": "parquet", "path": path }]);
    let config = config.with("transformation.stages", json!([]))?.with("output", output)?;
    Ok(workflow::pipeline(&config)?.run()?.table_file()?)
}

/// Takes extracted records through the stages into the table.
///
/// # Errors
///
/// Fails when the configuration is invalid, when the file of the records was changed, and when the
/// table cannot be written.
pub fn clean(config: &Config, records: &TableFile) -> Result<TableFile, JobError> {
    records.check()?;
    let file = json!({ "path": records.path, "format": "parquet" });
    let config = config.with("source.type", "file")?.with("source.file", file)?;
    Ok(workflow::pipeline(&config)?.run()?.table_file()?)
}

/// The file of the table: the output, or the first one of a list.
///
/// # Errors
///
/// Fails when it is no file.
pub fn table(config: &Config) -> Result<PathBuf, ConfigError> {
    for path in ["output.path", "output[0].path"] {
        if let Some(path) = config.read_part(path)? {
            return Ok(path);
        }
    }
    Err(config.error_at("output", "the table needs a `path`"))
}
