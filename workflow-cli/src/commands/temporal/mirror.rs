//! The runs of a Temporal cluster as runs of a store in memory, for `serve`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;
use workflow_core::id::RunId;
use workflow_core::registry;
use workflow_core::store::{
    BeginOutcome, Lease, NewRun, Owner, OwnerId, StoreError, Trigger, WorkflowSnapshot,
};
use workflow_core::{Status, definition::Metadata};
use workflow_server::{Remote, RemoteError, RemoteStart, RemoteStarted};
use workflow_store::Catalog;
use workflow_temporal::{CallError, RunSummary, StartError, Started, TemporalClient, TemporalRun};

use super::failure::text_of;
use super::follow::News;

/// The number of the latest runs that the store has.
const RUNS: usize = 200;

/// The number of unfinished runs whose events are read in each round.
const ACTIVE: usize = 20;

/// The time between two rounds.
const INTERVAL: Duration = Duration::from_millis(500);

/// Longer than any server runs: no engine drives the runs, and none may.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Copies runs of a cluster into a store, and sends requests to the cluster.
pub(super) struct Mirror {
    client: TemporalClient,
    store: Arc<dyn Catalog>,
    owner: Owner,
    copies: Mutex<HashMap<RunId, Copied>>,
    /// The runs that could not be copied in the latest round.
    failing: Mutex<HashSet<RunId>>,
}

/// A run that the store has.
#[derive(Clone, Copy)]
struct Copied {
    lease: Lease,
    /// The number of events.
    events: u64,
    has_ended: bool,
}

impl Mirror {
    pub(super) fn new(client: TemporalClient, store: Arc<dyn Catalog>) -> Arc<Self> {
        let owner = Owner { id: OwnerId::random(), lifetime: LIFETIME };
        Arc::new(Self { client, store, owner, copies: Mutex::default(), failing: Mutex::default() })
    }

