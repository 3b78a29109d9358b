//! Jobs of a run with their attempts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use workflow_core::graph::recorded_dependencies;

use super::super::problems::Problems;
use super::{RUN_PARAMETER, stored};
use crate::app::App;
use crate::http::extract::Path;
use crate::http::require::{Read, Require};
use crate::model::{Attempt, Bar, Listed, Record};
use crate::problem::Problem;

/// A job of a run, with attempts, inputs and output.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobDocument {
    /// Name of the job.
    name: String,
    /// Status of the job.
    #[schema(value_type = String, examples("completed"))]
    status: &'static str,
    /// Attempts of the job.
    attempts: Vec<Attempt>,
    /// Output of the job.
    #[schema(value_type = Option<Object>)]
    output: Option<Value>,
    /// Why it was skipped.
    reason: Option<String>,
    /// Jobs that it depends on.
    waits_for: Vec<String>,
    /// Outputs of the jobs it depends on, by name.
    #[schema(value_type = Object)]
    inputs: Map<String, Value>,
    /// Values that it has saved, by key.
    #[schema(value_type = Object)]
    values: Map<String, Value>,
}

/// Returns a job of a run.
#[utoipa::path(get, path = "/runs/{run}/jobs/{job}", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER),
        ("job" = String, Path, description = "Name of the job")),
    responses((status = 200, body = JobDocument), Problems))]
pub(super) async fn job(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path((which, name)): Path<(String, String)>,
) -> Result<Json<JobDocument>, Problem> {
    let catalog = caller.catalog(&app);
    let run = stored(&*catalog, &which).await?;
    let graph = &run.workflow.graph;
    let waits_for = waits_for(graph, &name);
    let wanted = waits_for.iter().chain([&name]).cloned();
    let record = Record::read(&*catalog, &run, wanted).await?;
    let Some(job) = record.view.job(&name) else {
        let detail = format!("run {} has no job `{name}`; see `jobs` of the run", run.id);
        return Err(Problem::not_found("no_job", detail));
    };
    let inputs = waits_for
        .iter()
        .filter_map(|before| Some((before.clone(), record.output(before)?.clone())));
    Ok(Json(JobDocument {
        inputs: inputs.collect(),
        status: job.status.as_str(),
        attempts: job.attempts.iter().map(Attempt::from).collect(),
        output: record.output(&name).cloned(),
        reason: job.skipped_because.clone(),
        values: record.values(&name),
        waits_for,
        name,
    }))
}

/// Returns the jobs that a job depends on, by edges and groups.
fn waits_for(graph: &Value, name: &str) -> Vec<String> {
    let before = recorded_dependencies(graph).remove(name).unwrap_or_default();
    before.into_iter().map(str::to_owned).collect()
}

/// Returns the start and end of all attempts of a run, for a Gantt chart.
#[utoipa::path(get, path = "/runs/{run}/gantt", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER)),
    responses((status = 200, body = Listed<Bar>), Problems))]
pub(super) async fn gantt(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
) -> Result<Json<Listed<Bar>>, Problem> {
    let catalog = caller.catalog(&app);
    let run = stored(&*catalog, &which).await?;
    let record = Record::read(&*catalog, &run, []).await?;
    Ok(Json(Listed::all(Bar::all(record.view.jobs()))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_depends_on_jobs_by_edges_and_groups() {
        let graph = json!({
            "nodes": [{"id": "a"}, {"id": "b"}, {"id": "c"}],
            "edges": [{"source": "a", "target": "c"}],
            "groups": [{"sources": ["b"], "targets": ["c"]}],
        });
        assert_eq!(waits_for(&graph, "c"), ["a", "b"]);
        assert!(waits_for(&graph, "a").is_empty());
    }
}
