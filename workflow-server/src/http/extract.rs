//! Extractors for the body, query and path of a request. Their errors name the invalid field.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use workflow_core::json::{self, JsonError, LostNumber};
use workflow_core::store::KeyError;

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
        body(&bytes).map(Self)
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
    json::check(text).map_err(|error| match error {
        JsonError::Number(lost) if !lost.path.is_empty() => {
            let LostNumber { path, .. } = lost.clone();
            Problem::invalid(path, LostNumber { path: String::new(), ..lost }.to_string())
        }
        error => Problem::invalid("body", error.to_string()),
    })?;
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut from).map_err(|error| {
        let (path, message) = (error.path().to_string(), plain(error.inner().to_string()));
        let is_syntax = error.inner().is_syntax() || error.inner().is_eof();
        let field = if path == "." { "body".to_owned() } else { path };
        match is_syntax {
            true => {
                Problem::new(StatusCode::BAD_REQUEST, "syntax", format!("invalid JSON: {message}"))
            }
            false => Problem::invalid(field, message),
        }
    })?;
    from.end().map_err(|error| {
        let detail = format!("unexpected text after the JSON: {error}");
        Problem::new(StatusCode::BAD_REQUEST, "syntax", detail)
    })?;
    Ok(value)
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
            Problem::invalid(field, plain(error.inner().to_string()))
        })
    }
}

/// Replaces wording of serde that names types of Rust.
fn plain(message: String) -> String {
    match message.as_str() {
        "invalid digit found in string" => "must be an integer".to_owned(),
        "cannot parse integer from empty string" => "must be an integer, not empty".to_owned(),
        "number too large to fit in target type" => "is too large".to_owned(),
        "number too small to fit in target type" => "is too small".to_owned(),
        "provided string was not `true` or `false`" => "must be `true` or `false`".to_owned(),
        _ => match message.rsplit_once("expected ") {
            Some((start, rest)) => {
                let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
                let (expected, rest) = rest.split_at(end);
                let expected = match expected {
                    "i8" | "i16" | "i32" | "i64" | "isize" => "an integer",
                    "u8" | "u16" | "u32" | "u64" | "usize" => "a non-negative integer",
                    "f32" | "f64" => "a number",
                    other => other,
                };
                format!("{start}expected {expected}{rest}")
            }
            None => message,
        },
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
    let invalid = |error: KeyError| Problem::invalid("idempotency_key", error.to_string());
    key.map_or(Ok(()), |key| KeyError::check(key).map_err(invalid))
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

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn errors_do_not_name_types_of_rust() {
        for (serde, expected) in [
            ("invalid digit found in string", "must be an integer"),
            (
                "invalid type: map, expected i32 at line 1",
                "invalid type: map, expected an integer at line 1",
            ),
            (
                "invalid type: null, expected u64",
                "invalid type: null, expected a non-negative integer",
            ),
            ("unknown field `a`, expected `b`", "unknown field `a`, expected `b`"),
            ("missing field `name`", "missing field `name`"),
        ] {
            assert_eq!(plain(serde.to_owned()), expected);
        }
    }
}
