//! The state of schedules in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::store::{ScheduleChange, ScheduleId, ScheduleState, ScheduleStore, StoreError};

#[async_trait]
impl ScheduleStore for MemoryStore {
    async fn schedule_state(&self, of: &ScheduleId) -> Result<ScheduleState, StoreError> {
        let state = self.lock();
        let Some((recorded, found)) = state.schedules.get(&of.workflow) else {
            return Ok(ScheduleState::default());
        };
        let mut found = found.clone();
        if recorded != of {
            found.handled = None;
        }
        Ok(found)
    }

    async fn change_schedule(
        &self,
        of: &ScheduleId,
        change: ScheduleChange,
    ) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let new = || (of.clone(), ScheduleState::default());
        let (recorded, found) = state.schedules.entry(of.workflow.clone()).or_insert_with(new);
        if recorded != of {
            found.handled = None;
            recorded.clone_from(of);
        }
        found.apply(change);
        Ok(true)
    }
}
