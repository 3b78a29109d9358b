//! Attempts of jobs that wait for the workers of a task queue of their own.
//!
//! A task has a row in `workflows_task` from the request of its attempt to the transaction that
//! records the end of the attempt. Its owner is the engine of the worker that has claimed it; when
//! that engine counts as dead, the task waits again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use workflow_core::event::EventKind;
use workflow_core::id::RunId;
use workflow_core::run_log::OutputStream;
use workflow_core::store::{
    ClaimRequest, ClaimedTask, HeldTask, Lease, NewTask, Owner, OwnerId, QueueTier, StoreError,
    StoredTask, TaskAnswer, TaskEnd, TaskKey, TaskLease,
};

use super::{lease, queue, read, tier};
use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::statement::Statement;
use crate::db::value::{Row, Value, clean, from_micros};
use crate::exec::operation::{Answer, Cx};
use crate::liveness::Liveness;
use crate::rows::event::write;

/// Opens a task, unless it exists.
pub(crate) fn open(cx: &mut Cx<'_>, lease: &Lease, task: &NewTask) -> Answer<()> {
    let row = leased(cx.sql, lease)?;
    let NewTask { key, queue, attempt } = task;
    let attempt = write(attempt)?;
    let [job, tries] = [Value::Text(&key.job), key.attempt.into()];
    let signals = key.signals.into();
    let (queue, run) = (Value::Text(queue), Value::Int(row));
    let values = [job, tries, signals, queue, Value::Text(&attempt), run];
    if cx.sql.execute(OPEN, &values)? == 1 {
        cx.sql.execute(FORGET_OLDER, &[run, job, tries, signals])?;
    }
    cx.write_cache.know_tasks(lease.run);
    Ok(())
}

const OPEN: &str = "INSERT INTO workflows_task \
    (run, job, attempt, signals, task_queue, priority, opened_at, task) \
    SELECT r.id, CAST($1 AS text), CAST($2 AS bigint), CAST($3 AS bigint), CAST($4 AS text), \
    r.priority, workflows_now(), CAST($5 AS text) \
    FROM workflows_workflowrun r WHERE r.id = $6 \
    ON CONFLICT (run, job, attempt, signals) DO NOTHING";

const FORGET_OLDER: &str = "DELETE FROM workflows_task WHERE run = $1 AND job = $2 \
    AND (attempt <> $3 OR signals <> $4)";

/// The number of the row of a run under this lease.
fn leased(sql: &mut dyn Sql, lease: &Lease) -> Answer<i64> {
    let values =
        [Value::Uuid(lease.run.to_u128()), Value::Uuid(lease.owner.to_u128()), lease.token.into()];
    let row = sql.first(
        "SELECT id FROM workflows_workflowrun WHERE run_id = $1 AND owner_id = $2 AND token = $3",
        &values,
    )?;
    let row = row.ok_or(StoreError::LeaseLost { run: lease.run })?;
    Ok(row.int(0)?)
}

/// Requests that an attempt stops. Ends it at once if no live worker has it.
pub(crate) fn stop(cx: &mut Cx<'_>, lease: &Lease, key: &TaskKey) -> Answer<()> {
    let row = leased(cx.sql, lease)?;
    let values = [Value::Int(row), Value::Text(&key.job), key.attempt.into(), key.signals.into()];
    if cx.sql.execute(CANCEL_WAITING, &values)? == 0 {
        cx.sql.execute(REQUEST_STOP, &values)?;
    }
    Ok(())
}

macro_rules! open_task {
    () => {
        " WHERE run = $1 AND job = $2 AND attempt = $3 AND signals = $4 AND outcome IS NULL"
    };
}

const CANCEL_WAITING: &str = concat!(
    "UPDATE workflows_task SET outcome = 'null', owner_id = NULL, has_news = TRUE",
    open_task!(),
    " AND NOT EXISTS (SELECT 1 FROM workflows_owner o \
     WHERE o.owner_id = workflows_task.owner_id AND o.alive_until > workflows_now())"
);

const REQUEST_STOP: &str =
    concat!("UPDATE workflows_task SET is_stopped = TRUE", open_task!(), " AND NOT is_stopped");

