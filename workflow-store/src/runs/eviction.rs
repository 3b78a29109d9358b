//! Evicted runs: they wait without an owner and outside of the task queues, until their time has
//! come or a message arrives.
//!
//! A child run is evicted with its outermost run, the root, and only the root is put back into a
//! queue. The row of a child run shows that it is not stranded.

use std::time::Duration;

use workflow_core::id::RunId;
use workflow_core::store::{Asleep, EvictedRun, Eviction};

use super::{message, queue};
use crate::db::sql::{Dialect, Sql, SqlError};
use crate::db::statement::Statement;
use crate::db::value::{Value, signed};
use crate::exec::operation::{Answer, Cx};
use crate::visibility::Visibility;

/// Evicts runs, and returns the roots of those evictions that took place.
pub(crate) fn evict(cx: &mut Cx<'_>, evictions: &[Eviction]) -> Answer<Vec<RunId>> {
    // No message is added meanwhile: one before is counted here, and one after wakes the run.
    message::lock(cx.sql)?;
    let mut evicted = Vec::new();
    for eviction in evictions {
        if evict_one(cx.sql, eviction)? {
            evicted.push(eviction);
        }
    }
    for run in evicted.iter().flat_map(|eviction| eviction.runs()) {
        cx.write_cache.forget_run(run.lease.run);
    }
    Ok(evicted.iter().map(|eviction| eviction.run.lease.run).collect())
}

/// Evicts a run and its child runs, all or none.
fn evict_one(sql: &mut dyn Sql, eviction: &Eviction) -> Result<bool, SqlError> {
    let mut rows = Vec::with_capacity(eviction.children.len() + 1);
    for run in eviction.runs() {
        let Some(row) = row_of_waiting(sql, run)? else { return Ok(false) };
        rows.push(row);
    }
    let root = rows[0];
    for row in rows {
        sql.execute(
            "UPDATE workflows_workflowrun SET owner_id = NULL WHERE id = $1",
            &[Value::Int(row)],
        )?;
        // A late owner may have a row there.
        sql.execute("DELETE FROM workflows_queue WHERE run = $1", &[Value::Int(row)])?;
        let due = eviction.wakes_in.filter(|_| row == root);
        let due = due.map_or(Value::Null, |left| Value::Int(micros(left)));
        sql.execute(EVICT, &[Value::Int(row), Value::Int(root), due])?;
    }
    Ok(true)
}

/// Microseconds, at most a hundred years.
fn micros(left: Duration) -> i64 {
    const LATEST: u64 = 100 * 365 * 24 * 3600 * 1_000_000;
    signed(u64::try_from(left.as_micros()).unwrap_or(LATEST).min(LATEST))
}

const EVICT: &str = "INSERT INTO workflows_evicted (run, root, due) \
    VALUES ($1, $2, workflows_now() + $3) \
    ON CONFLICT (run) DO UPDATE SET root = excluded.root, due = excluded.due";

/// Locks and returns the row of a run, if the lease is valid and the engine has all messages.
fn row_of_waiting(sql: &mut dyn Sql, run: &EvictedRun) -> Result<Option<i64>, SqlError> {
    let EvictedRun { lease, messages } = run;
    let values =
        [Value::Uuid(lease.run.to_u128()), Value::Uuid(lease.owner.to_u128()), lease.token.into()];
    let Some(row) = sql.first(waiting_of(sql.dialect()), &values)? else { return Ok(None) };
    Ok((row.count(1)? == *messages).then_some(row.int(0)?))
}

macro_rules! waiting {
    ($lock:literal) => {
        concat!(
            "SELECT r.id, (SELECT count(*) FROM workflows_message m WHERE m.run = r.id) \
             FROM workflows_workflowrun r WHERE r.run_id = $1 AND r.owner_id = $2 AND r.token = $3 \
             AND r.status IN ('pending', 'running')",
            $lock
        )
    };
}

#[cfg(feature = "sqlite")]
pub(crate) const WAITING: &str = waiting!("");

/// A row that another transaction has locked stays as it is.
#[cfg(feature = "postgres")]
const WAITING_LOCKED: &str = waiting!(" FOR NO KEY UPDATE OF r SKIP LOCKED");

