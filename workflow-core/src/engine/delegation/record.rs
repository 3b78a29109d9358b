//! The record of a delegated run as data. Its caller can end one process and continue in another,
//! or drop a long log and continue with the record alone.

use std::sync::Arc;

use futures::FutureExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{DelegatedRun, Executor, RunControl, delegated};
use crate::engine::durable::resume::ResumeError;
use crate::engine::durable::writer::Recorder;
use crate::engine::request::RunRequest;
use crate::engine::{Clock, Engine};
use crate::event::{Event, EventKind};
use crate::id::RunId;
use crate::run::RunError;
use crate::store::{BeginOutcome, Lease, NewRun, Store as _, StoreError};

/// The record of a [`DelegatedRun`], from [`RunControl::record`].
/// [`RunRequest::delegate_recorded`] resumes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedRun {
    /// The run.
    pub run: RunId,
    /// The fingerprint of the graph that the run began with.
    pub fingerprint: Arc<str>,
    /// All events so far.
    pub events: Vec<Event>,
    /// The signals that no job has received yet, oldest first, with their payloads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<(String, Json)>,
}

impl RunControl {
    /// Returns the record of the run. Requests to the executor and the clock that are open are not
    /// part of it: a run that continues with the record makes running attempts again, and waits for
    /// the rest of its sleeps.
    pub fn record(&self) -> RecordedRun {
        let Self(run) = self;
        RecordedRun {
            run: run.id,
            fingerprint: Arc::clone(&run.plan.stored_graph().fingerprint),
            events: self.events(0),
            signals: run.lock().waiting_signals(),
        }
    }
}

impl RunRequest {
    /// Goes on with a delegated run from its record, as after a restart: jobs that have ended do
    /// not run again. The request has the workflow and the input of the run.
    ///
    /// # Errors
    ///
    /// As [`delegate`](Self::delegate), and with [`RunError::Resume`] if the record does not fit the
    /// workflow.
    pub fn delegate_recorded(
        self,
        executor: impl Executor,
        clock: impl Clock,
        record: RecordedRun,
    ) -> Result<DelegatedRun, RunError> {
        let RecordedRun { run: id, fingerprint, events, signals } = record;
        let (engine, what, new) = self.check_delegated(id, delegated(executor, clock))?;
        let refused = |error| RunError::Resume { run: id, error: Box::new(error) };
        if new.workflow.fingerprint != fingerprint {
            let difference = "its graph is another one".to_owned();
            let workflow = new.workflow.name.clone();
            return Err(refused(ResumeError::Changed { workflow, difference }));
        }
        let lease = engine.begin_recorded(new, events.clone());
        let lease = lease.map_err(|error| refused(ResumeError::Store(error)))?;
        let recorder = engine
            .0
            .record_store()
            .map(|journal| Recorder::resumed(journal, lease, events.len(), false));
        let run = engine.restore(what, id, events, recorder, false);
        let run = run.map_err(refused)?;
        run.change(|state, _| state.record_run_event(EventKind::RunResumed { after_crash: false }));
        for (name, payload) in signals {
            run.signal(name, payload, None);
        }
        Ok(DelegatedRun::of(run))
    }
}

impl Engine {
    /// Puts recorded events into the journal of a delegated run.
    fn begin_recorded(&self, new: NewRun, events: Vec<Event>) -> Result<Lease, StoreError> {
        let run = new.id;
        let lost = || StoreError::LeaseLost { run };
        let journal = self.0.delegation.as_ref().map(|delegation| &delegation.journal);
        // A store in memory answers at once.
        let begun = journal.and_then(|journal| journal.begin(new, events).now_or_never());
        match begun.ok_or_else(lost)?? {
            BeginOutcome::New(Some(lease)) => Ok(lease),
            _ => Err(lost()),
        }
    }
}
