//! Extraction: where the records come from.

use workflow_config::Config;
use workflow_data::{Pipeline, PipelineError};

use super::assets;

/// The pipeline that extracts the records of the source, as they are, into a Parquet file.
///
/// `source.type` chooses the source: `api`, `file` or `mock`.
///
/// # Errors
///
/// Fails when the configuration is invalid, with file, line and column, and when there are no files.
pub fn extract_data<T>(config: &Config<T>) -> Result<Pipeline, PipelineError> {
    let config = assets::write_to(config, &assets::extracted(config)?)?;
    Pipeline::open(&assets::without_stages(&config)?)
}
