//! The workflow: which jobs there are, and in what order they run.

use workflow_config::Config;
use workflow_core::prelude::*;
use workflow_data::{PipelineConfig, PipelineError, Summary};
use workflow_evidence::{DashboardConfig, Update};

use super::ingestion::extract_data;
use super::transform::{load_data, transform_data};

/// Extracts the records of the source.
#[job]
pub fn extract(ctx: &JobContext, config: Config<PipelineConfig>) -> Result<Summary, PipelineError> {
    extract_data(&config)?.run_in(ctx)
}

/// Takes the extracted records through the stages. The summary has those of extraction, too.
#[job]
pub fn transform(
    ctx: &JobContext,
    config: Config<PipelineConfig>,
    extracted: &Summary,
) -> Result<Summary, PipelineError> {
    tracing::info!(records = extracted.written, "transforming");
    Ok(transform_data(&config)?.run_in(ctx)?.after(extracted))
}

/// Loads the transformed records into the outputs. The summary is that of the whole workflow.
#[job]
pub fn load(
    ctx: &JobContext,
    config: Config<PipelineConfig>,
    transformed: &Summary,
) -> Result<Summary, PipelineError> {
    tracing::info!(records = transformed.written, "loading");
    Ok(load_data(&config)?.run_in(ctx)?.after(transformed))
}

/// Updates the dashboard, as `dashboard` in `config.yaml` says. The run does not fail if it cannot.
#[job]
pub async fn dashboard(ctx: &JobContext, config: Config<DashboardConfig>) -> Update {
    workflow_evidence::update(ctx, &config).await
}

/// `config.yaml` has the name that people see, the description and the schedule.
#[register_workflow(
    name = "my_workflow",
    metadata = {
        "description": "My workflow for processing data from Source X",
        "owner": "data-team",
        "tags": ["example", "template"],
    }
)]
fn my_workflow(flow: &mut Flow) -> Handle<Summary> {
    let extracted = flow.job(extract());
    let transformed = flow.job(transform(extracted));
    let loaded = flow.job(load(transformed));
    flow.job(dashboard().after(loaded));
    loaded
}
