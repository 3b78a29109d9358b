//! The events of a run, as pages or as a stream.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use workflow_core::id::RunId;
use workflow_store::Catalog;

use super::super::problems::Problems;
use super::{RUN_PARAMETER, find};
use crate::app::App;
use crate::events::feed::Feed;
use crate::events::sse;
use crate::http::extract::{Path, Query};
use crate::http::require::{Read, Require};
use crate::model::Limit;
use crate::problem::Problem;

/// The range of events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Sequence number of the first event. Default: 0.
    from: Option<u64>,
    /// Starts after this sequence number. For streams of clients that cannot send headers.
    after: Option<u64>,
    /// Maximum number of events, 1 to 1,000. Default: 50. Ignored for streams.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventsPage {
    /// Events: objects with `sequence`, `at`, `event` and fields of that kind of event.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// Sequence number of the next page; null after the latest event.
    next: Option<u64>,
}

/// Returns events of a run.
///
/// With `Accept: text/event-stream`, streams all events live, with sequence numbers as IDs,
/// starting after `Last-Event-ID`. The stream ends with an event `end`, whose data has the `status`
/// of the run, or `"deleted": true` if the run was deleted.
#[utoipa::path(get, path = "/runs/{run}/events", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER),
        ("Last-Event-ID" = Option<u64>, Header, description = "Continue after this event"),
        EventsQuery),
    responses((status = 200, description = "Events", content(
        (EventsPage = "application/json"), (String = "text/event-stream"))), Problems))]
pub(super) async fn events(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let catalog = caller.catalog(&app);
    let run = find(&*catalog, &which).await?;
    let known = catalog.run_summary(run).await?;
    let after = sse::last_id(&headers)?.or(query.after).map(|id| id.saturating_add(1));
    let from = after.or(query.from).unwrap_or(0);
    if !sse::is_wanted(&headers) {
        let limit = query.limit.map_or(50, |limit| limit.0);
        return Ok(Json(page(&*catalog, run, from, limit).await?).into_response());
    }
    let permit = app.streams.enter()?;
    // A subscriber that starts early makes the feed start early.
    let feed = app.feeds.of(run, from.min(known.events));
    Ok(sse::response(permit, frames(feed, from)))
}

async fn page(
    catalog: &dyn Catalog,
    run: RunId,
    from: u64,
    limit: usize,
) -> Result<EventsPage, Problem> {
    let events = catalog.events(run, from, limit).await?;
    let next = events.last().filter(|_| events.len() == limit).map(|last| last.sequence + 1);
    let items = events.iter().map(serde_json::to_value).collect::<Result<_, _>>();
    Ok(EventsPage { items: items.map_err(Problem::internal)?, next })
}

/// Returns the events of a feed, in chunks, and the end event.
fn frames(feed: Arc<Feed>, from: u64) -> impl Stream<Item = Bytes> + Send {
    stream::unfold((feed, Some(from)), |(feed, from)| async move {
        let from = from?;
        match feed.next(from).await {
            Ok(Some(frames)) => {
                let next = from + frames.count;
                Some((frames.text, (feed, Some(next))))
            }
            Ok(None) => {
                let end = sse::end(feed.last_status());
                Some((end, (feed, None)))
            }
            Err(error) => {
                // The client reconnects and continues after the last event.
                tracing::warn!(%error, "event stream closed early");
                None
            }
        }
    })
}
