//! Appends of events to a run, and the change of its row.

use workflow_core::Status;
use workflow_core::event::{Event, EventKind};
use workflow_core::id::RunId;
use workflow_core::store::{Lease, StoreError};

use super::event::EncodedEvent;
use crate::db::value::{Value, clean};

/// Events to append, with their rows prepared.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) lease: Lease,
    pub(crate) events: Vec<EncodedEvent>,
}

impl Appended {
    pub(crate) fn new(lease: &Lease, events: &[Event]) -> Result<Self, StoreError> {
        Ok(Self { lease: *lease, events: EncodedEvent::all(events)? })
    }
}

/// The state of a run after some events.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Status,
    pub(crate) begun_at: Option<i64>,
    pub(crate) completed_at: Option<i64>,
    pub(crate) error: Option<String>,
    pub(crate) result: Option<String>,
}

/// Checks the order of events, and returns the new state of the run.
pub(crate) fn check(
    run: RunId,
    events: u64,
    status: Status,
    new: &[EncodedEvent],
) -> Result<Outcome, StoreError> {
    let mut cancel_reason = None;
    let mut outcome =
        Outcome { status, begun_at: None, completed_at: None, error: None, result: None };
    for (wanted, event) in (events..).zip(new) {
        let EncodedEvent { event: Event { sequence, kind, .. }, at, result, .. } = event;
        if let EventKind::CancelRequested { reason } = kind {
            cancel_reason.clone_from(reason);
        }
        if *sequence != wanted {
            return Err(StoreError::Gap { run, wanted, found: *sequence });
        }
        let Some(next) = kind.run_status() else { continue };
        let changed = outcome.status.check_change(next);
        changed.map_err(|error| StoreError::Transition { run, error })?;
        outcome.status = next;
        if next == Status::Running {
            outcome.begun_at.get_or_insert(*at);
        }
        if next.is_final() {
            outcome.completed_at = Some(*at);
        }
        let reason = match kind {
            EventKind::RunFailed { reason } => Some(reason),
            // A limit that refuses a run does so with both events at once.
            EventKind::RunCancelled => cancel_reason.as_ref(),
            _ => None,
        };
        if let Some(reason) = reason {
            outcome.error = Some(clean(reason).into_owned());
        }
        if result.is_some() {
            outcome.result.clone_from(result);
        }
    }
    Ok(outcome)
}

/// The change of a run's row, if it has not changed meanwhile.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) row: i64,
    pub(crate) owner: u128,
    pub(crate) token: u64,
    pub(crate) before: u64,
    pub(crate) after: u64,
    pub(crate) begun_at: Option<i64>,
    /// Whether it changes more than the number of events.
    pub(crate) changes: bool,
    pub(crate) outcome: Outcome,
}

impl Step {
    /// The statement that changes the row, or none if it has changed meanwhile.
    pub(crate) fn statement(&self) -> (&'static str, Vec<Value<'_>>) {
        let guard =
            [Value::Int(self.row), Value::Uuid(self.owner), self.token.into(), self.before.into()];
        let mut values = vec![self.after.into()];
        if self.changes {
            values.extend([
                Value::Text(self.outcome.status.as_str()),
                self.begun_at.map(Value::Time).unwrap_or(Value::Null),
                self.outcome.completed_at.map(Value::Time).unwrap_or(Value::Null),
                self.outcome.error.as_deref().into(),
                Value::Text(self.outcome.result.as_deref().unwrap_or("{}")),
            ]);
        }
        values.extend(guard);
        (if self.changes { CHANGE } else { GROW }, values)
    }
}

const GROW: &str = "UPDATE workflows_workflowrun SET events = $1 \
    WHERE id = $2 AND owner_id = $3 AND token = $4 AND events = $5";

const CHANGE: &str = "UPDATE workflows_workflowrun SET events = $1, status = $2, begun_at = $3, \
    completed_at = $4, error_message = $5, result_data = $6 \
    WHERE id = $7 AND owner_id = $8 AND token = $9 AND events = $10";
