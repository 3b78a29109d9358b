//! Streams of server-sent events, as defined by the HTML standard.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use workflow_core::Status;

use crate::problem::Problem;

/// The longest silence on a stream: then it sends a comment, so that both ends notice a lost
/// connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Limits the number of open streams.
pub(crate) struct Streams {
    permits: Arc<Semaphore>,
    limit: usize,
}

impl Streams {
    pub(crate) fn new(limit: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(limit)), limit }
    }

    /// Returns the number of open streams.
    pub(crate) fn open(&self) -> usize {
        self.limit - self.permits.available_permits()
    }

    /// Reserves a stream.
    ///
    /// # Errors
    ///
    /// Fails if the limit is reached.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.permits.clone().try_acquire_owned().map_err(|_| {
            let detail = "too many open streams; try again later";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "streams", detail).retry_after(5)
        })
    }
}

/// Whether the client accepts a stream.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT);
    let mut accepted = accepted.into_iter().filter_map(|header| header.to_str().ok());
    accepted.any(|kinds| kinds.contains("text/event-stream"))
}

/// Returns the `Last-Event-ID` of the client: the stream continues after it.
///
/// # Errors
///
/// Fails if it is not a number.
pub(crate) fn last_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(header) = headers.get("last-event-id") else { return Ok(None) };
    let id = header.to_str().ok().filter(|id| !id.is_empty());
    let Some(id) = id else { return Ok(None) };
    let invalid =
        |_| Problem::invalid("Last-Event-ID", format!("`{id}` must be the number of an event"));
    id.parse().map(Some).map_err(invalid)
}

/// Responds with a stream. It holds its permit until the client disconnects.
pub(crate) fn response(
    permit: OwnedSemaphorePermit,
    frames: impl Stream<Item = Bytes> + Send + 'static,
) -> Response {
    let frames = with_keep_alive(frames.boxed()).map(move |frame| {
        let _held = &permit;
        Ok::<_, Infallible>(frame)
    });
    let mut response = Body::from_stream(frames).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Tells proxies not to buffer the stream.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Adds a comment after each period of silence.
fn with_keep_alive(frames: stream::BoxStream<'static, Bytes>) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(frames, |mut frames| async {
        match tokio::time::timeout(KEEP_ALIVE, frames.next()).await {
            Ok(Some(frame)) => Some((frame, frames)),
            Ok(None) => None,
            Err(_) => Some((Bytes::from_static(b": alive\n\n"), frames)),
        }
    })
}

/// The last event of a stream: the final status of the run, or that it was deleted. Clients do not
/// reconnect after it.
pub(crate) fn end(status: Option<Status>) -> Bytes {
    let data = match status {
        Some(status) => format!("{{\"status\":\"{status}\"}}"),
        None => "{\"deleted\":true}".to_owned(),
    };
    Bytes::from(format!("event: end\ndata: {data}\n\n"))
}

/// The last event of a stream that cannot go on: why. Clients may reconnect after it.
pub(crate) fn error(problem: &Problem) -> Bytes {
    let data = serde_json::to_string(problem).expect("a problem document has only texts");
    Bytes::from(format!("event: error\ndata: {data}\n\n"))
}
