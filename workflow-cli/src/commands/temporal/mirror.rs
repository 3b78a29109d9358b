//! The runs of a Temporal cluster as runs of a store in memory, for `serve`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde_json::Value as Json;
use tokio::sync::Mutex;
use workflow_core::id::RunId;
use workflow_server::{Remote, RemoteError, RemoteStart, RemoteStarted};
use workflow_store::Catalog;
use workflow_temporal::{
    CallError, StartError, Started, TemporalClient, TemporalRun, TemporalRunSummary,
};

use super::copies::Copies;
use super::failure::text_of;
use super::workers::Workers;

/// The number of the latest runs that the store has.
const RUNS: usize = 200;

/// The number of unfinished runs whose events are read in each round.
const ACTIVE: usize = 20;

/// The time between two rounds.
const INTERVAL: Duration = Duration::from_millis(500);

/// The number of rounds after which the workers are listed again.
const ROUNDS_PER_REPORT: u64 = 10;

/// Copies runs of a cluster into a store, and sends requests to the cluster.
pub(super) struct Mirror {
    client: TemporalClient,
    copies: Copies,
    /// The runs that could not be copied in the latest round.
    failing: Mutex<HashSet<RunId>>,
    workers: Workers,
}

impl Mirror {
    pub(super) fn new(client: TemporalClient, store: Arc<dyn Catalog>) -> Arc<Self> {
        let workers = Workers::new(Arc::clone(&store));
        Arc::new(Self { client, copies: Copies::new(store), failing: Mutex::default(), workers })
    }

    /// Keeps the store up to date.
    pub(super) async fn run(self: Arc<Self>) {
        let mut is_reported = false;
        for round in 0_u64.. {
            if round % ROUNDS_PER_REPORT == 0
                && let Err(error) = self.workers.report(&self.client).await
            {
                tracing::debug!(error = text_of(&*error), "cannot list the workers of Temporal");
            }
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
            match self.copy(&run).await {
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
    async fn wanted(&self) -> Result<Vec<(RunId, TemporalRunSummary)>, CallError> {
        let mut active = 0;
        let mut wanted = Vec::new();
        let listed = self.client.list("", RUNS).await?;
        let open = listed.iter().filter(|run| !run.status.is_final());
        self.workers.look_at(open.map(|run| run.task_queue.clone())).await;
        let ended = self.copies.ended().await;
        for run in listed {
            let Ok(id) = run.run_id.parse::<RunId>() else { continue };
            let is_active = !run.status.is_final();
            active += usize::from(is_active);
            if !ended.contains(&id) && (!is_active || active <= ACTIVE) {
                wanted.push((id, run));
            }
        }
        Ok(wanted)
    }

    /// Copies the new events of a run.
    async fn copy(&self, summary: &TemporalRunSummary) -> Result<(), String> {
        let run = self.client.handle(summary).map_err(|error| text_of(&error))?;
        match run.status().await {
            Ok(status) => {
                let started_at = summary
                    .started_at
                    .map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
                self.copies.copy(&run, status, started_at, &summary.task_queue).await
            }
            // Its retention period has ended meanwhile.
            Err(CallError::NotFound) => Ok(()),
            Err(error) => Err(text_of(&error)),
        }
    }

    async fn find(&self, run: RunId) -> Result<TemporalRun, RemoteError> {
        self.client.select(&run.to_string()).await.map_err(|error| match error {
            CallError::NotFound => RemoteError::Ended(run),
            error => RemoteError::Unavailable(text_of(&error)),
        })
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
            self.copies.copy(&run, state.status, state.started_at, &state.task_queue).await;
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
