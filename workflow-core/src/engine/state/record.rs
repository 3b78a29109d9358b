//! Brings the events of a run to the engine's store, before anyone outside sees them.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::{ActiveRun, Cause, Errands, State, Task, Work};
use crate::event::Event;
use crate::store::{Store, StoreError};

/// What has been brought to the store, and what became of it.
pub(in crate::engine) struct Recorder {
    store: Arc<dyn Store>,
    /// How many events the store has.
    kept: usize,
    /// A batch is on its way.
    busy: bool,
    pub(in crate::engine) failed: Option<Arc<StoreError>>,
}

/// How often a batch is offered to a store that refuses it, and the wait after the first time.
const OFFERS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(50);

impl Recorder {
    pub(in crate::engine) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, kept: 0, busy: false, failed: None }
    }
}

impl State {
    /// How many events may be seen.
    pub(in crate::engine) fn visible(&self) -> usize {
        self.recorder.as_ref().map_or(self.log.entries.len(), |recorder| recorder.kept)
    }

    /// Whether nothing is left to be brought to the store.
    pub(in crate::engine) fn is_recorded(&self) -> bool {
        self.recorder.as_ref().is_none_or(|recorder| {
            recorder.failed.is_some() || recorder.kept == self.log.entries.len()
        })
    }

    /// Sends what has happened since the last batch on its way.
    pub(super) fn record(&mut self, run: &Arc<ActiveRun>) {
        let Some(recorder) = &mut self.recorder else { return };
        let until = self.log.entries.len();
        if recorder.busy || recorder.failed.is_some() || recorder.kept == until {
            return;
        }
        recorder.busy = true;
        let name = |job| self.names.get(&run.plan.graph, job).into_owned();
        let events = (recorder.kept..until).filter_map(|index| self.log.event(index, &name));
        let appended = offer(Arc::clone(run), Arc::clone(&recorder.store), events.collect());
        let work = Work::Record { appended, until };
        self.woken.push_back(Task::queued(Arc::downgrade(run), work));
    }

    /// The store has answered.
    pub(in crate::engine) fn recorded(
        &mut self,
        run: &Arc<ActiveRun>,
        until: usize,
        result: Result<(), StoreError>,
        errands: &mut Errands,
    ) {
        let Some(recorder) = &mut self.recorder else { return };
        recorder.busy = false;
        match result {
            Ok(()) => recorder.kept = until,
            Err(error) => {
                recorder.failed = Some(Arc::new(error));
                self.scheduler.cancel(Cause::Cancelled);
            }
        }
        self.record(run);
        if self.scheduler.is_finished() && self.is_recorded() {
            errands.finished = true;
        }
    }
}

/// Appends the events; a store that refuses is asked again a few times.
fn offer(
    run: Arc<ActiveRun>,
    store: Arc<dyn Store>,
    events: Vec<Event>,
) -> BoxFuture<'static, Result<(), StoreError>> {
    Box::pin(async move {
        let mut wait = FIRST_WAIT;
        for _ in 1..OFFERS {
            match store.append(run.id, run.workflow.name().as_str(), &events).await {
                Err(StoreError::Unavailable(_)) => {}
                settled => return settled,
            }
            run.engine.time.sleep(&run.runtime, wait).await;
            wait *= 2;
        }
        store.append(run.id, run.workflow.name().as_str(), &events).await
    })
}
