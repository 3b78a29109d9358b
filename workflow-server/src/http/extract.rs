//! Extractors for the body, query and path of a request. Their errors name the invalid field.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use workflow_core::json::{self, JsonError, LostNumber, Mismatch};
use workflow_core::store::IdempotencyKeyError;

use crate::app::App;
use crate::problem::Problem;

/// Extracts a JSON body. An empty body is read as `{}`.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let kind = content_type(request.headers());
        let bytes = read(request, app).await?;
        if bytes.is_empty() {
            return body(b"{}").map(Self);
        }
        if !kind.as_deref().is_none_or(|kind| kind == "application/json" || kind.ends_with("+json"))
        {
            let detail = "the body must be JSON; send `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", detail));
        }
        stored_body(&bytes).map(Self)
    }
}

/// Parses a JSON body whose texts the store keeps in columns.
///
/// # Errors
///
/// Fails if [`body`] does, or if a text has a NUL.
pub(crate) fn stored_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let read = body(bytes)?;
    // A NUL in JSON is always escaped.
    if bytes.windows(NUL.len()).any(|part| part == NUL) {
        let fields: Map<String, Value> = body(bytes)?;
        let is_exact = |key: &str| EXACT.contains(&key);
        let mut fields = fields.iter().filter(|(key, _)| !is_exact(key));
        if let Some(path) = fields.find_map(|(key, value)| nul_in(key.clone(), value)) {
            let message = "must not contain a NUL character, which databases cannot store";
            return Err(Problem::invalid(path, message));
        }
    }
    Ok(read)
}

/// A NUL as JSON has it.
const NUL: &[u8] = b"\\u0000";

/// The fields that the store keeps with every character.
const EXACT: [&str; 2] = ["input", "payload"];

/// The path of a NUL in a value.
fn nul_in(path: String, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(path),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(at, item)| nul_in(format!("{path}[{at}]"), item))
        }
        Value::Object(fields) => fields.iter().find_map(|(key, value)| match key.contains('\0') {
            true => Some(path.clone()),
            false => nul_in(format!("{path}.{key}"), value),
        }),
        _ => None,
    }
}

/// Parses a JSON body.
///
/// # Errors
///
/// Fails if it is not valid JSON, or does not match the type; then the error names the field.
pub(crate) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "syntax", "the body is not valid UTF-8")
    })?;
    json::read(text).map_err(|error| match error {
        JsonError::Syntax(error) => {
            Problem::new(StatusCode::BAD_REQUEST, "syntax", format!("invalid JSON: {error}"))
        }
        JsonError::Shape(error) => Problem::invalid(error.path().unwrap_or("body"), error.reason()),
        JsonError::Number(lost) if !lost.path.is_empty() => {
            let LostNumber { path, .. } = lost.clone();
            Problem::invalid(path, LostNumber { path: String::new(), ..lost }.to_string())
        }
        error => Problem::invalid("body", error.to_string()),
    })
}

/// Reads the body of a request.
///
/// # Errors
///
/// Fails if it exceeds the size limit or the timeout.
pub(crate) async fn read(request: Request, app: &Arc<App>) -> Result<Bytes, Problem> {
    let body = Bytes::from_request(request, app);
    let body = tokio::time::timeout(app.options.timeout, body).await;
    let body = body.map_err(|_| Problem::timeout("timeout while reading the body"))?;
    body.map_err(|rejection| {
        let status = rejection.status();
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(status, "too_large", "the body exceeds the size limit of this server")
            }
            _ => Problem::new(status, "body", "cannot read the body; send the request again"),
        }
    })
}

/// Returns the content type of a request, without parameters.
pub(crate) fn content_type(headers: &axum::http::HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Extracts the query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        if form(query).any(|(_, value)| value.contains('\0')) {
            return Err(Problem::invalid("query", "must not contain a NUL character"));
        }
        let from = serde_html_form::Deserializer::new(form(query));
        serde_path_to_error::deserialize(from).map(Self).map_err(|error| {
            let path = error.path().to_string();
            let field = if path == "." { "query".to_owned() } else { path };
            Problem::invalid(field, Mismatch::from_serde(&error.inner().to_string()).to_string())
        })
    }
}

fn form(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

/// Validates an idempotency key.
///
/// # Errors
///
/// Fails if it is empty or too long.
pub(crate) fn check_key(key: Option<&str>) -> Result<(), Problem> {
    let invalid =
        |error: IdempotencyKeyError| Problem::invalid("idempotency_key", error.to_string());
    key.map_or(Ok(()), |key| IdempotencyKeyError::check(key).map_err(invalid))
}

/// Extracts parameters of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if parts.uri.path().contains("%00") {
            let detail = "the path must not contain a NUL character";
            return Err(Problem::not_found("no_such_path", detail));
        }
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| {
            let detail = format!("invalid parameter in the path `{}`", parts.uri.path());
            Problem::not_found("no_such_path", detail)
        })
    }
}
