//! The workers of a Temporal cluster as workers of a store, for `serve`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use workflow_core::registry;
use workflow_core::store::{OwnerId, Queues, WorkerId, WorkerReport};
use workflow_core::worker::Preset;
use workflow_store::Catalog;
use workflow_temporal::{TemporalClient, TemporalWorker};

/// Longer than the time between two reports.
const LIFETIME: Duration = Duration::from_secs(20);

/// Reports workers to a store.
pub(super) struct Workers {
    store: Arc<dyn Catalog>,
    owner: OwnerId,
    /// By their identities.
    ids: Mutex<HashMap<String, WorkerId>>,
    /// The task queues of open runs.
    queues: Mutex<BTreeSet<String>>,
}

impl Workers {
    pub(super) fn new(store: Arc<dyn Catalog>) -> Self {
        let owner = OwnerId::random();
        Self { store, owner, ids: Mutex::default(), queues: Mutex::default() }
    }

    /// Sets the task queues of open runs, in which unknown workers may be.
    pub(super) async fn look_at(&self, queues: impl Iterator<Item = String>) {
        *self.queues.lock().await = queues.collect();
    }

    /// Reports the workers of the registered workflows and of open runs.
    ///
    /// # Errors
    ///
    /// Fails if Temporal or the store does not answer.
    pub(super) async fn report(
        &self,
        client: &TemporalClient,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut queues = self.queues.lock().await.clone();
        let prefix = registry::engine().queue_prefix();
        queues.extend(TemporalWorker::queues_of_preset(&Preset::default(), prefix)?);
        let mut served: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for queue in queues {
            for identity in client.workers(&queue).await? {
                served.entry(identity).or_default().push(queue.clone());
            }
        }
        let mut ids = self.ids.lock().await;
        for (identity, queues) in served {
            let number = u32::try_from(ids.len()).unwrap_or(u32::MAX);
            let new = WorkerId { owner: self.owner, number };
            let id = *ids.entry(identity.clone()).or_insert(new);
            self.store.report_worker(&report(id, identity, queues)).await?;
        }
        Ok(())
    }
}

/// What Temporal says about a worker: its identity and its task queues.
fn report(id: WorkerId, name: String, queues: Vec<String>) -> WorkerReport {
    WorkerReport {
        id,
        name,
        queues: Queues::named(queues),
        max_concurrent_workflows: None,
        max_concurrent_activities: None,
        max_cached_workflows: None,
        workflows: 0,
        activities: 0,
        waiting: 0,
        lifetime: LIFETIME,
        program: None,
    }
}
