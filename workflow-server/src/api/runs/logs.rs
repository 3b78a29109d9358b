//! Logs: the output of the jobs of a run.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::{IntoParams, ToSchema};
use workflow_core::id::RunId;
use workflow_core::run_log::{LogError, LogRecord, OutputStream, RunLog};
use workflow_store::Catalog;

use super::super::problems::Problems;
use super::{RUN_PARAMETER, stored};
use crate::app::App;
use crate::events::sse;
use crate::http::extract::{Path, Query};
use crate::http::require::{Read, Require};
use crate::model::Limit;
use crate::problem::Problem;

/// The range and format of a log.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogsQuery {
    /// Only output of this job.
    job: Option<String>,
    /// Only output of this attempt.
    #[param(minimum = 1)]
    attempt: Option<u32>,
    /// Position: `next` of the previous page. Default: the start.
    from: Option<u64>,
    /// `json` (default), or `text` to download the current log as text. Each line of text starts
    /// with the name of its job, unless `job` is given.
    #[param(value_type = Option<String>, pattern = "^(json|text)$")]
    format: LogFormat,
    /// Maximum number of items, 1 to 1,000. Default: 1,000. Ignored for streams and text.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
}

/// The format of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LogFormat {
    #[default]
    Json,
    Text,
}

/// A page of a log.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct LogPage {
    /// Output in the order of printing.
    items: Vec<LogPiece>,
    /// Position of the next page.
    next: u64,
    /// Whether the log is complete and this is its last page.
    ended: bool,
}

/// A piece of output.
#[derive(Debug, Serialize, ToSchema)]
struct LogPiece {
    /// Name of the job.
    job: String,
    /// Number of the attempt, from 1.
    attempt: u32,
    /// Stream: `stdout` or `stderr`.
    #[schema(value_type = String, examples("stdout"))]
    stream: OutputStream,
    /// Text. Invalid UTF-8 is replaced by U+FFFD.
    text: String,
    /// Start position in the log.
    from: u64,
    /// End position in the log.
    end: u64,
}

/// The most bytes of one page.
const MAX_PAGE: usize = 1024 * 1024;

/// How often a streamed log is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Returns the log of a run that ran on this machine.
///
/// With `Accept: text/event-stream`, streams the log live, with positions as IDs. The stream ends
/// with an event `end`, as in event streams.
#[utoipa::path(get, path = "/runs/{run}/logs", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER),
        ("Last-Event-ID" = Option<u64>, Header, description = "Continue from this position"),
        LogsQuery),
    responses((status = 200, description = "The log", content(
        (LogPage = "application/json"), (String = "text/event-stream"),
        (String = "text/plain"))), Problems))]
pub(super) async fn logs(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
    Query(query): Query<LogsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let catalog = caller.catalog(&app);
    let run = stored(&*catalog, &which).await?;
    let from = sse::last_id(&headers)?.or(query.from).unwrap_or(0);
    let limit = query.limit.map_or(1000, |limit| limit.0);
    let log = Log { path: run.log(), query, limit };
    if log.query.format == LogFormat::Text {
        let permit = app.streams.enter()?;
        return Ok(download(permit, run.id, text(log, from)));
    }
    if !sse::is_wanted(&headers) {
        let over = run.status.is_final();
        return Ok(Json(log.read(from, over).await?).into_response());
    }
    let permit = app.streams.enter()?;
    Ok(sse::response(permit, follow(log, catalog, run.id, from)))
}

/// A log with the range and format to read.
#[derive(Clone)]
struct Log {
    path: Option<PathBuf>,
    query: LogsQuery,
    limit: usize,
}

impl Log {
    /// Reads a page from a position. `complete`: no more output will be added.
    async fn read(&self, from: u64, complete: bool) -> Result<LogPage, Problem> {
        let log = self.clone();
        let read = tokio::task::spawn_blocking(move || log.read_now(from, complete));
        read.await.map_err(Problem::internal)?
    }