    /// Keeps the store up to date.
    pub(super) async fn run(self: Arc<Self>) {
        let mut is_reported = false;
        loop {
            match self.round().await {
                Ok(()) => is_reported = false,
                Err(error) if !std::mem::replace(&mut is_reported, true) => {
                    let error = text_of(&error);
                    tracing::warn!(error, "cannot list the runs of Temporal; will retry");
                }
                Err(_) => {}
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Copies what is new. A run that cannot be copied does not keep others from it, and is logged
    /// once.
    ///
    /// # Errors
    ///
    /// Fails if Temporal does not list the runs.
    pub(super) async fn round(&self) -> Result<(), CallError> {
        let wanted = self.wanted().await?;
        let mut failing = self.failing.lock().await;
        failing.retain(|id| wanted.iter().any(|(other, _)| other == id));
        // Oldest first, so that numbers grow with the time.
        for (id, run) in wanted.into_iter().rev() {
            match self.copy(id, &run).await {
                Ok(()) => drop(failing.remove(&id)),
                Err(error) if failing.insert(id) => {
                    let (run, workflow) = (&run.workflow_id, &run.workflow);
                    tracing::warn!(
                        run,
                        workflow,
                        error,
                        "cannot copy a run of Temporal; will retry"
                    );
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// The listed runs that may have new events, newest first.
    async fn wanted(&self) -> Result<Vec<(RunId, RunSummary)>, CallError> {
        let mut active = 0;
        let mut wanted = Vec::new();
        let listed = self.client.list("", RUNS).await?;
        let copies = self.copies.lock().await;
        for run in listed {
            let Ok(id) = run.run_id.parse::<RunId>() else { continue };
            let is_active = !run.status.is_final();
            active += usize::from(is_active);
            let has_ended = copies.get(&id).is_some_and(|copied| copied.has_ended);
            if !has_ended && (!is_active || active <= ACTIVE) {
                wanted.push((id, run));
            }
        }
        Ok(wanted)
    }

    /// Copies the new events of a run.
    async fn copy(&self, id: RunId, summary: &RunSummary) -> Result<(), String> {
        let run = self.client.handle(summary).map_err(|error| text_of(&error))?;
        match run.status().await {
            Ok(status) => {
                let started_at = summary
                    .started_at
                    .map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
                self.copy_run(id, &run, status, started_at, &summary.task_queue).await
            }
            // Its retention period has ended meanwhile.
            Err(CallError::NotFound) => Ok(()),
            Err(error) => Err(text_of(&error)),
        }
    }

    async fn copy_run(
        &self,
        id: RunId,
        run: &TemporalRun,
        status: Status,
        started_at: Option<SystemTime>,
        task_queue: &str,
    ) -> Result<(), String> {
        let known = self.copies.lock().await.get(&id).map_or(0, |copied| copied.events);
        let news = News::of(run, status, known).await.map_err(|error| text_of(&error))?;
        let mut copies = self.copies.lock().await;
        let copied = match copies.get(&id) {
            Some(copied) => *copied,
            None => {
                let begun = self.begin(id, run, started_at, task_queue).await?;
                copies.insert(id, begun);
                begun
            }
        };
        let copied = self.append(copied, news).await.map_err(|error| text_of(&error));
        copies.insert(id, copied?);
        Ok(())
    }

    /// Adds what is new to a run of the store.
    async fn append(&self, copied: Copied, news: News) -> Result<Copied, StoreError> {
        if copied.has_ended {
            return Ok(copied);
        }
        let mut events = news.next;
        // Another request may have copied some of them meanwhile.
        events.retain(|event| event.sequence >= copied.events);
        if let Some(closing) = news.closing {
            let mut seen = self.store.events(copied.lease.run, 0, usize::MAX).await?;
            seen.extend_from_slice(&events);
            events.extend(closing.events(&seen));
        }
        if !events.is_empty() {
            self.store.append(&copied.lease, &events).await?;
        }
        let has_ended = events.last().is_some_and(|event| event.kind.is_last());
        let events = copied.events + events.len() as u64;
        Ok(Copied { events, has_ended, ..copied })
    }

    /// Adds a run to the store.
    async fn begin(
        &self,
        id: RunId,
        run: &TemporalRun,
        started_at: Option<SystemTime>,
        task_queue: &str,
    ) -> Result<Copied, String> {
        let failed = |error: StoreError| text_of(&error);
        let new = NewRun {
            id,
            trigger: Trigger::Manual,
            created_at: started_at.unwrap_or(SystemTime::UNIX_EPOCH),
            task_queue: task_queue.to_owned(),
            ..NewRun::new(snapshot(run.workflow()))
        };
        match self.store.begin(new, Vec::new()).await.map_err(failed)? {
            BeginOutcome::New(_) => {}
            _ => return Err(format!("run {id} is in the store already")),
        }
        let leases = self.store.claim_without_limits(self.owner, &[id]).await.map_err(failed)?;
        let [lease] = leases[..] else { return Err(format!("run {id} has another owner")) };
        Ok(Copied { lease, events: 0, has_ended: false })
    }

    async fn find(&self, run: RunId) -> Result<TemporalRun, RemoteError> {
        self.client.select(&run.to_string()).await.map_err(|error| match error {
            CallError::NotFound => RemoteError::Ended(run),
            error => RemoteError::Unavailable(text_of(&error)),
        })
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

#[async_trait]
impl Remote for Mirror {
    fn name(&self) -> &str {
        "Temporal"
    }

    async fn start(&self, start: RemoteStart) -> Result<RemoteStarted, RemoteError> {
        let RemoteStart { workflow, input, task_queue, idempotency_key, priority } = start;
        let mut request = self.client.run(workflow.as_str()).priority(priority);
        if let Some(input) = input {
            request = request.input(input);
        }
        if let Some(queue) = task_queue {
            request = request.task_queue(queue);
        }
        if let Some(key) = &idempotency_key {
            request = request.workflow_id(key);
        }
        let unavailable = |error: &dyn std::error::Error| RemoteError::Unavailable(text_of(error));
        let started = match request.start_once().await {
            Ok(started) => started,
            Err(error @ StartError::KeyConflict { .. }) => {
                return Err(RemoteError::KeyConflict(error.to_string()));
            }
            Err(error @ StartError::Server { .. }) => return Err(unavailable(&error)),
            Err(error) => return Err(RemoteError::Invalid(text_of(&error))),
        };
        let existing = matches!(started, Started::Existing(_));
        let run = started.into_run();
        let state = run.state().await.map_err(|error| unavailable(&error))?;
        let copied =
            self.copy_run(run.id(), &run, state.status, state.started_at, &state.task_queue).await;
        copied.map_err(RemoteError::Unavailable)?;
        let warning = (!state.has_worker).then(|| {
            let queue = &state.task_queue;
            format!("no live worker serves task queue `{queue}`; the run waits for one")
        });
        Ok(RemoteStarted { run: run.id(), existing, warning })
    }

    async fn cancel(&self, run: RunId) -> Result<(), RemoteError> {
        let found = self.find(run).await?;
        found.cancel().await.map_err(|error| refused(run, &error))
    }

    async fn signal(&self, run: RunId, name: &str, payload: Json) -> Result<(), RemoteError> {
        let found = self.find(run).await?;
        found.signal(name, payload).await.map_err(|error| refused(run, &error))
    }
}

fn refused(run: RunId, error: &CallError) -> RemoteError {
    match error {
        CallError::NotFound | CallError::Ended { .. } => RemoteError::Ended(run),
        error => RemoteError::Unavailable(text_of(error)),
    }
}
