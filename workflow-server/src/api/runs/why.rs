//! Why a run makes no progress.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::problems::Problems;
use super::{RUN_PARAMETER, stored};
use crate::app::App;
use crate::http::extract::Path;
use crate::http::require::{Read, Require};
use crate::model::Listed;
use crate::problem::Problem;

/// Why a run or a job of it makes no progress.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reason {
    /// Name of the job; null if it concerns the whole run.
    job: Option<String>,
    /// Reason code, such as `dependencies`, `signal`, `no_worker` or `owner_died`.
    #[schema(value_type = String, examples("no_worker"))]
    reason: &'static str,
    /// Description of the reason.
    #[schema(examples("the run waits in task queue `reports`, which no live worker serves"))]
    detail: String,
    /// How to resolve it.
    cure: String,
    /// IDs of the runs that it concerns.
    runs: Vec<String>,
}

/// Returns why a run makes no progress: one reason for the run, or one for each unfinished job.
///
/// For a run that makes progress, the reasons say what it does.
#[utoipa::path(get, path = "/runs/{run}/why", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER)),
    responses((status = 200, body = Listed<Reason>), Problems))]
pub(super) async fn why(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
) -> Result<Json<Listed<Reason>>, Problem> {
    let viewer = caller.catalog(&app);
    let run = stored(&*viewer, &which).await?.id;
    let reasons = workflow_store::why(&*app.catalog, &*viewer, run).await?;
    Ok(Json(Listed::all(reasons.iter().map(Reason::from).collect())))
}

impl From<&workflow_store::StallReason> for Reason {
    fn from(of: &workflow_store::StallReason) -> Self {
        Self {
            job: of.job.clone(),
            reason: of.cause.as_str(),
            detail: of.to_string(),
            cure: of.cause.cure(),
            runs: of.cause.runs().iter().map(ToString::to_string).collect(),
        }
    }
}
