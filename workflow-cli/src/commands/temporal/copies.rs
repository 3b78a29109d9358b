//! Runs of a Temporal cluster as runs of a store in memory, for all that shows runs of a store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value as Json, json};
use tokio::sync::Mutex;
use workflow_core::id::RunId;
use workflow_core::registry;
use workflow_core::store::{
    BeginOutcome, Lease, NewRun, Owner, OwnerId, StoreError, Trigger, WorkflowSnapshot,
};
use workflow_core::{Status, definition::Metadata};
use workflow_store::Catalog;
use workflow_temporal::{CallError, TemporalRun};

use super::failure::text_of;
use super::follow::News;
use crate::output;

/// Longer than any program runs: no engine drives the runs, and none may.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The time between two looks at a run.
const INTERVAL: Duration = Duration::from_millis(200);

/// Copies runs of a cluster into a store.
pub(super) struct Copies {
    store: Arc<dyn Catalog>,
    owner: Owner,
    copied: Mutex<HashMap<RunId, Copied>>,
}

/// A run that the store has.
#[derive(Clone, Copy)]
struct Copied {
    /// `None` until the run has events: it waits in its task queue.
    lease: Option<Lease>,
    /// The number of events.
    events: u64,
    has_ended: bool,
}

impl Copies {
    pub(super) fn new(store: Arc<dyn Catalog>) -> Self {
        let owner = Owner { id: OwnerId::random(), lifetime: LIFETIME };
        Self { store, owner, copied: Mutex::default() }
    }

    /// The runs whose last event the store has.
    pub(super) async fn ended(&self) -> HashSet<RunId> {
        let copied = self.copied.lock().await;
        copied.iter().filter(|(_, copied)| copied.has_ended).map(|(id, _)| *id).collect()
    }

    /// Copies the new events of a run.
    ///
    /// # Errors
    ///
    /// As [`copy`](Self::copy).
    pub(super) async fn update(&self, run: &TemporalRun) -> Result<(), String> {
        let state = run.state().await.map_err(|error| text_of(&error))?;
        self.copy(run, state.status, state.started_at, &state.task_queue).await
    }

    /// Copies the events of a run as they come, until its end.
    pub(super) async fn keep_up(self, run: TemporalRun) {
        let mut is_warned = false;
        while !self.ended().await.contains(&run.id()) {
            match self.update(&run).await {
                Ok(()) => is_warned = false,
                Err(error) if !std::mem::replace(&mut is_warned, true) => {
                    output::warning(format_args!("{error}; will retry"));
                }
                Err(_) => {}
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Copies the new events of a run, which has this status or a later one.
    ///
    /// # Errors
    ///
    /// Fails if Temporal does not answer, or its answer cannot be read.
    pub(super) async fn copy(
        &self,
        run: &TemporalRun,
        status: Status,
        started_at: Option<SystemTime>,
        task_queue: &str,
    ) -> Result<(), String> {
        let id = run.id();
        let known = self.copied.lock().await.get(&id).copied();
        let input = match known {
            Some(_) => None,
            None => input(run).await.map_err(|error| text_of(&error))?,
        };
        let seen = known.map_or(0, |copied| copied.events);
        let news = News::of(run, status, seen).await.map_err(|error| text_of(&error))?;
        let mut copies = self.copied.lock().await;
        let copied = match copies.get(&id) {
            Some(copied) => *copied,
            None => {
                let new = NewRun {
                    id,
                    trigger: Trigger::Manual,
                    created_at: started_at.unwrap_or(SystemTime::UNIX_EPOCH),
                    task_queue: task_queue.to_owned(),
                    input,
                    ..NewRun::new(snapshot(run.workflow()))
                };
                let begun = self.begin(new).await?;
                copies.insert(id, begun);
                begun
            }
        };
        let copied = self.append(id, copied, news).await.map_err(|error| text_of(&error));
        copies.insert(id, copied?);
        Ok(())
    }

    /// Adds what is new to a run of the store.
    async fn append(&self, id: RunId, copied: Copied, news: News) -> Result<Copied, StoreError> {
        if copied.has_ended {
            return Ok(copied);
        }
        let mut events = news.next;
        // Another request may have copied some of them meanwhile.
        events.retain(|event| event.sequence >= copied.events);
        if let Some(closing) = news.closing {
            let mut seen = self.store.events(id, 0, usize::MAX).await?;
            seen.extend_from_slice(&events);
            events.extend(closing.events(&seen));
        }
        if events.is_empty() {
            return Ok(copied);
        }
        let lease = match copied.lease {
            Some(lease) => lease,
            None => self.claim(id).await?,
        };
        self.store.append(&lease, &events).await?;
        let has_ended = events.last().is_some_and(|event| event.kind.is_last());
        let events = copied.events + events.len() as u64;
        Ok(Copied { lease: Some(lease), events, has_ended })
    }

    /// Adds a run to the store.
    async fn begin(&self, new: NewRun) -> Result<Copied, String> {
        let id = new.id;
        match self.store.begin(new, Vec::new()).await.map_err(|error| text_of(&error))? {
            BeginOutcome::New(_) => Ok(Copied { lease: None, events: 0, has_ended: false }),
            _ => Err(format!("run {id} is in the store already")),
        }
    }

    async fn claim(&self, id: RunId) -> Result<Lease, StoreError> {
        let leases = self.store.claim_without_limits(self.owner, &[id]).await?;
        leases.first().copied().ok_or(StoreError::NoRun { run: id })
    }
}

/// The input of a run. One that is not JSON is that of a foreign workflow.
async fn input(run: &TemporalRun) -> Result<Option<Json>, CallError> {
    match run.input().await {
        Err(CallError::History(_)) => Ok(None),
        input => input,
    }
}

/// The workflow of a run. A program that does not have it knows only its name.
fn snapshot(workflow: &str) -> WorkflowSnapshot {
    match registry::get(workflow) {
        Ok(entry) => WorkflowSnapshot::of(&*entry.workflow()),
        Err(_) => WorkflowSnapshot {
            name: workflow.to_owned(),
            metadata: Metadata::default(),
            fingerprint: "".into(),
            source: None,
            graph: Arc::new(json!({ "nodes": [], "edges": [] })),
        },
    }
}
