//! The row of a new run.

use std::time::UNIX_EPOCH;

use workflow_core::event::Event;
use workflow_core::store::{NewRun, StoreError};

use super::event::{self, EncodedEvent};
use super::step::Outcome;
use crate::db::value::{Value, signed, to_micros};

/// The numbers of a workflow and of one of its definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DefinitionIds {
    pub(crate) workflow: i64,
    pub(crate) definition: i64,
}

/// A new run with its rows prepared.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) run: NewRun,
    input: Option<String>,
    runs_dir: Option<String>,
    /// Its first events.
    pub(crate) events: Vec<EncodedEvent>,
}

impl Beginning {
    pub(crate) fn new(run: NewRun, events: &[Event]) -> Result<Self, StoreError> {
        let events = EncodedEvent::all(events)?;
        let input = run.input.as_ref().map(event::write).transpose()?;
        let runs_dir = run.runs_dir.as_ref().map(|folder| folder.display().to_string());
        Ok(Self { run, input, runs_dir, events })
    }
}

/// The place of a waiting run in its task queue.
#[derive(Debug)]
pub(crate) struct QueuePlace {
    pub(crate) row: i64,
    pub(crate) task_queue: String,
    pub(crate) priority: i32,
    /// When the run was requested, in nanoseconds since 1970: the order within a priority.
    pub(crate) rank: i64,
}

/// Whether a run may belong to an inactive workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// No: it is a new request.
    Active,
    /// Yes: it is a record of the past.
    Any,
}

/// Values in the row of a new run that are not part of the request.
pub(crate) struct Opening<'a> {
    pub(crate) ids: DefinitionIds,
    pub(crate) outcome: &'a Outcome,
    /// Its number, if reserved.
    pub(crate) row: Option<i64>,
    /// The scope of its idempotency key.
    pub(crate) scope: Option<&'a str>,
    pub(crate) admission: Admission,
}

impl Beginning {
    /// When the run was requested, in nanoseconds since 1970.
    fn nanos(&self) -> i64 {
        let since = self.run.created_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }

    /// Whether its rows may be written with those of others: nothing refers to them before, and
    /// nothing else is written.
    pub(crate) fn is_plain(&self) -> bool {
        self.run.idempotency_key.is_none()
            && self.events.iter().all(|event| event.blob.is_none() && event.blocked.is_none())
    }

    /// The place of the run in its task queue, if it waits for a worker.
    pub(crate) fn place(&self, row: i64, outcome: &Outcome) -> Option<QueuePlace> {
        let run = &self.run;
        let blocked = self.events.iter().rev().find_map(|event| event.blocked.as_ref());
        let is_blocked = blocked.is_some_and(Option::is_some);
        let waits = run.owner.is_none()
            && run.parent.is_none()
            && !outcome.status.is_final()
            && !is_blocked
            && !run.workflow.is_external();
        waits.then(|| QueuePlace {
            row,
            task_queue: run.task_queue.clone(),
            priority: run.priority,
            rank: self.nanos(),
        })
    }

    /// The statement that adds the row, unless the run or its key exists or its workflow is
    /// inactive.
    pub(crate) fn statement<'a>(&'a self, of: &Opening<'a>) -> (&'static str, Vec<Value<'a>>) {
        let (run, outcome) = (&self.run, of.outcome);
        let mut values = vec![
            Value::Time(to_micros(run.created_at)),
            outcome.completed_at.map(Value::Time).unwrap_or(Value::Null),
            Value::Text(outcome.status.as_str()),
            outcome.error.as_deref().into(),
            Value::Text(outcome.result.as_deref().unwrap_or("{}")),
            Value::Uuid(run.id.to_u128()),
            Value::Int(of.ids.definition),
            Value::Int(self.nanos()),
            outcome.begun_at.map(Value::Time).unwrap_or(Value::Null),
            Value::Text(run.trigger.as_str()),
            self.input.as_deref().into(),
            run.idempotency_key.as_deref().into(),
            run.parent.as_ref().map(|parent| Value::Uuid(parent.run.to_u128())).into(),
            run.parent.as_ref().map(|parent| parent.job.as_str()).into(),
            run.owner.map(|owner| Value::Uuid(owner.id.to_u128())).into(),
            Value::Int(i64::from(run.owner.is_some())),
            Value::Int(signed(self.events.len() as u64)),
            run.user.as_deref().into(),
            of.scope.into(),
            self.runs_dir.as_deref().into(),
            Value::Text(&run.task_queue),
            Value::Int(run.priority.into()),
            Value::Int(of.ids.workflow),
            Value::Bool(of.admission == Admission::Any),
        ];
        values.extend(of.row.map(Value::Int));
        (if of.row.is_some() { INSERT_NUMBERED } else { INSERT }, values)
    }
}

macro_rules! insert {
    ($id:literal, $number:literal, $end:literal) => {
        concat!(
            "INSERT INTO workflows_workflowrun \
             (started_at, completed_at, status, error_message, result_data, run_id, \
             definition_id, created_ns, begun_at, trigger, input, idempotency_key, parent_run, \
             parent_job, owner_id, token, events, user_id, key_scope, runs_dir, task_queue, \
             priority, workflow_id, workflow_user_id",
            $id,
            ") SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
             (SELECT id FROM accounts_user WHERE username = $18), $19, $20, $21, $22, w.id, w.user_id",
            $number,
            " FROM workflows_workflow w WHERE w.id = $23 \
             AND (coalesce(w.is_active, TRUE) OR $24) ON CONFLICT DO NOTHING",
            $end
        )
    };
}

const INSERT: &str = insert!("", "", " RETURNING id");
const INSERT_NUMBERED: &str = insert!(", id", ", $25", "");
