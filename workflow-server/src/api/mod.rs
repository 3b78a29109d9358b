//! The REST API.

mod accounts;
mod configs;
mod health;
mod jobs;
mod overview;
mod problems;
mod reference;
mod runs;
mod session;
mod stats;
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
    info(title = "Workflows", description = "Workflows and their runs, seen and steered."),
    modifiers(&Rest),
    security((), ("token" = []), ("session" = [])),
    tags(
        (name = "workflows", description = "What can be run"),
        (name = "runs", description = "What ran, and what is running"),
        (name = "statistics", description = "How often, how well, and for how long"),
        (name = "jobs", description = "Jobs that the program registers"),
        (name = "configs", description = "Configurations of workflows"),
        (name = "session", description = "Signing in and out"),
        (name = "accounts", description = "Who may do what"),
        (name = "health", description = "How the server does"),
    )
)]
struct Document;

/// What the attribute above cannot say.
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

/// All routes, and the document that describes them.
fn routes() -> (Router<Arc<App>>, Router<Arc<App>>, OpenApi) {
    let (quick, mut document) = OpenApiRouter::with_openapi(Document::openapi())
        .nest(
            "/api/v1",
            workflows::routes()
                .merge(runs::routes())
                .merge(stats::routes())
                .merge(overview::routes())
                .merge(jobs::routes())
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

/// The API as a router: everything under `/api`.
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
        .route("/api/{*rest}", axum::routing::any(nothing_here))
        .method_not_allowed_fallback(not_that_way)
        .layer(timeout)
        .merge(slow.method_not_allowed_fallback(not_that_way))
}

fn typed(kind: &'static str, body: impl IntoResponse) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
}

async fn nothing_here(uri: Uri) -> Problem {
    let detail = format!("nothing is at `{}`; /api/openapi.json has what there is", uri.path());
    Problem::not_found("no_such_path", detail)
}

async fn not_that_way() -> Problem {
    let detail = "nothing answers to this method here; /api/openapi.json has what there is";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)
}

/// The OpenAPI document of the API, as served at `api/openapi.json`.
pub fn openapi() -> serde_json::Value {
    let (.., document) = routes();
    serde_json::to_value(&document).unwrap_or_default()
}
