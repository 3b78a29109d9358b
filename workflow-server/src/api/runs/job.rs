//! The jobs of a run, attempt by attempt.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::problems::Problems;
use super::{RUN_PARAMETER, stored};
use crate::app::App;
use crate::http::extract::Path;
use crate::http::require::{Read, Require};
use crate::model::{Attempt, Bar, Listed, Record};
use crate::problem::Problem;

/// A job of a run with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobDocument {
    /// Its name.
    name: String,
    /// Where it stands.
    #[schema(value_type = String, examples("completed"))]
    status: &'static str,
    /// Each try of it.
    attempts: Vec<Attempt>,
    /// What it left.
    #[schema(value_type = Option<Object>)]
    output: Option<Value>,
    /// Why it will not run.
    reason: Option<String>,
    /// The jobs that it waits for.
    waits_for: Vec<String>,
    /// What those left, by their names.
    #[schema(value_type = Object)]
    inputs: Map<String, Value>,
    /// The values that it kept, by their keys.
    #[schema(value_type = Object)]
    values: Map<String, Value>,
}

/// Shows a job of a run.
#[utoipa::path(get, path = "/runs/{run}/jobs/{job}", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER),
        ("job" = String, Path, description = "The job's name")),
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
        let detail = format!("run {} has no job `{name}`", run.id);
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

fn list<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    of[key].as_array().into_iter().flatten()
}

/// The jobs that a job waits for, by edges and by groups of edges.
fn waits_for(graph: &Value, name: &str) -> Vec<String> {
    let edges = list(graph, "edges").filter(|edge| edge["target"] == name);
    let edges = edges.map(|edge| &edge["source"]);
    let is_target = |group: &&Value| list(group, "targets").any(|target| target == name);
    let groups = list(graph, "groups").filter(is_target).flat_map(|group| list(group, "sources"));
    edges.chain(groups).filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Shows when each try of each job of a run began and ended.
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
    fn a_job_waits_for_those_of_edges_and_groups() {
        let graph = json!({
            "nodes": [{"id": "a"}, {"id": "b"}, {"id": "c"}],
            "edges": [{"source": "a", "target": "c"}],
            "groups": [{"sources": ["b"], "targets": ["c"]}],
        });
        assert_eq!(waits_for(&graph, "c"), ["a", "b"]);
        assert!(waits_for(&graph, "a").is_empty());
    }
}
