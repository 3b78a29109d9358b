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
use workflow_core::Status;
use workflow_core::id::RunId;
use workflow_core::run_log::{LogError, LogRecord, OutputStream, RunLog};
use workflow_core::store::StoreError;
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
/// with an event `end`, as in event streams, or with an event `error`, whose data is a problem
/// document.
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
    let is_text = log.query.format == LogFormat::Text;
    let page = log.read(from, is_text || run.status.is_final()).await?;
    if is_text {
        let permit = app.streams.enter()?;
        return Ok(download(permit, run.id, text(log, page)));
    }
    if !sse::is_wanted(&headers) {
        return Ok(Json(page).into_response());
    }
    let permit = app.streams.enter()?;
    let live = LiveLog { log, catalog, run: run.id, status: Some(run.status), page };
    Ok(sse::response(permit, live.frames()))
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
        let read = tokio::task::spawn_blocking(move || {
            log.read_now(from, complete).map_err(|error| log.explain(from, error))
        });
        read.await.map_err(Problem::internal)?
    }

    fn read_now(&self, from: u64, complete: bool) -> Result<LogPage, LogError> {
        let mut page = LogPage { next: from, ended: complete, ..LogPage::default() };
        let Some(path) = self.path.as_ref().filter(|path| path.exists()) else { return Ok(page) };
        let (mut size, segment) = (0, self.segment(path)?);
        for record in RunLog::read_from(path, from.into())? {
            let record = record?;
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

    /// The problem of a log that cannot be read from a position: no record ends there, or the log
    /// itself has a fault.
    fn explain(&self, from: u64, error: LogError) -> Problem {
        let is_damaged = matches!(error, LogError::Damaged { .. });
        if from == 0 || !is_damaged || self.has_end(from) {
            return Problem::internal(error);
        }
        let message = "no record of the log begins there; send `next` of the previous page, or the \
                       last `id` of the stream";
        Problem::invalid("from", message)
    }

    /// Whether a record ends at this position.
    fn has_end(&self, at: u64) -> bool {
        let records = self.path.as_ref().and_then(|path| RunLog::read_from(path, 0.into()).ok());
        let mut records = records.into_iter().flatten().map_while(Result::ok);
        records.any(|record| u64::from(record.place.end()) == at)
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

/// A log that is streamed until the run ends.
struct LiveLog {
    log: Log,
    catalog: Arc<dyn Catalog>,
    run: RunId,
    /// The latest status of the run; `None` if it was deleted.
    status: Option<Status>,
    /// The latest page, with the items that have not been sent.
    page: LogPage,
}

impl LiveLog {
    fn frames(self) -> impl Stream<Item = Bytes> + Send {
        stream::unfold(Some(self), |live| async {
            let mut live = live?;
            match live.next().await {
                Ok(Some(frames)) => Some((frames, Some(live))),
                Ok(None) => Some((sse::end(live.status), None)),
                Err(problem) => Some((sse::error(&problem), None)),
            }
        })
    }

    /// Waits for output; `None` after the end of the log.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        while self.page.items.is_empty() {
            if self.page.ended {
                return Ok(None);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
            self.read().await?;
        }
        let items = std::mem::take(&mut self.page.items);
        frames(&items).map(Some).map_err(Problem::internal)
    }

    async fn read(&mut self) -> Result<(), Problem> {
        // Read the status before the log, so that no later output is missed.
        self.status = self.read_status().await?;
        let is_over = self.status.is_none_or(Status::is_final);
        self.page = self.log.read(self.page.next, is_over).await?;
        Ok(())
    }

    /// Reads the status of the run. Waits while the store is unavailable.
    async fn read_status(&self) -> Result<Option<Status>, Problem> {
        let mut is_available = true;
        loop {
            match self.catalog.run(self.run).await {
                Ok(run) => return Ok(run.map(|run| run.status)),
                Err(StoreError::Unavailable(error)) => {
                    if std::mem::replace(&mut is_available, false) {
                        tracing::warn!(run = %self.run, %error, "cannot follow a log; will retry");
                    }
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Streams a log as text from this page on, up to its current end.
fn text(log: Log, page: LogPage) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold((log, page), |(log, mut page)| async move {
        if page.items.is_empty() {
            if page.ended {
                return Ok(None);
            }
            page = log.read(page.next, true).await.map_err(|problem| {
                tracing::warn!(?problem, "cannot read a log to its end");
                io::Error::other("cannot read the log to its end")
            })?;
        }
        let named = log.query.job.is_none();
        let items = std::mem::take(&mut page.items);
        let text: String = items.iter().map(|piece| piece.to_text(named)).collect();
        Ok(Some((Bytes::from(text), (log, page))))
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

fn frames(items: &[LogPiece]) -> io::Result<Bytes> {
    let mut frames = Vec::new();
    for piece in items {
        use std::io::Write as _;
        write!(frames, "id: {}\nevent: log\ndata: ", piece.end)?;
        serde_json::to_writer(&mut frames, piece)?;
        frames.extend_from_slice(b"\n\n");
    }
    Ok(Bytes::from(frames))
}
