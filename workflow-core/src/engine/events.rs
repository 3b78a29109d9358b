//! What a subscriber of a run reads: the past, then the present.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;

use super::active::ActiveRun;
use crate::event::{Event, Log};
use crate::run::JobNames;

/// The events of a run from the first to the last.
pub(super) struct Events {
    run: Arc<ActiveRun>,
    next: usize,
}

impl Events {
    pub(super) fn new(run: &Arc<ActiveRun>) -> Self {
        Self { run: Arc::clone(run), next: 0 }
    }

    fn event(&self, log: &Log, names: &JobNames) -> Option<Event> {
        let graph = &self.run.plan.graph;
        log.event(self.next, &|job| names.get(graph, job).into_owned())
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let event = match self.run.report() {
            Some(report) => self.event(&report.0.log, &report.0.names),
            None => {
                let mut state = self.run.lock();
                // Looked at under the lock: the log moves into the report under it.
                match self.run.report() {
                    Some(report) => self.event(&report.0.log, &report.0.names),
                    None if self.next < state.visible() => self.event(&state.log, &state.names),
                    None => {
                        state.listen(cx.waker());
                        return Poll::Pending;
                    }
                }
            }
        };
        self.next += 1;
        Poll::Ready(event)
    }
}
