//! A store that lives as long as the process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{Store, StoreError};
use crate::event::Event;
use crate::id::RunId;

/// Keeps events in memory: for tests, and for hosts that list past runs but need not keep them.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<HashMap<RunId, Kept>>);

#[derive(Debug, Default)]
struct Kept {
    workflow: String,
    events: Vec<Event>,
}

impl MemoryStore {
    /// A store without runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// The runs that are kept and their workflows, oldest first.
    pub fn runs(&self) -> Vec<(RunId, String)> {
        let kept = self.lock();
        let mut runs: Vec<_> = kept.iter().map(|(id, run)| (*id, run.workflow.clone())).collect();
        runs.sort();
        runs
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn append(&self, run: RunId, workflow: &str, events: &[Event]) -> Result<(), StoreError> {
        let mut runs = self.lock();
        let kept = runs
            .entry(run)
            .or_insert_with(|| Kept { workflow: workflow.to_owned(), events: Vec::new() });
        for (wanted, event) in (kept.events.len() as u64..).zip(events) {
            if event.sequence != wanted {
                return Err(StoreError::Gap { run, wanted, found: event.sequence });
            }
        }
        kept.events.extend_from_slice(events);
        Ok(())
    }

    async fn events(&self, run: RunId, from: u64) -> Result<Vec<Event>, StoreError> {
        let runs = self.lock();
        let events = runs.get(&run).map(|kept| kept.events.as_slice()).unwrap_or_default();
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(events.len());
        Ok(events[from..].to_vec())
    }
}
