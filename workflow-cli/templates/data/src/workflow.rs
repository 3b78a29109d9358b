//! The workflow: which jobs there are, and in what order they run.

use workflow_config::Config;
use workflow_core::prelude::*;
use workflow_data::{Pipeline, PipelineError, Summary};

use crate::{ingestion, transform};

/// Reads the source, and writes the table.
#[job]
pub fn load(ctx: &JobContext) -> Result<Summary, PipelineError> {
    run(&ingestion::config()?, || ctx.is_cancelled())
}

/// Runs the pipeline of a configuration. Nothing is written if it fails or is cancelled.
///
/// # Errors
///
/// Fails when the configuration is invalid, the source cannot be read, or the table cannot be
/// written.
pub fn run(config: &Config, is_cancelled: impl FnMut() -> bool) -> Result<Summary, PipelineError> {
    let pipeline = Pipeline::builder(config)
        .source(ingestion::source(config)?)
        .stages(transform::stages())
        .build()?;
    pipeline.run_until(is_cancelled)
}

/// Every night.
#[register_workflow(
    name = "{{ crate_name }}",
    metadata = {
        "description": "Reads records, cleans them, and writes a table",
        "schedule": "0 3 * * *",
        "tags": ["data"],
    }
)]
fn workflow(flow: &mut Flow) -> Handle<Summary> {
    flow.job(load())
}