/// What workers have sent for the runs of an owner, and whether there is output among it.
pub(crate) fn answers(sql: &mut dyn Sql, owner: OwnerId) -> Answer<(Vec<TaskAnswer>, bool)> {
    let rows = sql.query(NEWS, &[Value::Uuid(owner.to_u128())])?;
    let mut answers = Vec::with_capacity(rows.len());
    let mut has_output = false;
    for row in &rows {
        let mut output = Vec::new();
        for piece in sql.query(OUTPUT, &[Value::Int(row.int(0)?)])? {
            has_output = true;
            output.push((stream(&piece.text(0)?), piece.text(1)?));
        }
        let end = row.maybe_text(5)?.map(|text| end_of(&text)).transpose()?;
        let key = key(row, 1)?;
        answers.push(TaskAnswer { key, output, end });
    }
    Ok((answers, has_output))
}

/// How a task ended: the outcome of its attempt, or null if it was cancelled while it waited.
fn end_of(text: &str) -> Result<TaskEnd, SqlError> {
    Ok(match parse(text, "outcome")? {
        Json::Null => TaskEnd::Cancelled,
        outcome => TaskEnd::Outcome(outcome),
    })
}

/// Reads what workers have sent for the runs of an owner, and removes the output.
pub(crate) fn take_answers(cx: &mut Cx<'_>, owner: OwnerId) -> Answer<Vec<TaskAnswer>> {
    let (answers, _) = answers(cx.sql, owner)?;
    let owner = [Value::Uuid(owner.to_u128())];
    cx.sql.execute(FORGET_OUTPUT, &owner)?;
    cx.sql.execute(FORGET_NEWS, &owner)?;
    Ok(answers)
}

pub(crate) const NEWS: &str = "SELECT t.number, r.run_id, t.job, t.attempt, t.signals, t.outcome \
    FROM workflows_task t JOIN workflows_workflowrun r ON r.id = t.run \
    WHERE t.has_news AND r.owner_id = $1 ORDER BY t.number";

pub(crate) const OUTPUT: &str =
    "SELECT stream, content FROM workflows_task_output WHERE task = $1 ORDER BY number";

macro_rules! with_news {
    () => {
        "(SELECT t.number FROM workflows_task t JOIN workflows_workflowrun r ON r.id = t.run \
         WHERE t.has_news AND r.owner_id = $1)"
    };
}

const FORGET_OUTPUT: &str =
    concat!("DELETE FROM workflows_task_output WHERE task IN ", with_news!());
const FORGET_NEWS: &str = concat!(
    "UPDATE workflows_task SET has_news = FALSE WHERE outcome IS NULL AND number IN ",
    with_news!()
);

