//! The workflow: which jobs there are, and in what order they run.

use workflow_config::Config;
use workflow_core::prelude::*;
use workflow_data::{Pipeline, PipelineError, Summary};
use workflow_evidence::{DashboardConfig, Update};

use crate::{ingestion, transform};

/// Reads the source, and writes the table, which the page then shows.
#[job]
pub fn load(ctx: &JobContext) -> Result<Summary, PipelineError> {
    pipeline(&ingestion::config()?)?.run_in(ctx)
}

/// Updates the dashboard, as `dashboard` in `config.yaml` says. The run does not fail if it cannot.
#[job]
pub async fn dashboard(ctx: &JobContext, config: Config<DashboardConfig>) -> Update {
    workflow_evidence::update(ctx, &config).await
}

/// The pipeline of a configuration. Nothing is written if it fails or is cancelled.
///
/// # Errors
///
/// Fails when the configuration is invalid, with file, line and column.
pub fn pipeline(config: &Config) -> Result<Pipeline, PipelineError> {
    Pipeline::builder(config).source(ingestion::source(config)?).stages(transform::stages()).build()
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
    let loaded = flow.job(load());
    flow.job(dashboard().after(loaded));
    loaded
}