fn waiting_of(dialect: Dialect) -> &'static str {
    match dialect {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => WAITING,
        #[cfg(feature = "postgres")]
        Dialect::Postgres => WAITING_LOCKED,
    }
}

/// Puts the root of a run into its task queue, if it is evicted. Returns whether it was.
pub(super) fn wake(sql: &mut dyn Sql, row: i64) -> Result<bool, SqlError> {
    requeue_all(sql, WAKE, row)
}

/// Puts the root of the run that started a child run into its task queue, if it is evicted.
pub(super) fn wake_parent(sql: &mut dyn Sql, child: i64) -> Result<bool, SqlError> {
    requeue_all(sql, WAKE_PARENT, child)
}

/// Puts runs into their task queues whose time has come, at most this many. Leaves out those that
/// another transaction changes at the moment.
pub(super) fn wake_due(sql: &mut dyn Sql, most: i64) -> Result<(), SqlError> {
    let delete = wake_due_of(sql.dialect());
    requeue_all(sql, delete, most).map(|_| ())
}

/// Puts the runs into their task queues that a statement deletes. Returns whether there were any.
fn requeue_all(sql: &mut dyn Sql, delete: &str, value: i64) -> Result<bool, SqlError> {
    let woken = sql.query(delete, &[Value::Int(value)])?;
    for row in &woken {
        queue::requeue_woken(sql, row.int(0)?)?;
    }
    Ok(!woken.is_empty())
}

pub(crate) const WAKE: &str = "DELETE FROM workflows_evicted WHERE run = \
    (SELECT root FROM workflows_evicted WHERE run = $1) RETURNING run";

pub(crate) const WAKE_PARENT: &str = "DELETE FROM workflows_evicted WHERE run = \
    (SELECT e.root FROM workflows_workflowrun c \
    JOIN workflows_workflowrun p ON p.run_id = c.parent_run \
    JOIN workflows_evicted e ON e.run = p.id WHERE c.id = $1) RETURNING run";

macro_rules! due {
    ($lock:literal) => {
        concat!(
            "DELETE FROM workflows_evicted WHERE run IN (SELECT run FROM workflows_evicted \
             WHERE due <= workflows_now() ORDER BY due LIMIT $1",
            $lock,
            ") RETURNING run"
        )
    };
}

#[cfg(feature = "sqlite")]
pub(crate) const WAKE_DUE: &str = due!("");

#[cfg(feature = "postgres")]
const WAKE_DUE_UNLOCKED: &str = due!(" FOR UPDATE SKIP LOCKED");

fn wake_due_of(dialect: Dialect) -> &'static str {
    match dialect {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => WAKE_DUE,
        #[cfg(feature = "postgres")]
        Dialect::Postgres => WAKE_DUE_UNLOCKED,
    }
}

/// Removes the row of a run that was claimed.
pub(super) fn forget(sql: &mut dyn Sql, run: RunId) -> Result<(), SqlError> {
    sql.execute(FORGET, &[Value::Uuid(run.to_u128())]).map(|_| ())
}

const FORGET: &str = "DELETE FROM workflows_evicted \
    WHERE run = (SELECT id FROM workflows_workflowrun WHERE run_id = $1)";

/// How an evicted run waits.
pub(super) fn asleep(
    sql: &mut dyn Sql,
    visibility: Visibility,
    run: RunId,
) -> Answer<Option<Asleep>> {
    let Some(row) = asleep_of(visibility, run).first(sql)? else { return Ok(None) };
    let left = row.maybe_int(1)?;
    Ok(Some(Asleep {
        resumes_with: RunId::from_u128(row.uuid(0)?),
        wakes_in: left.map(|left| Duration::from_micros(left.max(0).unsigned_abs())),
    }))
}

pub(crate) fn asleep_of(visibility: Visibility, run: RunId) -> Statement {
    let mut statement = Statement::default();
    statement.add(
        "SELECT w.run_id, t.due - workflows_now() FROM workflows_workflowrun r \
         JOIN workflows_evicted e ON e.run = r.id JOIN workflows_evicted t ON t.run = e.root \
         JOIN workflows_workflowrun w ON w.id = t.run WHERE r.run_id = ",
    );
    statement.uuid(run.to_u128());
    visibility.run(&mut statement);
    statement
}
