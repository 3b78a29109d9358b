//! Configurations of workflows, with masked secrets. Only staff see the raw files.

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

/// A configuration of a workflow.
#[derive(Debug, Serialize, ToSchema)]
struct Configuration {
    /// Name of the workflow.
    name: String,
    /// Path of the file.
    file: String,
    /// Profiles with a file beside it.
    profiles: Vec<String>,
}

/// Lists the configurations on the server.
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

/// The form of a configuration.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ConfigQuery {
    /// Returns the raw files, which may contain secrets. Requires staff.
    raw: bool,
    /// Applies the overlays of this profile.
    profile: Option<String>,
}

/// A configuration with merged layers, replaced variables and masked secrets.
#[derive(Debug, Serialize, ToSchema)]
struct ConfigDocument {
    /// Name of the workflow.
    name: String,
    /// Paths of its files, lowest precedence first.
    files: Vec<String>,
    /// The configuration.
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

/// The raw files of a configuration.
#[derive(Debug, Serialize, ToSchema)]
struct RawConfig {
    /// Name of the workflow.
    name: String,
    /// The files, lowest precedence first.
    files: Vec<RawFile>,
}

/// A raw file.
#[derive(Debug, Serialize, ToSchema)]
struct RawFile {
    /// Path of the file.
    path: String,
    /// Content of the file.
    text: String,
}

/// Returns the configuration of a workflow.
#[utoipa::path(get, path = "/configs/{name}", tag = "configs",
    params(("name" = String, Path, description = "Name of the workflow"), ConfigQuery),
    responses((status = 200, description = "The configuration", content(
        (ConfigDocument = "application/json"))), Problems))]
async fn get(
    Require(caller, _): Require<Read>,
    Path(name): Path<String>,
    Query(query): Query<ConfigQuery>,
) -> Result<Response, Problem> {
    if query.raw && !caller.is_staff {
        let detail = "raw configuration files require staff rights";
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

/// The result of a validation.
#[derive(Debug, Serialize, ToSchema)]
struct Validated {
    /// Name of the workflow.
    name: String,
    /// Always true: errors are returned as a problem document.
    valid: bool,
}

/// Validates the configuration of a workflow against the rules declared in the program.
#[utoipa::path(post, path = "/configs/{name}/validate", tag = "configs",
    params(("name" = String, Path, description = "Name of the workflow")),
    responses((status = 200, body = Validated), Problems))]
async fn validate(
    _caller: Require<Read>,
    Path(name): Path<String>,
) -> Result<Json<Validated>, Problem> {
    let of = name.clone();
    blocking(move |loader| loader.validate(&of)).await?;
    Ok(Json(Validated { name, valid: true }))
}

/// Reads files on a blocking thread.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce(Loader) -> Result<T, ConfigError> + Send + 'static,
) -> Result<T, Problem> {
    let read = tokio::task::spawn_blocking(|| read(Loader::new())).await;
    Ok(read.map_err(Problem::internal)??)
}
