//! A run begins.

use std::collections::HashMap;
use std::time::{Instant, UNIX_EPOCH};

use workflow_core::{Begun, Event, Lease, NewRun, Owner, Status, StoreError};

use super::append::{Outcome, check, follow};
use super::definition::definition;
use super::encode::{self, EncodedEvent};
use super::lease::keep_alive;
use super::read;
use crate::memory::{DefinitionIds, RunMemo};
use crate::operation::{Answer, Cx};
use crate::sql::SqlError;
use crate::value::{Value, signed, to_micros};

/// A run that is to begin, with its rows prepared.
pub(crate) struct Beginning {
    run: NewRun,
    input: Option<String>,
    events: Vec<EncodedEvent>,
}

impl Beginning {
    pub(crate) fn new(run: NewRun, events: &[Event]) -> Result<Self, StoreError> {
        let events = EncodedEvent::all(events)?;
        let input = run.input.as_ref().map(|input| input.to_string());
        Ok(Self { run, input, events })
    }
}

/// Begins a run, or finds the one with its idempotency key.
pub(crate) fn begin(cx: &mut Cx<'_>, new: &Beginning) -> Answer<Begun> {
    let id = new.run.id;
    cx.memory.touch(id);
    let outcome = check(id, 0, Status::Pending, &new.events)?;
    let ids = definition(cx, &new.run.workflow)?;
    let Some(row) = insert(cx, new, ids, &outcome)? else {
        return existing(cx, new, ids);
    };
    encode::insert(cx.sql, row, &new.events)?;
    let lease = new.run.owner.map(|owner| Lease { run: id, owner: owner.id, token: 1 });
    let spoken = new.run.owner.map(|owner| speak(cx, owner)).transpose()?;
    // From here on, nothing fails.
    if cx.memory.definition(&new.run.workflow).is_none() {
        cx.memory.know_definition(&new.run.workflow, ids);
    }
    if let (Some(owner), Some(Some(at))) = (new.run.owner, spoken) {
        cx.memory.know_alive(owner, at);
    }
    cx.tally.begin(ids.workflow, to_micros(new.run.created_at));
    remember(cx, new, ids, row, &outcome);
    Ok(Begun::New(lease))
}

/// Says that the owner is alive, unless that is known; returns when it was said.
fn speak(cx: &mut Cx<'_>, owner: Owner) -> Result<Option<Instant>, SqlError> {
    if cx.memory.is_alive(owner) {
        return Ok(None);
    }
    let at = Instant::now();
    keep_alive(cx.sql, owner).map(|()| Some(at))
}

fn remember(cx: &mut Cx<'_>, new: &Beginning, ids: DefinitionIds, row: i64, outcome: &Outcome) {
    let mut memo = RunMemo {
        row,
        workflow: ids.workflow,
        owner: workflow_core::OwnerId::from_u128(0),
        token: 0,
        events: 0,
        status: Status::Pending,
        begun_at: None,
        jobs: HashMap::new(),
    };
    if let Some(owner) = new.run.owner {
        (memo.owner, memo.token) = (owner.id, 1);
    }
    follow(&mut memo, cx.tally, &new.events, outcome);
    if new.run.owner.is_some() {
        cx.memory.know_run(new.run.id, memo);
    }
}

fn insert(
    cx: &mut Cx<'_>,
    new: &Beginning,
    ids: DefinitionIds,
    outcome: &Outcome,
) -> Result<Option<i64>, SqlError> {
    let run = &new.run;
    let since = run.created_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
    let values = [
        Value::Int(ids.workflow),
        Value::Time(to_micros(run.created_at)),
        outcome.completed_at.map(Value::Time).unwrap_or(Value::Null),
        Value::Text(outcome.status.as_str()),
        outcome.error.as_deref().into(),
        Value::Text(outcome.result.as_deref().unwrap_or("{}")),
        Value::Uuid(run.id.to_u128()),
        Value::Int(ids.definition),
        Value::Int(nanos),
        outcome.begun_at.map(Value::Time).unwrap_or(Value::Null),
        Value::Text(run.trigger.as_str()),
        new.input.as_deref().into(),
        run.idempotency_key.as_deref().into(),
        run.parent.as_ref().map(|parent| Value::Uuid(parent.run.to_u128())).into(),
        run.parent.as_ref().map(|parent| parent.job.as_str()).into(),
        run.owner.map(|owner| Value::Uuid(owner.id.to_u128())).into(),
        Value::Int(i64::from(run.owner.is_some())),
        Value::Int(signed(new.events.len() as u64)),
    ];
    let row = cx.sql.first(INSERT, &values)?;
    row.map(|row| row.int(0)).transpose()
}

/// What to answer when there is such a run.
fn existing(cx: &mut Cx<'_>, new: &Beginning, ids: DefinitionIds) -> Answer<Begun> {
    let id = new.run.id;
    let exists = StoreError::Exists { run: id };
    let same = match &new.run.idempotency_key {
        Some(key) => read::run_by_key(cx.sql, ids.workflow, key)?,
        None => None,
    };
    let found = match same {
        Some(run) => run,
        None => read::run(cx.sql, id)?.ok_or(exists)?,
    };
    let is_ours = found.id == id && cx.memory.is_doubted(id);
    if is_ours {
        // It did begin, when the answer to the first request was lost.
        let lease = |owner: Owner| Lease { run: id, owner: owner.id, token: 1 };
        return Ok(Begun::New(new.run.owner.map(lease)));
    }
    if new.run.idempotency_key.is_some() && found.idempotency_key == new.run.idempotency_key {
        return Ok(Begun::Existing(Box::new(found)));
    }
    Err(StoreError::Exists { run: id }.into())
}

const INSERT: &str = "INSERT INTO workflows_workflowrun \
    (workflow_id, started_at, completed_at, status, error_message, result_data, run_id, \
    definition_id, created_ns, begun_at, trigger, input, idempotency_key, parent_run, parent_job, \
    owner_id, token, events) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
    ON CONFLICT DO NOTHING RETURNING id";
