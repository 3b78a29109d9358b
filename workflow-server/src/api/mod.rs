//! The REST API: a file for each resource, with its routes and their OpenAPI description.

mod accounts;
mod assets;
mod configs;
mod health;
mod jobs;
mod overview;
mod problems;
mod reference;
mod runs;
mod schedules;
mod session;
mod stats;
mod webhooks;
mod workers;
mod workflows;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::problem::Problem;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Workflows", description = "Manage workflows and their runs."),
    modifiers(&Rest),
    security((), ("token" = []), ("session" = [])),
    tags(
        (name = "workflows", description = "Definitions that can be run"),
        (name = "runs", description = "Executions of workflows: start, inspect, cancel, retry"),
        (name = "schedules", description = "Schedules of workflows: inspect, pause, resume, backfill"),
        (name = "workers", description = "Workers, and the task queues in which runs wait"),
        (name = "statistics", description = "Counts, success rates and durations"),
        (name = "jobs", description = "Jobs registered in the program"),
        (name = "assets", description = "Values that functions make from each other, and their partitions"),
        (name = "configs", description = "Configurations of workflows"),
        (name = "session", description = "Sign in and out"),
        (name = "accounts", description = "Users, API tokens and retention"),
        (name = "health", description = "Health checks and metrics"),
    )
)]
struct Document;

/// The description of the path parameter of a workflow.
const WORKFLOW_PARAMETER: &str = "ID, name or slug of the workflow";

/// Adds the parts of the document that the attribute cannot express.
struct Rest;

impl Modify for Rest {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let token = Http::new(HttpAuthScheme::Bearer);
        let cookie = ApiKey::Cookie(ApiKeyValue::new(crate::auth::COOKIE_NAME));
        components.add_security_scheme("token", SecurityScheme::Http(token));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
        let (name, schema) = problems::schema();
        components.schemas.insert(name, schema);
        let (name, schema) = problems::field_schema();
        components.schemas.insert(name, schema);
    }
}

/// Returns the routes with a timeout, the routes without one, and their OpenAPI document.
fn routes() -> (Router<Arc<App>>, Router<Arc<App>>, OpenApi) {
    let (quick, mut document) = OpenApiRouter::with_openapi(Document::openapi())
        .nest(
            "/api/v1",
            workflows::routes()
                .merge(runs::routes())
                .merge(schedules::routes())
                .merge(webhooks::routes())
                .merge(stats::routes())
                .merge(overview::routes())
                .merge(workers::routes())
                .merge(jobs::routes())
                .merge(assets::routes())
                .merge(configs::routes())
                .merge(session::routes())
                .merge(accounts::routes())
                .merge(health::routes()),
        )
        .split_for_parts();
    let (slow, streams) = OpenApiRouter::new()
        .nest("/api/v1", runs::waiting().merge(runs::streams()))
        .split_for_parts();
    document.merge(streams);
    (quick, slow, document)
}

/// Returns the router of the API: everything under `/api`.
pub(crate) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let (quick, slow, document) = routes();
    let json = serde_json::to_value(&document).unwrap_or_default();
    let page = bytes::Bytes::from(reference::page(&json));
    let text = bytes::Bytes::from(json.to_string());
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, app.options.timeout);
    quick
        .route("/api/openapi.json", get(move || async { typed("application/json", text) }))
        .route("/api/docs", get(move || async { typed("text/html; charset=utf-8", page) }))
        .route("/api/docs.css", get(async || typed("text/css", reference::STYLE)))
        .route("/api/{*rest}", axum::routing::any(unknown_path))
        .method_not_allowed_fallback(unknown_method)
        .layer(timeout)
        .merge(slow.method_not_allowed_fallback(unknown_method))
}

fn typed(kind: &'static str, body: impl IntoResponse) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
}

async fn unknown_path(uri: Uri) -> Problem {
    let detail = format!("no route `{}`; see /api/openapi.json for all routes", uri.path());
    Problem::not_found("no_such_path", detail)
}

async fn unknown_method() -> Problem {
    let detail = "this path does not support the method; see /api/openapi.json for all routes";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)
}

/// Returns the OpenAPI document of the API, as served at `api/openapi.json`.
pub fn openapi() -> serde_json::Value {
    let (.., document) = routes();
    serde_json::to_value(&document).unwrap_or_default()
}
