//! Configurations of workflows. Secrets are masked; files as they are written are for staff.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_config::{Config, ConfigError, Loader};

use super::problems::Problems;
use crate::app::App;
use crate::http::extract::{Path, Query};
use crate::http::require::{Read, Require};
use crate::model::Listed;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(validate))
}

/// A configuration that can be loaded.
#[derive(Debug, Serialize, ToSchema)]
struct Configuration {
    /// The workflow's name.
    name: String,
    /// The file.
    file: String,
    /// The profiles that have a file beside it.
    profiles: Vec<String>,
}

/// Lists the configurations that the server finds.
#[utoipa::path(get, path = "/configs", tag = "configs",
    responses((status = 200, body = Listed<Configuration>), Problems))]
async fn list(_caller: Require<Read>) -> Result<Json<Listed<Configuration>>, Problem> {
    let found = blocking(|loader| loader.list()).await?;
    let items = found.into_iter().map(|found| Configuration {
        name: found.name,
        file: found.file.display().to_string(),
        profiles: found.profiles,
    });
    Ok(Json(Listed::all(items.collect())))
}

/// How a configuration is to be shown.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ConfigQuery {
    /// Shows the files as they are written instead. For staff: they may hold secrets.
    raw: bool,
    /// With the overlays of this profile.
    profile: Option<String>,
}

/// A configuration: its layers merged, its variables replaced, its secrets masked.
#[derive(Debug, Serialize, ToSchema)]
struct ConfigDocument {
    /// The workflow's name.
    name: String,
    /// The files that it was read from, the weakest first.
    files: Vec<String>,
    /// What it says.
    #[schema(value_type = Object)]
    config: Value,
}

impl From<&Config> for ConfigDocument {
    fn from(of: &Config) -> Self {
        Self {
            name: of.name().to_owned(),
            files: of.files().map(|file| file.display().to_string()).collect(),
            config: of.value(),
        }
    }
}

/// The files of a configuration, as they are written.
#[derive(Debug, Serialize, ToSchema)]
struct RawConfig {
    /// The workflow's name.
    name: String,
    /// The files, the weakest first.
    files: Vec<RawFile>,
}

/// A file as it is written.
#[derive(Debug, Serialize, ToSchema)]
struct RawFile {
    /// Its path.
    path: String,
    /// Its text.
    text: String,
}

/// Shows the configuration of a workflow.
#[utoipa::path(get, path = "/configs/{name}", tag = "configs",
    params(("name" = String, Path, description = "The workflow's name"), ConfigQuery),
    responses((status = 200, description = "The configuration", content(
        (ConfigDocument = "application/json"))), Problems))]
async fn get(
    Require(caller, _): Require<Read>,
    Path(name): Path<String>,
    Query(query): Query<ConfigQuery>,
) -> Result<Response, Problem> {
    if query.raw && !caller.is_staff {
        let detail = "only staff may see configurations as they are written";
        return Err(Problem::forbidden("staff_only", detail));
    }
    let profile = query.profile;
    let loader = move |loader: Loader| match &profile {
        Some(profile) => loader.profile(profile),
        None => loader,
    };
    if !query.raw {
        let config = blocking(move |plain| loader(plain).open(&name)).await?;
        return Ok(Json(ConfigDocument::from(&config)).into_response());
    }
    let of = name.clone();
    let files = blocking(move |plain| loader(plain).raw(&of)).await?;
    let files = files
        .into_iter()
        .map(|file| RawFile { path: file.path.display().to_string(), text: file.text });
    Ok(Json(RawConfig { name, files: files.collect() }).into_response())
}

/// What became of a check.
#[derive(Debug, Serialize, ToSchema)]
struct Validated {
    /// The workflow's name.
    name: String,
    /// Always true: what is wrong is told as a problem, part by part.
    valid: bool,
}

/// Checks the configuration of a workflow against the rules that the program declares for it.
#[utoipa::path(post, path = "/configs/{name}/validate", tag = "configs",
    params(("name" = String, Path, description = "The workflow's name")),
    responses((status = 200, body = Validated), Problems))]
async fn validate(
    _caller: Require<Read>,
    Path(name): Path<String>,
) -> Result<Json<Validated>, Problem> {
    let of = name.clone();
    blocking(move |loader| loader.validate(&of)).await?;
    Ok(Json(Validated { name, valid: true }))
}

/// Reads files on a thread that may wait for them.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce(Loader) -> Result<T, ConfigError> + Send + 'static,
) -> Result<T, Problem> {
    let read = tokio::task::spawn_blocking(|| read(Loader::new())).await;
    Ok(read.map_err(Problem::internal)??)
}