/// Whether a claim may find tasks: some wait, or some of dead owners are to be put back.
pub(crate) fn may_claim(
    sql: &mut dyn Sql,
    protected: &[OwnerId],
    request: &ClaimRequest,
) -> Answer<bool> {
    for tier in request.queues.tiers() {
        if !first_of(sql, &tier, &request.except, 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(sql.first(ANY_HELD, &[])?.is_some() && !queue::dead(sql, protected)?.is_empty())
}

const ANY_HELD: &str = "SELECT 1 FROM workflows_task WHERE owner_id IS NOT NULL LIMIT 1";

/// Claims waiting tasks in the order of their queues.
pub(crate) fn claim(
    cx: &mut Cx<'_>,
    liveness: &Mutex<Liveness>,
    owner: Owner,
    request: &ClaimRequest,
) -> Answer<Vec<ClaimedTask>> {
    queue::begin_claim(cx, liveness, owner)?;
    let mut claimed = Vec::new();
    for tier in request.queues.tiers() {
        let wanted = request.limit - claimed.len();
        for number in first_of(cx.sql, &tier, &request.except, wanted)? {
            claimed.extend(claim_one(cx.sql, owner.id, number)?);
        }
        if claimed.len() >= request.limit {
            break;
        }
    }
    Ok(claimed)
}

fn claim_one(sql: &mut dyn Sql, owner: OwnerId, number: i64) -> Answer<Option<ClaimedTask>> {
    let values = [Value::Uuid(owner.to_u128()), Value::Int(number)];
    let Some(row) = sql.first(CLAIM, &values)? else { return Ok(None) };
    let lease = TaskLease { task: number.unsigned_abs(), owner, token: row.count(0)? };
    let attempt = parse(&row.text(1)?, "attempt")?;
    let persisted = match row.maybe_text(2)? {
        Some(text) => parse(&text, "persisted values")?,
        None => BTreeMap::new(),
    };
    let deaths = u32::try_from(row.count(3)?).unwrap_or(u32::MAX);
    let run = [Value::Int(row.int(4)?)];
    let run = read::runs(sql, "WHERE r.id = $1", &run)?.into_iter().next();
    Ok(run.map(|run| ClaimedTask { lease, attempt, persisted, deaths, run }))
}

pub(crate) const CLAIM: &str = "UPDATE workflows_task SET owner_id = $1, token = token + 1 \
    WHERE number = $2 AND owner_id IS NULL AND outcome IS NULL AND NOT is_stopped \
    RETURNING token, task, persisted, deaths, run";

/// Puts the tasks of a dead owner back.
pub(super) fn requeue_of(sql: &mut dyn Sql, owner: u128) -> Result<(), SqlError> {
    sql.execute(
        "UPDATE workflows_task SET owner_id = NULL, deaths = deaths + 1 WHERE owner_id = $1",
        &[Value::Uuid(owner)],
    )
    .map(|_| ())
}

/// The first tasks that wait in the queues of a tier.
fn first_of(
    sql: &mut dyn Sql,
    tier: &QueueTier<'_>,
    except: &[String],
    limit: usize,
) -> Result<Vec<i64>, SqlError> {
    let mut found = Vec::new();
    for statement in first(tier, except, limit) {
        for row in statement.query(sql)? {
            found.push((std::cmp::Reverse(row.int(1)?), row.int(0)?));
        }
    }
    found.sort_unstable();
    Ok(found.into_iter().take(limit).map(|(_, number)| number).collect())
}

/// The first tasks that wait in the queues of a tier.
pub(super) fn first(tier: &QueueTier<'_>, except: &[String], limit: usize) -> Vec<Statement> {
    tier::first(tier, |statement, queues| add_first(statement, queues, except, limit))
}

fn add_first(statement: &mut Statement, queues: &QueueTier<'_>, except: &[String], limit: usize) {
    statement.add(
        "SELECT t.number, t.priority FROM workflows_task t \
         WHERE t.owner_id IS NULL AND t.outcome IS NULL AND NOT t.is_stopped AND ",
    );
    tier::add_queues(statement, "t.task_queue", queues);
    if !except.is_empty() {
        statement.add(
            " AND NOT EXISTS (SELECT 1 FROM workflows_workflowrun r \
             JOIN workflows_workflow w ON w.id = r.workflow_id WHERE r.id = t.run AND w.name IN (",
        );
        tier::list(statement, except).add(")");
    }
    statement.add(" ORDER BY t.priority DESC, t.number LIMIT ").add(&tier::limit(limit));
}

/// The tasks that an owner holds.
pub(crate) fn held(sql: &mut dyn Sql, owner: OwnerId) -> Answer<Vec<HeldTask>> {
    let rows = sql.query(HELD, &[Value::Uuid(owner.to_u128())])?;
    let held = |row: &Row| {
        let lease = TaskLease { task: row.count(0)?, owner, token: row.count(1)? };
        Ok(HeldTask { lease, is_stopped: row.bool(2)? })
    };
    rows.iter().map(held).collect()
}

pub(crate) const HELD: &str =
    "SELECT number, token, is_stopped FROM workflows_task WHERE owner_id = $1";

/// What a worker reports, as it is written.
pub(crate) struct Progress {
    /// The values, as JSON.
    pub(crate) persisted: Option<String>,
    pub(crate) output: Vec<(OutputStream, String)>,
}

fn values(lease: &TaskLease) -> [Value<'static>; 3] {
    [lease.task.into(), Value::Uuid(lease.owner.to_u128()), lease.token.into()]
}

/// Writes the progress of an attempt. Returns whether the task is still this worker's.
pub(crate) fn report(cx: &mut Cx<'_>, lease: &TaskLease, progress: &Progress) -> Answer<bool> {
    let [task, owner, token] = values(lease);
    let Some(row) = cx.sql.first(PERSISTED, &[task, owner, token])? else { return Ok(false) };
    let persisted = match (&progress.persisted, row.maybe_text(0)?) {
        (Some(new), Some(earlier)) => {
            let mut all: BTreeMap<String, Json> = parse(&earlier, "persisted values")?;
            all.extend(parse::<BTreeMap<String, Json>>(new, "persisted values")?);
            Some(write(&all)?)
        }
        (new, earlier) => new.clone().or(earlier),
    };
    let has_output = !progress.output.is_empty();
    let persisted = persisted.as_deref().into();
    let reported =
        cx.sql.execute(REPORT, &[persisted, Value::Bool(has_output), task, owner, token])?;
    add_output(cx.sql, lease, &progress.output)?;
    Ok(reported == 1)
}

const PERSISTED: &str = "SELECT persisted FROM workflows_task \
    WHERE number = $1 AND owner_id = $2 AND token = $3";

const REPORT: &str = "UPDATE workflows_task SET persisted = $1, has_news = has_news OR $2 \
    WHERE number = $3 AND owner_id = $4 AND token = $5";

/// Ends a task with its outcome. Returns whether it was still this worker's.
pub(crate) fn end(
    cx: &mut Cx<'_>,
    lease: &TaskLease,
    output: &[(OutputStream, String)],
    outcome: &str,
) -> Answer<bool> {
    let [task, owner, token] = values(lease);
    if cx.sql.execute(END, &[Value::Text(outcome), task, owner, token])? == 0 {
        return Ok(false);
    }
    add_output(cx.sql, lease, output)?;
    Ok(true)
}

const END: &str = "UPDATE workflows_task SET outcome = $1, owner_id = NULL, has_news = TRUE \
    WHERE number = $2 AND owner_id = $3 AND token = $4";

fn add_output(
    sql: &mut dyn Sql,
    lease: &TaskLease,
    output: &[(OutputStream, String)],
) -> Result<(), SqlError> {
    for (stream, text) in output {
        let name = match stream {
            OutputStream::Stdout => "stdout",
            OutputStream::Stderr => "stderr",
        };
        let text = clean(text);
        let values = [lease.task.into(), Value::Text(name), Value::Text(&text)];
        sql.execute(
            "INSERT INTO workflows_task_output (task, stream, content) VALUES ($1, $2, $3)",
            &values,
        )?;
    }
    Ok(())
}

/// Releases tasks.
pub(crate) fn release(cx: &mut Cx<'_>, leases: &[TaskLease]) -> Answer<()> {
    for lease in leases {
        cx.sql.execute(
            "UPDATE workflows_task SET owner_id = NULL \
             WHERE number = $1 AND owner_id = $2 AND token = $3",
            &values(lease),
        )?;
    }
    Ok(())
}

/// The open tasks of a run, with their owners that are alive.
pub(crate) fn of_run(
    sql: &mut dyn Sql,
    liveness: &Mutex<Liveness>,
    run: RunId,
) -> Answer<Vec<StoredTask>> {
    let alive: HashMap<OwnerId, _> = lease::judge(sql, liveness)?.alive;
    let rows = sql.query(OF_RUN, &[Value::Uuid(run.to_u128())])?;
    let stored = |row: &Row| {
        let owner = row.maybe_uuid(6)?.map(OwnerId::from_u128);
        let task = StoredTask {
            key: key(row, 0)?,
            queue: row.text(4)?,
            opened_at: from_micros(row.int(5)?),
            owner,
            is_owner_alive: owner.is_some_and(|owner| alive.contains_key(&owner)),
        };
        Ok((row.int(7)?, task))
    };
    let mut tasks = rows.iter().map(stored).collect::<Result<Vec<_>, SqlError>>()?;
    tasks.sort_by_key(|(number, _)| *number);
    Ok(tasks.into_iter().map(|(_, task)| task).collect())
}

pub(crate) const OF_RUN: &str = "SELECT r.run_id, t.job, t.attempt, t.signals, t.task_queue, \
    t.opened_at, t.owner_id, t.number FROM workflows_task t JOIN workflows_workflowrun r ON r.id = t.run \
    WHERE r.run_id = $1 AND t.outcome IS NULL";

/// Whether an event ends an attempt, so that its task is over.
pub(super) fn ends_attempt(kind: &EventKind) -> bool {
    kind.ends_job() || matches!(kind, EventKind::AttemptFailed { .. })
}

/// The key of a task, in columns from this one on.
fn key(row: &Row, column: usize) -> Result<TaskKey, SqlError> {
    let number = |column| Ok(u32::try_from(row.count(column)?).unwrap_or(u32::MAX));
    Ok(TaskKey {
        run: RunId::from_u128(row.uuid(column)?),
        job: row.text(column + 1)?,
        attempt: number(column + 2)?,
        signals: number(column + 3)?,
    })
}

fn stream(name: &str) -> OutputStream {
    if name == "stderr" { OutputStream::Stderr } else { OutputStream::Stdout }
}

fn parse<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, SqlError> {
    serde_json::from_str(text).map_err(|error| {
        let text = format!(
            "cannot read the {what} of a task ({error}); a newer version may have written it"
        );
        SqlError::new(SqlKind::Unusable, text)
    })
}
