//! Health checks, and metrics for Prometheus.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_core::Status;

use super::problems::Problems;
use crate::app::App;
use crate::http::require::{Read, Require};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready)).routes(routes!(metrics))
}

/// The result of a health check.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// Always `ok`.
    status: &'static str,
}

const OK: Json<Health> = Json(Health { status: "ok" });

/// Checks that the server responds.
#[utoipa::path(get, path = "/health/live", tag = "health", security(()),
    responses((status = 200, body = Health), Problems))]
async fn live() -> Json<Health> {
    OK
}

/// Checks that the server is ready: that its store responds, and could be written last time.
#[utoipa::path(get, path = "/health/ready", tag = "health", security(()),
    responses((status = 200, body = Health), Problems))]
async fn ready(State(app): State<Arc<App>>) -> Result<Json<Health>, Problem> {
    app.catalog.ping().await?;
    Ok(OK)
}

/// Returns metrics for Prometheus: runs by status, requests and streams.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, description = "Metrics in the Prometheus text format", body = String,
        content_type = "text/plain"), Problems))]
async fn metrics(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
) -> Result<Response, Problem> {
    let counts = caller.catalog(&app).status_counts().await?;
    let mut text =
        String::from("# HELP workflow_runs Stored runs by status.\n# TYPE workflow_runs gauge\n");
    let counts = [
        (Status::Pending, counts.pending),
        (Status::Running, counts.running),
        (Status::Completed, counts.completed),
        (Status::Failed, counts.failed),
        (Status::Cancelled, counts.cancelled),
    ];
    for (status, count) in counts {
        _ = writeln!(text, "workflow_runs{{status=\"{status}\"}} {count}");
    }
    let requests = app.requests.load(std::sync::atomic::Ordering::Relaxed);
    _ = writeln!(
        text,
        "# HELP workflow_http_requests_total HTTP requests of this process.\n\
         # TYPE workflow_http_requests_total counter\nworkflow_http_requests_total {requests}\n\
         # HELP workflow_http_streams Open streams of events and logs.\n\
         # TYPE workflow_http_streams gauge\nworkflow_http_streams {}",
        app.streams.open(),
    );
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
