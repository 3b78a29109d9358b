//! Extraction: where the records come from.

use workflow_config::{Config, ConfigError, Loader};
use workflow_data::{Pipeline, PipelineError, Source};

/// The name of the workflow and of its configuration.
pub const NAME: &str = "sales";

/// Opens `config.yaml` and the layers above it.
///
/// # Errors
///
/// Fails when a file or a variable is missing.
pub fn config() -> Result<Config, ConfigError> {
    Loader::new().open(NAME)
}

/// Opens the source that the configuration describes.
///
/// For a system that `workflow-data` does not know, implement `Source` and return it here.
///
/// # Errors
///
/// Fails when the configuration is invalid, with file, line and column.
pub fn source(config: &Config) -> Result<Box<dyn Source>, PipelineError> {
    Pipeline::builder(config).open_source()
}
