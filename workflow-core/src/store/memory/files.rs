//! The files that were handled, in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::store::{FileStore, HandledFile, ScheduledWorkflow, StoreError};

#[async_trait]
impl FileStore for MemoryStore {
    async fn handled_files(
        &self,
        workflow: &ScheduledWorkflow,
    ) -> Result<Vec<HandledFile>, StoreError> {
        let state = self.lock();
        let files = state.files.get(workflow).into_iter().flatten();
        let file = |(name, version): (&String, &String)| HandledFile {
            name: name.clone(),
            version: version.clone(),
        };
        Ok(files.map(file).collect())
    }

    async fn add_handled_file(
        &self,
        workflow: &ScheduledWorkflow,
        file: &HandledFile,
    ) -> Result<(), StoreError> {
        let mut state = self.lock();
        let files = state.files.entry(workflow.clone()).or_default();
        files.insert(file.name.clone(), file.version.clone());
        Ok(())
    }

    async fn forget_files(
        &self,
        workflow: &ScheduledWorkflow,
        names: &[String],
    ) -> Result<(), StoreError> {
        if let Some(files) = self.lock().files.get_mut(workflow) {
            files.retain(|name, _| !names.contains(name));
        }
        Ok(())
    }
}
