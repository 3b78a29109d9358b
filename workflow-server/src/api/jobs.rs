//! The registered jobs, which workflow files can use.

use std::sync::Arc;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_core::registry;

use super::problems::Problems;
use crate::app::App;
use crate::http::extract::Path;
use crate::http::require::{Read, Require};
use crate::model::Listed;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// A registered job.
#[derive(Debug, Serialize, ToSchema)]
struct RegisteredJob {
    /// Name of the job.
    name: String,
    /// Inputs; null if the number of inputs is not fixed.
    inputs: Option<Vec<JobInput>>,
    /// Type of the output.
    output: &'static str,
    /// Module of its function.
    module: &'static str,
    /// Source file and line of its registration.
    location: String,
}

/// An input of a job.
#[derive(Debug, Serialize, ToSchema)]
struct JobInput {
    /// Name of the input.
    name: &'static str,
    /// Type of the input.
    #[serde(rename = "type")]
    kind: &'static str,
}

impl From<&registry::JobEntry> for RegisteredJob {
    fn from(of: &registry::JobEntry) -> Self {
        let input =
            |(name, kind): (_, workflow_core::value::Type)| JobInput { name, kind: kind.name() };
        Self {
            name: of.name.to_owned(),
            inputs: of.inputs.map(|inputs| inputs().into_iter().map(input).collect()),
            output: (of.output)().name(),
            module: of.module,
            location: format!("{}:{}", of.location.file, of.location.line),
        }
    }
}

/// Lists the registered jobs.
#[utoipa::path(get, path = "/jobs", tag = "jobs",
    responses((status = 200, body = Listed<RegisteredJob>), Problems))]
async fn list(_caller: Require<Read>) -> Json<Listed<RegisteredJob>> {
    Json(Listed::all(registry::jobs().map(RegisteredJob::from).collect()))
}

/// Returns a registered job.
#[utoipa::path(get, path = "/jobs/{name}", tag = "jobs",
    params(("name" = String, Path, description = "Name of the job")),
    responses((status = 200, body = RegisteredJob), Problems))]
async fn get(
    _caller: Require<Read>,
    Path(name): Path<String>,
) -> Result<Json<RegisteredJob>, Problem> {
    let job = registry::job(&name);
    job.map(|job| Json(job.into())).map_err(|error| Problem::not_found("no_job", error.to_string()))
}
