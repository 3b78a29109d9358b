//! Links to downstream workflows in memory. A store in memory knows only registered workflows by name.

use async_trait::async_trait;

use super::{MemoryStore, Runs};
use crate::id::RunId;
use crate::store::{
    DownstreamStore, ScheduledWorkflow, StoreError, StoredLink, Upstream, WorkflowLink,
    WorkflowSnapshot,
};

impl Runs {
    /// Has a run wait for the downstream workflows of its own, if it has ended and is no child run, and
    /// for those of the assets that it has made.
    pub(super) fn add_ended(&mut self, run: RunId) {
        let Some(row) = self.runs.get(&run).filter(|row| row.run.status.is_final()) else { return };
        let (name, is_child) = (&row.run.workflow.name, row.run.parent.is_some());
        let has_made = |asset: &String| {
            let made = self.materializations.iter().map(|stored| &stored.made);
            made.filter(|made| !made.is_refused).any(|made| made.run == run && made.asset == *asset)
        };
        for (link, waiting) in &mut self.links {
            let waits = match &link.upstream {
                Upstream::Workflow(ScheduledWorkflow::Registered(of)) => of == name && !is_child,
                Upstream::Workflow(ScheduledWorkflow::Number(_)) => false,
                Upstream::Asset(asset) => has_made(asset),
            };
            if waits {
                waiting.insert(run);
            }
        }
    }
}

#[async_trait]
impl DownstreamStore for MemoryStore {
    async fn add_registered(&self, _: &[WorkflowSnapshot]) -> Result<(), StoreError> {
        // Workflows have no rows.
        Ok(())
    }

    async fn links(&self) -> Result<Vec<StoredLink>, StoreError> {
        let state = self.lock();
        let stored = state.links.iter().map(|(link, waiting)| StoredLink {
            link: link.clone(),
            has_waiting: !waiting.is_empty(),
        });
        Ok(stored.collect())
    }

    async fn link(&self, link: &WorkflowLink) -> Result<bool, StoreError> {
        self.lock().links.entry(link.clone()).or_default();
        Ok(true)
    }

    async fn unlink(&self, link: &WorkflowLink) -> Result<(), StoreError> {
        self.lock().links.remove(link);
        Ok(())
    }

    async fn waiting(&self, link: &WorkflowLink, limit: usize) -> Result<Vec<RunId>, StoreError> {
        let state = self.lock();
        let waiting = state.links.get(link).into_iter().flatten();
        Ok(waiting.take(limit).copied().collect())
    }

    async fn handled(&self, link: &WorkflowLink, run: RunId) -> Result<(), StoreError> {
        if let Some(waiting) = self.lock().links.get_mut(link) {
            waiting.remove(&run);
        }
        Ok(())
    }
}
