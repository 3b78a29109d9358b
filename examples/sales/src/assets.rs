//! What the workflow makes: the table that dbt and Evidence read.

use std::path::PathBuf;

use workflow_config::{Config, ConfigError};

/// The file of the table.
///
/// # Errors
///
/// Fails when `output.path` is missing.
pub fn table(config: &Config) -> Result<PathBuf, ConfigError> {
    let path = config.read_part::<PathBuf>("output.path")?;
    path.ok_or_else(|| config.error_at("output", "the table needs a `path`"))
}
