//! What the jobs of a run printed.

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
use workflow_core::{LogError, LogRecord, OutputStream, RunId, RunLog};
use workflow_store::Catalog;

use super::super::problems::Problems;
use super::{RUN_PARAMETER, stored};
use crate::app::App;
use crate::events::sse;
use crate::http::extract::{Path, Query};
use crate::http::require::{Read, Require};
use crate::model::Limit;
use crate::problem::Problem;

/// Which part of a log is asked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogsQuery {
    /// Only what this job printed.
    job: Option<String>,
    /// Only what this try of it printed.
    #[param(minimum = 1)]
    attempt: Option<u32>,
    /// From this place on: the `next` of the part before. Default: the beginning.
    from: Option<u64>,
    /// `text` downloads the log as one text, up to what has been printed by now. Each line has the
    /// name of its job before it, unless one job is asked for. Default: `json`.
    #[param(value_type = Option<String>, pattern = "^(json|text)$")]
    format: LogFormat,
    /// How many pieces, 1 to 1,000. Default: 1,000. Of no meaning for streams and texts.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LogFormat {
    #[default]
    Json,
    Text,
}

/// A part of a log.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct LogPage {
    /// The pieces, in the order in which they were printed.
    items: Vec<LogPiece>,
    /// The place to go on from.
    next: u64,
    /// Whether all has been printed, and is here.
    ended: bool,
}

/// Something that a job printed.
#[derive(Debug, Serialize, ToSchema)]
struct LogPiece {
    /// The job.
    job: String,
    /// Which try of it.
    attempt: u32,
    /// `stdout` or `stderr`.
    #[schema(value_type = String, examples("stdout"))]
    stream: OutputStream,
    /// What was printed; bytes that are no UTF-8 are U+FFFD.
    text: String,
    /// Where the log has it.
    from: u64,
    /// Where it ends there.
    end: u64,
}

/// The most that one answer reads, in bytes.
const MOST: usize = 1024 * 1024;

/// How often a log is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Shows what the jobs of a run printed, of runs that ran on this machine. With
/// `Accept: text/event-stream` all of it as it comes, with places as ids, up to an event `end` as
/// streams of events have it.
#[utoipa::path(get, path = "/runs/{run}/logs", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER),
        ("Last-Event-ID" = Option<u64>, Header, description = "Go on from this place"), LogsQuery),
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
        return Ok(download(permit, run.id, whole(log, from)));
    }
    if !sse::is_wanted(&headers) {
        let over = run.status.is_final();
        return Ok(Json(log.read(from, over).await?).into_response());
    }
    let permit = app.streams.enter()?;
    Ok(sse::answer(permit, follow(log, catalog, run.id, from)))
}

/// The log of a run, as far as it is asked for.
#[derive(Clone)]
struct Log {
    path: Option<PathBuf>,
    query: LogsQuery,
    limit: usize,
}

impl Log {
    /// Reads on from a place. `over` says that nothing is added any more.
    async fn read(&self, from: u64, over: bool) -> Result<LogPage, Problem> {
        let log = self.clone();
        let read = tokio::task::spawn_blocking(move || log.read_now(from, over));
        read.await.map_err(Problem::internal)?
    }

    fn read_now(&self, from: u64, over: bool) -> Result<LogPage, Problem> {
        let mut page = LogPage { next: from, ended: over, ..LogPage::default() };
        let Some(path) = self.path.as_ref().filter(|path| path.exists()) else { return Ok(page) };
        let (mut size, segment) = (0, self.segment(path).map_err(Problem::internal)?);
        for record in RunLog::read_from(path, from.into()).map_err(Problem::internal)? {
            let record = record.map_err(Problem::internal)?;
            if page.items.len() == self.limit || size >= MOST {
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

    /// The segment of the attempt that is asked for: others may have what was printed of it before
    /// it began again elsewhere.
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
    /// What was printed, with the name of the job before each line where jobs are mixed.
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

/// The pieces of a log as they come, up to the end of the run.
fn follow(
    log: Log,
    catalog: Arc<dyn Catalog>,
    run: RunId,
    from: u64,
) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(Some((log, catalog, from)), move |state| async move {
        let (log, catalog, mut from) = state?;
        loop {
            // Asked before reading: what comes after is not missed.
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
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
}

/// A log as a text, up to its end by now.
fn whole(log: Log, from: u64) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold((log, from), |(log, from)| async move {
        let page = log.read(from, true).await.map_err(|problem| {
            tracing::warn!(?problem, "a log cannot be read to its end");
            io::Error::other("the log cannot be read to its end")
        })?;
        if page.items.is_empty() && page.ended {
            return Ok(None);
        }
        let named = log.query.job.is_none();
        let text: String = page.items.iter().map(|piece| piece.to_text(named)).collect();
        Ok(Some((Bytes::from(text), (log, page.next))))
    })
}

/// Answers with a text that browsers save as a file.
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
