//! The files that a workflow is and was.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use workflow_files::WorkflowFile;
use workflow_store::WorkflowVersion;

use super::super::problems::Problems;
use crate::app::App;
use crate::http::extract::{Path, Query};
use crate::http::require::{Read, Require};
use crate::model::{Limit, Listed, time};
use crate::problem::Problem;

/// Which versions are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct VersionsQuery {
    /// How many, 1 to 1,000. Default: 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// A file that a workflow is, or was.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Version {
    /// Its number, from 1.
    version: i64,
    /// Who wrote it; null when nobody in particular did.
    author: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    created_at: String,
}

/// The same, with its text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionDocument {
    #[serde(flatten)]
    version: Version,
    /// The file as it was written; null where it was no workflow file.
    yaml: Option<String>,
}

impl From<WorkflowVersion> for Version {
    fn from(of: WorkflowVersion) -> Self {
        Self { version: of.version, author: of.author, created_at: time::text(of.created_at) }
    }
}

/// Lists the files that a workflow is and was, newest first. What is code has none.
#[utoipa::path(get, path = "/workflows/{workflow}/versions", tag = "workflows",
    params(("workflow" = String, Path, description = "Its id, name or slug"), VersionsQuery),
    responses((status = 200, body = Listed<Version>), Problems))]
pub(super) async fn versions(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
    Query(query): Query<VersionsQuery>,
) -> Result<Json<Listed<Version>>, Problem> {
    let limit = query.limit.map(|limit| limit.0);
    let page = caller.catalog(&app).versions(&which, query.cursor, limit).await?;
    Ok(Json(Listed::of(page, Version::from)))
}

/// Shows one of the files that a workflow is and was.
#[utoipa::path(get, path = "/workflows/{workflow}/versions/{version}", tag = "workflows",
    params(("workflow" = String, Path, description = "Its id, name or slug"),
        ("version" = i64, Path, description = "The number of the version", minimum = 1)),
    responses((status = 200, body = VersionDocument), Problems))]
pub(super) async fn version(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path((which, number)): Path<(String, i64)>,
) -> Result<Json<VersionDocument>, Problem> {
    let found = caller.catalog(&app).version(&which, number).await?;
    let yaml = found.definition.as_ref().and_then(WorkflowFile::text_of).map(str::to_owned);
    Ok(Json(VersionDocument { version: found.into(), yaml }))
}
