//! What a request asks with: its body and its query, read with the place of what is wrong.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use workflow_core::KeyError;
use workflow_core::json::{self, JsonError, LostNumber};

use crate::app::App;
use crate::problem::Problem;

/// A body of JSON. None at all is read as `{}`.
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
            let detail = "the body is to be JSON; say `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", detail));
        }
        body(&bytes).map(Self)
    }
}

/// Reads a body of JSON.
pub(crate) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "syntax", "the body is no UTF-8"))?;
    json::check(text).map_err(|error| match error {
        JsonError::Number(lost) if !lost.path.is_empty() => {
            let LostNumber { path, .. } = lost.clone();
            Problem::invalid(path, LostNumber { path: String::new(), ..lost }.to_string())
        }
        error => Problem::invalid("body", error.to_string()),
    })?;
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut from).map_err(|error| {
        let (path, message) = (error.path().to_string(), error.inner().to_string());
        let is_syntax = error.inner().is_syntax() || error.inner().is_eof();
        let field = if path == "." { "body".to_owned() } else { path };
        match is_syntax {
            true => Problem::new(
                StatusCode::BAD_REQUEST,
                "syntax",
                format!("the body is no JSON: {message}"),
            ),
            false => Problem::invalid(field, message),
        }
    })?;
    from.end().map_err(|error| {
        let detail = format!("the body goes on after its JSON: {error}");
        Problem::new(StatusCode::BAD_REQUEST, "syntax", detail)
    })?;
    Ok(value)
}

/// Reads a body as far as the server takes it, and waits for it.
pub(crate) async fn read(request: Request, app: &Arc<App>) -> Result<Bytes, Problem> {
    let body = Bytes::from_request(request, app);
    let body = tokio::time::timeout(app.options.timeout, body).await;
    let body = body.map_err(|_| Problem::late("the body took too long to come"))?;
    body.map_err(|rejection| {
        let status = rejection.status();
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(status, "too_large", "the body is larger than this server takes")
            }
            _ => Problem::new(status, "body", rejection.body_text()),
        }
    })
}

/// What kind of body a request has, without parameters.
pub(crate) fn content_type(headers: &axum::http::HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// What follows the `?`.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        if form(query).any(|(_, value)| value.contains('\0')) {
            return Err(Problem::invalid("query", "holds a NUL, which no text here has"));
        }
        let from = serde_html_form::Deserializer::new(form(query));
        serde_path_to_error::deserialize(from).map(Self).map_err(|error| {
            let path = error.path().to_string();
            let field = if path == "." { "query".to_owned() } else { path };
            Problem::invalid(field, error.inner().to_string())
        })
    }
}

fn form(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

/// Refuses a text that cannot be an idempotency key.
///
/// # Errors
///
/// Fails when it is such a key.
pub(crate) fn check_key(key: Option<&str>) -> Result<(), Problem> {
    let invalid = |error: KeyError| Problem::invalid("idempotency_key", error.to_string());
    key.map_or(Ok(()), |key| KeyError::check(key).map_err(invalid))
}

/// A part of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if parts.uri.path().contains("%00") {
            let detail = "the path holds a NUL, which no name here has";
            return Err(Problem::not_found("no_such_path", detail));
        }
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0))
            .map_err(|rejection| Problem::not_found("no_such_path", rejection.body_text()))
    }
}
