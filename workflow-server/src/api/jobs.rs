//! Jobs that the program registers, of which files and other programs may make workflows.

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

/// A job that is registered in the program.
#[derive(Debug, Serialize, ToSchema)]
struct RegisteredJob {
    /// Its name.
    name: String,
    /// What it takes; null, when it takes any number of values.
    inputs: Option<Vec<JobInput>>,
    /// The type of what it leaves.
    output: &'static str,
    /// The module of its function.
    module: &'static str,
    /// Where it is registered: the file, as the compiler names it, and the line.
    location: String,
}

/// Something that a job takes.
#[derive(Debug, Serialize, ToSchema)]
struct JobInput {
    /// The name.
    name: &'static str,
    /// The type.
    #[serde(rename = "type")]
    kind: &'static str,
}

impl From<&registry::JobEntry> for RegisteredJob {
    fn from(of: &registry::JobEntry) -> Self {
        let input = |(name, kind): (_, workflow_core::Type)| JobInput { name, kind: kind.name() };
        Self {
            name: of.name.to_owned(),
            inputs: of.inputs.map(|inputs| inputs().into_iter().map(input).collect()),
            output: (of.output)().name(),
            module: of.module,
            location: format!("{}:{}", of.location.file, of.location.line),
        }
    }
}

/// Lists the jobs that the program registers.
#[utoipa::path(get, path = "/jobs", tag = "jobs",
    responses((status = 200, body = Listed<RegisteredJob>), Problems))]
async fn list(_caller: Require<Read>) -> Json<Listed<RegisteredJob>> {
    Json(Listed::all(registry::jobs().map(RegisteredJob::from).collect()))
}

/// Shows a job that the program registers.
#[utoipa::path(get, path = "/jobs/{name}", tag = "jobs",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 200, body = RegisteredJob), Problems))]
async fn get(
    _caller: Require<Read>,
    Path(name): Path<String>,
) -> Result<Json<RegisteredJob>, Problem> {
    let job = registry::job(&name);
    job.map(|job| Json(job.into())).map_err(|error| Problem::not_found("no_job", error.to_string()))
}
