//! Streams of events for browsers: Server-Sent Events, as the HTML standard has them.

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

/// How long a stream is silent at most: then a comment tells both ends that it is alive.
const SILENCE: Duration = Duration::from_secs(15);

/// How many streams there may be.
pub(crate) struct Streams {
    free: Arc<Semaphore>,
    most: usize,
}

impl Streams {
    pub(crate) fn new(most: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), most }
    }

    /// How many there are.
    pub(crate) fn open(&self) -> usize {
        self.most - self.free.available_permits()
    }

    /// Makes room for another.
    ///
    /// # Errors
    ///
    /// Fails when there are too many.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.free.clone().try_acquire_owned().map_err(|_| {
            let detail = "there are too many open streams; try again later";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "streams", detail).retry_after(5)
        })
    }
}

/// Whether a client asks for a stream.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT);
    let mut accepted = accepted.into_iter().filter_map(|header| header.to_str().ok());
    accepted.any(|kinds| kinds.contains("text/event-stream"))
}

/// The number after which a client goes on.
pub(crate) fn last_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(header) = headers.get("last-event-id") else { return Ok(None) };
    let id = header.to_str().ok().filter(|id| !id.is_empty());
    let Some(id) = id else { return Ok(None) };
    let wrong = |_| Problem::invalid("Last-Event-ID", format!("`{id}` is no number of an event"));
    id.parse().map(Some).map_err(wrong)
}

/// Answers with frames as they come. The stream holds its place until the client is gone.
pub(crate) fn answer(
    permit: OwnedSemaphorePermit,
    frames: impl Stream<Item = Bytes> + Send + 'static,
) -> Response {
    let frames = alive(frames.boxed()).map(move |frame| {
        let _held = &permit;
        Ok::<_, Infallible>(frame)
    });
    let mut response = Body::from_stream(frames).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // For proxies that would hold it back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Adds a comment where there is nothing for a while.
fn alive(frames: stream::BoxStream<'static, Bytes>) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(frames, |mut frames| async {
        match tokio::time::timeout(SILENCE, frames.next()).await {
            Ok(Some(frame)) => Some((frame, frames)),
            Ok(None) => None,
            Err(_) => Some((Bytes::from_static(b": alive\n\n"), frames)),
        }
    })
}

/// Says that nothing follows: the status of the run, or that it was deleted. A client that sees
/// this does not come again.
pub(crate) fn end(status: Option<Status>) -> Bytes {
    let data = match status {
        Some(status) => format!("{{\"status\":\"{status}\"}}"),
        None => "{\"deleted\":true}".to_owned(),
    };
    Bytes::from(format!("event: end\ndata: {data}\n\n"))
}