    fn read_now(&self, from: u64, complete: bool) -> Result<LogPage, Problem> {
        let mut page = LogPage { next: from, ended: complete, ..LogPage::default() };
        let Some(path) = self.path.as_ref().filter(|path| path.exists()) else { return Ok(page) };
        let (mut size, segment) = (0, self.segment(path).map_err(Problem::internal)?);
        for record in RunLog::read_from(path, from.into()).map_err(Problem::internal)? {
            let record = record.map_err(Problem::internal)?;
            if page.items.len() == self.limit || size >= MAX_PAGE {
                page.ended = false;
                break;
            }
            page.next = record.place.end().into();
            if self.is_wanted(&record) && segment.is_none_or(|of| of == record.place.segment) {
                size += record.chunk.bytes.len();
                page.items.push(LogPiece::from(record));
            }
        }
        Ok(page)
    }

    /// Returns the segment of the requested attempt. Other segments may have older output of the
    /// same attempt, from before it was restarted elsewhere.
    fn segment(&self, path: &std::path::Path) -> Result<Option<u32>, LogError> {
        match (&self.query.job, self.query.attempt) {
            (Some(job), Some(attempt)) => RunLog::segment_of(path, job, attempt).map(Some),
            _ => Ok(None),
        }
    }

    fn is_wanted(&self, record: &LogRecord) -> bool {
        let LogsQuery { job, attempt, .. } = &self.query;
        job.as_ref().is_none_or(|job| *job == record.job)
            && attempt.is_none_or(|attempt| attempt == record.attempt)
    }
}

impl LogPiece {
    /// Returns the text; if `named`, each line starts with the name of the job.
    fn to_text(&self, named: bool) -> String {
        if !named {
            return self.text.clone();
        }
        let lines = self.text.lines();
        lines.map(|line| format!("{} | {line}\n", self.job)).collect()
    }
}

impl From<LogRecord> for LogPiece {
    fn from(of: LogRecord) -> Self {
        Self {
            job: of.job,
            attempt: of.attempt,
            stream: of.chunk.stream,
            text: String::from_utf8_lossy(&of.chunk.bytes).into_owned(),
            from: of.place.start().into(),
            end: of.place.end().into(),
        }
    }
}

/// Streams a log until the run ends.
fn follow(
    log: Log,
    catalog: Arc<dyn Catalog>,
    run: RunId,
    from: u64,
) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(Some((log, catalog, from)), move |state| async move {
        let (log, catalog, mut from) = state?;
        loop {
            // Read the status before the log, so that no later output is missed.
            let status = catalog.run(run).await.ok()?.map(|run| run.status);
            let over = status.is_none_or(workflow_core::Status::is_final);
            let page = log.read(from, over).await.ok()?;
            if page.items.is_empty() && page.ended {
                return Some((sse::end(status), None));
            }
            from = page.next;
            if !page.items.is_empty() {
                return Some((frames(&page).ok()?, Some((log, catalog, from))));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    })
}

/// Streams a log as text, up to its current end.
fn text(log: Log, from: u64) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold((log, from), |(log, from)| async move {
        let page = log.read(from, true).await.map_err(|problem| {
            tracing::warn!(?problem, "cannot read a log to its end");
            io::Error::other("cannot read the log to its end")
        })?;
        if page.items.is_empty() && page.ended {
            return Ok(None);
        }
        let named = log.query.job.is_none();
        let text: String = page.items.iter().map(|piece| piece.to_text(named)).collect();
        Ok(Some((Bytes::from(text), (log, page.next))))
    })
}

/// Responds with text that browsers save as a file.
fn download(
    permit: OwnedSemaphorePermit,
    run: RunId,
    text: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Response {
    let text = text.map(move |part| {
        let _held = &permit;
        part
    });
    let name = format!("attachment; filename=\"run-{run}.log\"");
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, axum::body::Body::from_stream(text)).into_response()
}

fn frames(page: &LogPage) -> io::Result<Bytes> {
    let mut frames = Vec::new();
    for piece in &page.items {
        use std::io::Write as _;
        write!(frames, "id: {}\nevent: log\ndata: ", piece.end)?;
        serde_json::to_writer(&mut frames, piece)?;
        frames.extend_from_slice(b"\n\n");
    }
    Ok(Bytes::from(frames))
}
