//! Links between workflows in memory. A store in memory knows only registered workflows by name.

use async_trait::async_trait;

use super::{MemoryStore, Runs};
use crate::id::RunId;
use crate::store::{
    DownstreamStore, ScheduledWorkflow, StoreError, StoredLink, WorkflowLink, WorkflowSnapshot,
};

impl Runs {
    /// The ended runs of a workflow, without child runs.
    fn ended<'a>(&'a self, of: &'a ScheduledWorkflow) -> impl Iterator<Item = RunId> + 'a {
        let is_of = move |name: &str| match of {
            ScheduledWorkflow::Registered(registered) => registered == name,
            ScheduledWorkflow::Number(_) => false,
        };
        let ended = self.runs.values().map(|row| &row.run).filter(move |run| {
            run.status.is_final() && run.parent.is_none() && is_of(&run.workflow.name)
        });
        ended.map(|run| run.id)
    }

    fn waiting<'a>(&'a self, link: &'a WorkflowLink) -> impl Iterator<Item = RunId> + 'a {
        let handled = self.links.get(link);
        let ended = handled
            .map(|handled| self.ended(&link.upstream).filter(move |run| !handled.contains(run)));
        ended.into_iter().flatten()
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
        let stored = |link: &WorkflowLink| StoredLink {
            link: link.clone(),
            has_waiting: state.waiting(link).next().is_some(),
        };
        Ok(state.links.keys().map(stored).collect())
    }

    async fn link(&self, link: &WorkflowLink) -> Result<bool, StoreError> {
        let mut state = self.lock();
        if !state.links.contains_key(link) {
            let earlier = state.ended(&link.upstream).collect();
            state.links.insert(link.clone(), earlier);
        }
        Ok(true)
    }

    async fn unlink(&self, link: &WorkflowLink) -> Result<(), StoreError> {
        self.lock().links.remove(link);
        Ok(())
    }

    async fn waiting(&self, link: &WorkflowLink, limit: usize) -> Result<Vec<RunId>, StoreError> {
        Ok(self.lock().waiting(link).take(limit).collect())
    }

    async fn handled(&self, link: &WorkflowLink, run: RunId) -> Result<(), StoreError> {
        if let Some(handled) = self.lock().links.get_mut(link) {
            handled.insert(run);
        }
        Ok(())
    }
}
