//! The versions of a workflow file.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use workflow_files::WorkflowFile;
use workflow_store::WorkflowVersion;

use super::super::WORKFLOW_PARAMETER;
use super::super::problems::Problems;
use crate::app::App;
use crate::http::extract::{Path, Query};
use crate::http::require::{Read, Require};
use crate::model::{Listed, PageQuery, time};
use crate::problem::Problem;

/// A version of a workflow file.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Version {
    /// Version number, from 1.
    version: i64,
    /// User who saved it; null if unknown.
    author: Option<String>,
    /// When it was saved.
    #[schema(format = DateTime)]
    created_at: String,
}

/// A version with its text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionDocument {
    #[serde(flatten)]
    version: Version,
    /// File as it was written; null if it was not a workflow file.
    yaml: Option<String>,
}

impl From<WorkflowVersion> for Version {
    fn from(of: WorkflowVersion) -> Self {
        Self { version: of.version, author: of.author, created_at: time::text(of.created_at) }
    }
}

/// Lists the versions of a workflow file, newest first.
///
/// Registered workflows have none.
#[utoipa::path(get, path = "/workflows/{workflow}/versions", tag = "workflows",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER), PageQuery),
    responses((status = 200, body = Listed<Version>), Problems))]
pub(super) async fn versions(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Listed<Version>>, Problem> {
    let limit = query.limit();
    let page = caller.catalog(&app).versions(&which, query.cursor, limit).await?;
    Ok(Json(Listed::of(page, Version::from)))
}

/// Returns a version of a workflow file.
#[utoipa::path(get, path = "/workflows/{workflow}/versions/{version}", tag = "workflows",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER),
        ("version" = i64, Path, description = "Version number", minimum = 1)),
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
