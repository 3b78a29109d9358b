//! What the workflow makes: where the tables of its steps are, and configurations that read and
//! write them.

use std::path::{Path, PathBuf};

use serde_json::json;
use workflow_config::{Config, ConfigError};

/// The table that other programs read: the output, or the first one of a list.
///
/// # Errors
///
/// Fails when it is no file.
pub fn table<T>(config: &Config<T>) -> Result<PathBuf, ConfigError> {
    for path in ["output[0].path", "output.path"] {
        if let Some(path) = config.read_part(path)? {
            return Ok(path);
        }
    }
    Err(config.error_at("output", "the first output needs a `path`"))
}

/// The records as they were extracted.
///
/// # Errors
///
/// Fails as [`table`] does.
pub fn extracted<T>(config: &Config<T>) -> Result<PathBuf, ConfigError> {
    Ok(table(config)?.with_extension("extracted.parquet"))
}

/// The records after all stages.
///
/// # Errors
///
/// Fails as [`table`] does.
pub fn transformed<T>(config: &Config<T>) -> Result<PathBuf, ConfigError> {
    Ok(table(config)?.with_extension("transformed.parquet"))
}

/// The configuration with this file as its only output.
pub(super) fn write_to<T>(config: &Config<T>, path: &Path) -> Result<Config, ConfigError> {
    config.with("output", json!([{ "type": "parquet", "path": path }]))
}

/// The configuration with this file as its source. The name of the source stays.
pub(super) fn read_from<T>(config: &Config<T>, path: &Path) -> Result<Config, ConfigError> {
    let file = json!({ "path": path, "format": "parquet" });
    config.with("source.type", "file")?.with("source.file", file)
}

/// The configuration without stages.
pub(super) fn without_stages<T>(config: &Config<T>) -> Result<Config, ConfigError> {
    config.with("transformation.stages", json!([]))
}
