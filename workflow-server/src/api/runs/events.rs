//! The events of a run: a part of them, or all as they come.

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
use workflow_core::RunId;
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

/// Which events are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// From this number on. Default: 0, the first.
    from: Option<u64>,
    /// Those after this number; for streams, where no header can be sent.
    after: Option<u64>,
    /// How many, 1 to 1,000. Default: 50. Of no meaning for streams.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
}

/// A part of the events of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventsPage {
    /// The events: objects with `sequence`, `at`, `event`, and what goes with that.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Value>,
    /// The number to go on from; null when there are no more by now.
    next: Option<u64>,
}

/// Shows the events of a run. With `Accept: text/event-stream` all of them as they come, with
/// their numbers as ids, from the one after `Last-Event-ID` on, up to an event `end`, whose data
/// has the `status` of the run, or `"deleted": true` when the run was deleted meanwhile.
#[utoipa::path(get, path = "/runs/{run}/events", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER),
        ("Last-Event-ID" = Option<u64>, Header, description = "Go on after this event"),
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
    // Whoever begins at the front has the feed do so, too.
    let feed = app.feeds.of(run, from.min(known.events));
    Ok(sse::answer(permit, frames(feed, from)))
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

/// The events of a feed, those that come together as one piece, and the end.
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
                // The client comes again, and goes on where this one ends.
                tracing::warn!(%error, "a stream of events ends early");
                None
            }
        }
    })
}
