//! The web page, embedded in the program.

use std::sync::Arc;

use axum::Router;
use axum::extract::OriginalUri;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

use crate::app::App;
use crate::problem::Problem;

/// The built page; see `page/README.md`.
#[derive(RustEmbed)]
#[folder = "page/dist/"]
struct Assets;

pub(crate) fn router() -> Router<Arc<App>> {
    // Older systems have the administration at this path.
    let admin = || async { Redirect::temporary("./#/admin") };
    Router::new()
        .route("/admin", get(admin))
        .route("/admin/", get(|| async { Redirect::temporary("../#/admin") }))
        .fallback(get(asset))
}

/// Serves a file of the page; the index for an empty path.
async fn asset(OriginalUri(original): OriginalUri, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.is_empty() && !original.path().ends_with('/') {
        return index_below(original.path());
    }
    let path = if path.is_empty() { "index.html" } else { path };
    let Some(file) = Assets::get(path) else {
        let detail = format!("no file `/{path}`; the page is at `/`, the API under `/api/v1`");
        return Problem::not_found("no_such_path", detail).into_response();
    };
    let tag = tag(&file.metadata.sha256_hash());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    // The names of all other files contain a hash of their content.
    let cache = match path {
        "index.html" => "no-cache",
        _ => "public, max-age=31536000, immutable",
    };
    let kind = file.metadata.mimetype().to_owned();
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, cache.to_owned()),
        (header::ETAG, tag),
    ];
    (headers, file.data).into_response()
}

/// Serves the index at a path without a trailing slash, with a `base` element for its relative
/// links.
fn index_below(path: &str) -> Response {
    let text = Assets::get("index.html").map(|file| file.data).unwrap_or_default();
    let path = path.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let base = format!("<head><base href=\"{path}/\">");
    let page = String::from_utf8_lossy(&text).replacen("<head>", &base, 1);
    let kind = (header::CONTENT_TYPE, "text/html; charset=utf-8");
    ([kind, (header::CACHE_CONTROL, "no-cache")], page).into_response()
}

fn tag(hash: &[u8; 32]) -> String {
    let digits: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}
