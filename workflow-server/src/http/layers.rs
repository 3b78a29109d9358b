//! The middleware of all requests: limits, headers, path aliases.

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state, map_request};
use axum::response::{IntoResponse as _, Response};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate as _};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::trace::TraceLayer;

use super::normalize::canonical_path;
use crate::app::App;
use crate::auth::{CSRF_HEADERS, changes};
use crate::problem::Problem;

/// Adds all layers to the routes.
pub(crate) fn with_layers(routes: Router<Arc<App>>, app: &Arc<App>) -> Router {
    let compressible = DefaultPredicate::new().and(NotForContentType::new("text/event-stream"));
    let routes = routes
        .layer(CompressionLayer::new().compress_when(compressible))
        .layer(DefaultBodyLimit::max(app.options.body_limit))
        .layer(from_fn_with_state(app.clone(), headers))
        .layer(TraceLayer::new_for_http());
    let routes = match cors(app) {
        Some(cors) => routes.layer(cors),
        None => routes,
    };
    // A separate router, because the path is rewritten before routing.
    let routes = routes.with_state(app.clone());
    Router::new().fallback_service(tower::Layer::layer(&map_request(normalize_path), routes))
}

/// Rewrites an alias of a path to the canonical path.
async fn normalize_path(mut request: Request) -> Request {
    let Some(path) = canonical_path(request.uri().path()) else { return request };
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(uri) = Uri::from_str(&format!("{path}{query}")) {
        *request.uri_mut() = uri;
    }
    request
}

/// Returns the CORS layer; `None` without allowed origins.
fn cors(app: &App) -> Option<CorsLayer> {
    let origins = app.options.origins.iter().filter_map(|origin| origin.parse().ok());
    let origins: Vec<HeaderValue> = origins.collect();
    if origins.is_empty() {
        return None;
    }
    let methods = [Method::GET, Method::POST, Method::PATCH, Method::DELETE];
    let last = HeaderName::from_static("last-event-id");
    let headers = CSRF_HEADERS.map(HeaderName::from_static).into_iter();
    let headers = headers.chain([header::CONTENT_TYPE, header::AUTHORIZATION, last]);
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods(methods)
        .allow_headers(headers.collect::<Vec<_>>())
        .allow_credentials(true);
    Some(cors)
}

/// The security headers of every response.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; \
         form-action 'self'; frame-ancestors 'none'",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

async fn headers(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    app.requests.fetch_add(1, Ordering::Relaxed);
    let timed_out = match changes(request.method()) {
        true => {
            "the request timed out, and what it changes may have happened; check before you send \
             it again"
        }
        false => "the request timed out; request less data, or try again",
    };
    let mut response = next.run(request).await;
    if response.status() == StatusCode::REQUEST_TIMEOUT
        && !response.headers().contains_key(header::CONTENT_TYPE)
    {
        response = Problem::timeout(timed_out).into_response();
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // API responses are private to the caller, and quickly outdated.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
