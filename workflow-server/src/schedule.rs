//! The state of schedules and triggers: which of them run here, and why others do not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use workflow_core::Engine;
use workflow_core::definition::Metadata;
use workflow_cron::{Times, TimesError};
use workflow_store::{StoredWorkflow, WorkflowSource};

/// Returns the times of the schedule in the metadata; `None` without a schedule.
///
/// # Errors
///
/// Fails if the schedule is invalid: another program may have written it.
pub(crate) fn times_of(metadata: &Metadata) -> Option<Result<Times, TimesError>> {
    Some(Times::new(metadata.schedule()?, metadata.timezone()))
}

/// Whether this program runs schedules, and which of them it cannot run.
pub(crate) struct Schedules {
    /// Require run those of registered workflows by itself.
    engine: Engine,
    pub(crate) is_running: AtomicBool,
    /// By the ID of the workflow: why its schedule does not run.
    blocked: Mutex<HashMap<i64, String>>,
    /// By the ID of the workflow: why one of its triggers does not run.
    blocked_triggers: Mutex<HashMap<i64, String>>,
    /// Whether a workflow has changed since the scheduler has read them.
    is_outdated: AtomicBool,
}

impl Schedules {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            is_running: AtomicBool::new(false),
            blocked: Mutex::default(),
            blocked_triggers: Mutex::default(),
            is_outdated: AtomicBool::new(false),
        }
    }

    /// Has the scheduler read the workflows at its next check.
    pub(crate) fn workflow_changed(&self) {
        self.is_outdated.store(true, Ordering::Relaxed);
    }

    /// Whether a workflow has changed since this was asked last.
    pub(crate) fn take_outdated(&self) -> bool {
        self.is_outdated.swap(false, Ordering::Relaxed)
    }

    /// Why a trigger of a workflow does not run here; `None` if all run, or there is none.
    pub(crate) fn blocked_trigger(&self, workflow: i64) -> Option<String> {
        let reasons = self.blocked_triggers.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.get(&workflow).cloned()
    }

    /// Records why triggers do not run, by the ID of the workflow. Logs each new reason.
    pub(crate) fn set_blocked_triggers(&self, reasons: HashMap<i64, String>) {
        let mut known = self.blocked_triggers.lock().unwrap_or_else(PoisonError::into_inner);
        for (workflow, reason) in &reasons {
            if known.get(workflow) != Some(reason) {
                tracing::warn!(workflow, reason, "a trigger of the workflow does not run here");
            }
        }
        *known = reasons;
    }

    /// Why the schedule of a workflow does not run here; `None` if it runs or does not exist.
    pub(crate) fn blocked(&self, workflow: &StoredWorkflow) -> Option<String> {
        if let Err(error) = times_of(&workflow.metadata)? {
            return Some(error.to_string());
        }
        if !workflow.is_active {
            return Some("the workflow is inactive; set `is_active` to true".to_owned());
        }
        if !self.is_running.load(Ordering::Relaxed) {
            let is_run =
                workflow.source == WorkflowSource::Registered && self.engine.runs_schedules();
            return (!is_run).then(|| SCHEDULER_NOT_RUNNING.to_owned());
        }
        self.reasons().get(&workflow.id).cloned()
    }

    /// Records why a schedule does not run, or that it runs. Logs each new reason.
    pub(crate) fn set_blocked(&self, workflow: &StoredWorkflow, reason: Option<String>) {
        let mut reasons = self.reasons();
        let Some(reason) = reason else {
            reasons.remove(&workflow.id);
            return;
        };
        if reasons.get(&workflow.id) != Some(&reason) {
            let name = &workflow.name;
            tracing::warn!(workflow = %name, id = workflow.id, %reason, "schedule does not run");
            reasons.insert(workflow.id, reason);
        }
    }

    fn reasons(&self) -> MutexGuard<'_, HashMap<i64, String>> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SCHEDULER_NOT_RUNNING: &str = "this program does not run schedules; spawn the `Scheduler` of \
    `Server::router_and_scheduler` (or `Engine::run_schedules` for registered workflows), or run \
    `workflow serve` on the same store";
