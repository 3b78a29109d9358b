//! Workers, as their heartbeats report them, and the runs and jobs that wait for them.

use std::collections::BTreeMap;
use std::time::Duration;

use workflow_core::store::{Backlog, OwnerId, StoredWorker, WorkerId, WorkerReport};

use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::value::{Row, Value, from_micros, signed};

/// The time for which dead workers are listed, in microseconds.
const REMEMBERED: i64 = 3600 * 1_000_000;

/// Records a heartbeat, and deletes workers that died long ago.
pub(crate) fn report(
    sql: &mut dyn Sql,
    id: WorkerId,
    text: &str,
    lifetime: Duration,
) -> Result<(), SqlError> {
    let [owner, number] = key(id);
    let lifetime = signed(u64::try_from(lifetime.as_micros()).unwrap_or(u64::MAX)).min(REMEMBERED);
    sql.execute(
        "INSERT INTO workflows_worker (owner_id, number, report, alive_until, since, last_heartbeat) \
         VALUES ($1, $2, $3, workflows_now() + $4, workflows_now(), workflows_now()) \
         ON CONFLICT (owner_id, number) DO UPDATE SET report = excluded.report, \
         last_heartbeat = excluded.last_heartbeat, alive_until = excluded.alive_until",
        &[owner, number, Value::Text(text), Value::Int(lifetime)],
    )?;
    let dead = "DELETE FROM workflows_worker WHERE alive_until < workflows_now() - $1";
    sql.execute(dead, &[Value::Int(REMEMBERED)]).map(|_| ())
}

/// Deletes a worker.
pub(crate) fn forget(sql: &mut dyn Sql, id: WorkerId) -> Result<(), SqlError> {
    sql.execute("DELETE FROM workflows_worker WHERE owner_id = $1 AND number = $2", &key(id))
        .map(|_| ())
}

fn key(id: WorkerId) -> [Value<'static>; 2] {
    [Value::Uuid(id.owner.to_u128()), Value::Int(id.number.into())]
}

/// The workers, oldest first.
pub(crate) fn all(sql: &mut dyn Sql) -> Result<Vec<StoredWorker>, SqlError> {
    let rows = sql.query(
        "SELECT owner_id, number, report, since, last_heartbeat, alive_until > workflows_now(), \
         workflows_now() - last_heartbeat \
         FROM workflows_worker WHERE alive_until >= workflows_now() - $1 \
         ORDER BY since, owner_id, number",
        &[Value::Int(REMEMBERED)],
    )?;
    rows.iter().map(worker).collect()
}

fn worker(row: &Row) -> Result<StoredWorker, SqlError> {
    let text = row.text(2)?;
    let report: WorkerReport = serde_json::from_str(&text).map_err(|error| {
        let id = OwnerId::from_u128(row.uuid(0).unwrap_or_default());
        let text = format!("the report of worker {id} cannot be read: {error}; delete its row from workflows_worker");
        SqlError::new(SqlKind::Unusable, text)
    })?;
    Ok(StoredWorker {
        report,
        since: from_micros(row.int(3)?),
        last_heartbeat: from_micros(row.int(4)?),
        is_alive: row.bool(5)?,
        silent_for: Duration::from_micros(row.int(6)?.max(0).unsigned_abs()),
    })
}

/// What waits in the task queues, by their names.
pub(crate) fn backlogs(sql: &mut dyn Sql) -> Result<Vec<Backlog>, SqlError> {
    let mut backlogs = BTreeMap::new();
    for row in sql.query(RUNS, &[])? {
        let (queue, oldest) = (row.text(0)?, from_micros(row.int(2)? / 1000));
        let backlog = Backlog { queue: queue.clone(), waiting: row.count(1)?, jobs: 0, oldest };
        backlogs.insert(queue, backlog);
    }
    for row in sql.query(JOBS, &[])? {
        let (queue, oldest) = (row.text(0)?, from_micros(row.int(2)?));
        let new = Backlog { queue: queue.clone(), waiting: 0, jobs: 0, oldest };
        let backlog = backlogs.entry(queue).or_insert(new);
        backlog.jobs = row.count(1)?;
        backlog.oldest = backlog.oldest.min(oldest);
    }
    Ok(backlogs.into_values().collect())
}

/// Reads the rows of all waiting runs. Rows of runs are numbered as they are inserted.
const RUNS: &str = "SELECT q.task_queue, q.waiting, coalesce(r.created_ns, 0) FROM \
    (SELECT task_queue, count(*) AS waiting, min(run) AS oldest FROM workflows_queue \
    GROUP BY task_queue) q JOIN workflows_workflowrun r ON r.id = q.oldest ORDER BY q.task_queue";

const JOBS: &str = "SELECT task_queue, count(*), min(opened_at) FROM workflows_task \
    WHERE owner_id IS NULL AND outcome IS NULL GROUP BY task_queue";
