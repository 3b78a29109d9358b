//! What a subscriber of a run reads: the past, then the present; and in its place, as long as the
//! run holds it, what jobs print.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;

use super::active::{ActiveRun, add_waker};
use super::backlog::{Cursor, Next};
use crate::event::{Event, EventKind, JobLookup, Log};

/// The events of a run from the first to the last.
pub(super) struct Events {
    run: Arc<ActiveRun>,
    /// How many recorded events were read.
    seen: usize,
    /// How much of the output was read.
    output: Cursor,
}

impl Events {
    pub(super) fn new(run: &Arc<ActiveRun>) -> Self {
        Self { run: Arc::clone(run), seen: 0, output: Cursor::default() }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let Self { run, seen, output } = &mut *self;
        let mut state = run.lock();
        // Looked at under the lock: the log moves into the report under it.
        let report = run.report();
        let (log, lookup, visible) = match report {
            Some(report) => (&report.0.log, report.0.lookup(), report.0.log.entries.len()),
            None => (&state.log, state.lookup(run), state.visible()),
        };
        if let Some(backlog) = &state.backlog
            && let Some(next) = backlog.read(output, *seen)
        {
            return Poll::Ready(Some(passing(next, *seen, log, &lookup)));
        }
        if *seen < visible {
            let event = log.event(*seen, &lookup);
            *seen += 1;
            return Poll::Ready(event);
        }
        if report.is_some() {
            return Poll::Ready(None);
        }
        add_waker(&mut state.listeners, cx.waker());
        Poll::Pending
    }
}

/// Output as an event, which has the number of the recorded one that it follows.
fn passing(next: Next<'_>, seen: usize, log: &Log, lookup: &dyn JobLookup) -> Event {
    let (at, kind) = match next {
        Next::Skipped { at, bytes } => (at, EventKind::OutputSkipped { bytes }),
        Next::Piece(piece) => {
            let printed = piece.printed.clone();
            let kind = EventKind::JobOutput {
                job: lookup.name(piece.job),
                attempt: piece.attempt,
                stream: printed.stream,
                text: printed.text,
                log: printed.log,
            };
            (piece.at, kind)
        }
    };
    let at = log.time_at(at);
    Event { sequence: seen.saturating_sub(1) as u64, at, kind }
}
