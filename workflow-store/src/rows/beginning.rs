//! The row of a new run.

use workflow_core::event::Event;
use workflow_core::store::{NewRun, StoreError};

use super::event::{self, EncodedEvent};
use super::step::Outcome;
use crate::db::value::{Value, signed, to_micros, to_nanos};

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
    flow_control: Option<String>,
    /// Its first events.
    pub(crate) events: Vec<EncodedEvent>,
}

impl Beginning {
    pub(crate) fn new(run: NewRun, events: &[Event]) -> Result<Self, StoreError> {
        let events = EncodedEvent::all(events)?;
        let input = run.input.as_ref().map(event::write).transpose()?;
        let runs_dir = run.runs_dir.as_ref().map(|folder| folder.display().to_string());
        let control = Some(&run.flow_control).filter(|control| !control.is_empty());
        let flow_control = control.map(event::write).transpose()?;
        Ok(Self { run, input, runs_dir, flow_control, events })
    }

    /// The same with more first events.
    pub(crate) fn with(&self, events: &[Event]) -> Result<Self, StoreError> {
        let more = EncodedEvent::all(events)?;
        let same = Self::new(self.run.clone(), &[])?;
        Ok(Self { events: self.events.iter().cloned().chain(more).collect(), ..same })
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
    /// The key of a limit that it waits for.
    pub(crate) waits_for: Option<String>,
    /// Its fairness key, and the distance in rank between two runs of the key.
    pub(crate) flow: Option<(String, i64)>,
}

impl QueuePlace {
    /// The statement that adds the place.
    pub(crate) fn statement(&self) -> (&'static str, Vec<Value<'_>>) {
        let mut values = vec![
            Value::Int(self.row),
            Value::Text(&self.task_queue),
            Value::Int(self.priority.into()),
        ];
        let waits_for = self.waits_for.as_deref().into();
        match &self.flow {
            None => values.extend([Value::Int(self.rank), waits_for]),
            Some((flow, cost)) => {
                let rank = Value::Int(self.rank);
                values.extend([Value::Int(*cost), Value::Text(flow), rank, waits_for]);
            }
        }
        (if self.flow.is_some() { QUEUE_FAIRLY } else { QUEUE }, values)
    }
}

const QUEUE: &str = "INSERT INTO workflows_queue (run, task_queue, priority, rank, waits_for) \
    VALUES ($1, $2, $3, $4, $5)";

/// Start-time fair queueing: a run comes after the last run of its key that waits; the first one of
/// a key comes after the run that was claimed last. So the rank of the first run in the queue is
/// where runs without a key are at the moment, and that of the last claimed one where keys are.
pub(crate) const QUEUE_FAIRLY: &str = "INSERT INTO workflows_queue \
    (run, task_queue, priority, rank, flow, waits_for) \
    SELECT CAST($1 AS bigint), CAST($2 AS text), CAST($3 AS integer), (SELECT max(rank) FROM \
    (SELECT max(q.rank) + CAST($4 AS bigint) AS rank FROM workflows_queue q \
    WHERE q.task_queue = $2 AND q.priority = $3 AND q.flow = $5 \
    UNION ALL SELECT coalesce(\
    (SELECT CASE WHEN h.flow IS NULL OR s.rank IS NULL OR s.rank + $4 < h.rank THEN h.rank \
    ELSE s.rank + $4 END FROM workflows_queue h LEFT JOIN workflows_served s \
    ON s.task_queue = h.task_queue AND s.priority = h.priority \
    WHERE h.task_queue = $2 AND h.priority = $3 AND h.waits_for IS NULL \
    ORDER BY h.rank, h.run LIMIT 1), \
    (SELECT s.rank + $4 FROM workflows_served s WHERE s.task_queue = $2 AND s.priority = $3 \
    AND EXISTS (SELECT 1 FROM workflows_queue f \
    WHERE f.task_queue = $2 AND f.priority = $3 AND f.flow IS NOT NULL)), \
    CAST($6 AS bigint))) AS ranks), CAST($5 AS text), CAST($7 AS text)";

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
        to_nanos(self.run.created_at).max(0)
    }

    /// Whether its rows may be written with those of others: nothing refers to them before, and
    /// nothing else is written.
    pub(crate) fn is_plain(&self) -> bool {
        self.run.idempotency_key.is_none()
            && !self.run.flow_control.has_limits()
            && self.events.iter().all(|event| event.blob.is_none() && event.blocked.is_none())
    }

    /// The place of the run in its task queue, if it waits for a worker.
    pub(crate) fn place(
        &self,
        row: i64,
        outcome: &Outcome,
        waits_for: Option<String>,
    ) -> Option<QueuePlace> {
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
            waits_for,
            flow: run
                .flow_control
                .fairness
                .as_ref()
                .map(|fairness| (fairness.key.clone(), fairness.cost())),
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
            self.flow_control.as_deref().into(),
            run.scheduled_for.map(|at| Value::Int(to_nanos(at))).into(),
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
             priority, flow_control, scheduled_for, workflow_id, workflow_user_id",
            $id,
            ") SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
             (SELECT id FROM accounts_user WHERE username = $18), $19, $20, $21, $22, $23, $24, w.id, w.user_id",
            $number,
            " FROM workflows_workflow w WHERE w.id = $25 \
             AND (coalesce(w.is_active, TRUE) OR $26) ON CONFLICT DO NOTHING",
            $end
        )
    };
}

const INSERT: &str = insert!("", "", " RETURNING id");
const INSERT_NUMBERED: &str = insert!(", id", ", $27", "");
