//! Which schedules run here, and why others do not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use workflow_core::{Engine, Metadata};
use workflow_cron::{Times, TimesError};
use workflow_store::{Source, StoredWorkflow};

/// The times of the schedule that metadata name; `None` when they name none.
///
/// # Errors
///
/// Fails when they name one that is not sound, as another program may have written it.
pub(crate) fn times_of(metadata: &Metadata) -> Option<Result<Times, TimesError>> {
    Some(Times::new(metadata.schedule()?, metadata.timezone()))
}

/// What is known of schedules: whether this program begins runs by them, and which it cannot.
pub(crate) struct Schedules {
    /// Require run those of registered workflows by itself.
    engine: Engine,
    pub(crate) is_running: AtomicBool,
    /// Of workflows by number, why their schedules come to nothing.
    blocked: Mutex<HashMap<i64, String>>,
}

impl Schedules {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, is_running: AtomicBool::new(false), blocked: Mutex::default() }
    }

    /// Why the schedule of a workflow comes to nothing here; `None` when it runs, or there is none.
    pub(crate) fn blocked(&self, workflow: &StoredWorkflow) -> Option<String> {
        if let Err(error) = times_of(&workflow.metadata)? {
            return Some(error.to_string());
        }
        if !workflow.is_active {
            return Some("the workflow is not in use; set `is_active` to run it".to_owned());
        }
        if !self.is_running.load(Ordering::Relaxed) {
            let is_run = workflow.source == Source::Registered && self.engine.runs_schedules();
            return (!is_run).then(|| SCHEDULER_NOT_RUNNING.to_owned());
        }
        self.reasons().get(&workflow.id).cloned()
    }

    /// Notes why a schedule comes to nothing, or that it runs; logs what is new.
    pub(crate) fn set_blocked(&self, workflow: &StoredWorkflow, reason: Option<String>) {
        let mut reasons = self.reasons();
        let Some(reason) = reason else {
            reasons.remove(&workflow.id);
            return;
        };
        if reasons.get(&workflow.id) != Some(&reason) {
            tracing::warn!(workflow = %workflow.name, id = workflow.id, %reason, "its schedule does not run");
            reasons.insert(workflow.id, reason);
        }
    }

    fn reasons(&self) -> MutexGuard<'_, HashMap<i64, String>> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SCHEDULER_NOT_RUNNING: &str = "this program does not run schedules: it mounts the router alone; spawn the \
    `Scheduler` of `Server::router_and_scheduler` (or, for registered workflows, \
    `Engine::run_schedules`), or run `workflow serve` on the same store";
