//! Leases: which owner runs a run.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use workflow_core::flow_control::FlowControl;
use workflow_core::id::RunId;
use workflow_core::store::{HeldLeases, Lease, Owner, OwnerId, StoredRun};

use super::admission::{Admissions, Verdict};
use super::{eviction, limits, queue, read};
use crate::db::sql::{Dialect, Sql, SqlError};
use crate::db::value::{Value, signed};
use crate::exec::operation::{Answer, Cx};
use crate::liveness::{Heartbeat, Liveness, Observation, OwnerRow, OwnerStates};

/// The longest lifetime: a hundred years.
const LONGEST: u64 = 100 * 365 * 24 * 3600 * 1_000_000;

/// Persists that the owner is alive, by the database's clock.
pub(crate) fn keep_alive(sql: &mut dyn Sql, owner: Owner) -> Result<(), SqlError> {
    sql.execute(KEEP_ALIVE, &owner_values(owner)).map(|_| ())
}

/// [Locks](lock) claims, then persists that the owner is alive, in one round trip.
pub(super) fn lock_and_keep_alive(sql: &mut dyn Sql, owner: Owner) -> Result<(), SqlError> {
    let values = owner_values(owner);
    let lock = lock_of(sql.dialect()).map(|lock| (lock, &[][..]));
    let statements: Vec<_> = lock.into_iter().chain([(KEEP_ALIVE, &values[..])]).collect();
    sql.pipeline(&statements).map(|_| ())
}

const KEEP_ALIVE: &str = "INSERT INTO workflows_owner (owner_id, alive_until, lifetime, heartbeats) \
    VALUES ($1, workflows_now() + $2, $2, 1) \
    ON CONFLICT (owner_id) DO UPDATE SET alive_until = excluded.alive_until, \
    lifetime = excluded.lifetime, heartbeats = workflows_owner.heartbeats + 1";

fn owner_values(owner: Owner) -> [Value<'static>; 2] {
    let lifetime = u64::try_from(owner.lifetime.as_micros()).unwrap_or(LONGEST).min(LONGEST);
    [Value::Uuid(owner.id.to_u128()), Value::Int(signed(lifetime))]
}

/// Reads the owners whose lease has not expired, and judges which are alive.
///
/// Reads the whole table: it has a row for each engine of the last day. A subquery reads the clock
/// once, not for each of them.
pub(crate) fn judge(
    sql: &mut dyn Sql,
    liveness: &Mutex<Liveness>,
) -> Result<OwnerStates, SqlError> {
    let asked = Instant::now();
    let rows = sql.query(
        "SELECT owner_id, heartbeats, alive_until, lifetime, alive_until - (SELECT workflows_now()) \
         FROM workflows_owner WHERE alive_until > (SELECT workflows_now())",
        &[],
    )?;
    let look = Observation { asked, answered: Instant::now() };
    let mut owners = Vec::with_capacity(rows.len());
    for row in rows {
        owners.push(OwnerRow {
            id: OwnerId::from_u128(row.uuid(0)?),
            heartbeat: Heartbeat { count: row.int(1)?, until: row.int(2)? },
            lifetime: Duration::from_micros(row.count(3)?),
            left: Duration::from_micros(row.int(4)?.max(0).unsigned_abs()),
        });
    }
    Ok(liveness.lock().unwrap_or_else(PoisonError::into_inner).judge(&owners, look))
}

/// Ends the leases of owners that have stopped; not of those that have renewed meanwhile.
pub(crate) fn expire(sql: &mut dyn Sql, stopped: &[(OwnerId, Heartbeat)]) -> Result<(), SqlError> {
    for (owner, heartbeat) in stopped {
        let values = [
            Value::Uuid(owner.to_u128()),
            Value::Int(heartbeat.count),
            Value::Int(heartbeat.until),
        ];
        sql.execute(
            "UPDATE workflows_owner SET alive_until = workflows_now() \
             WHERE owner_id = $1 AND heartbeats = $2 AND alive_until = $3",
            &values,
        )?;
    }
    Ok(())
}

/// The unfinished runs without a living owner that match one of these conditions on `r`, except
/// those of `protected` owners.
pub(crate) fn orphans(
    sql: &mut dyn Sql,
    conditions: &[&str],
    protected: &[OwnerId],
    after: Option<RunId>,
    limit: usize,
) -> Answer<Vec<StoredRun>> {
    let mut values = vec![Value::Uuid(after.map_or(0, RunId::to_u128))];
    values.extend(protected.iter().map(|owner| Value::Uuid(owner.to_u128())));
    values.push(Value::Int(signed(limit as u64)));
    let mut found = Vec::new();
    for condition in conditions {
        found.extend(read::runs(sql, &orphans_but(condition, protected.len()), &values)?);
    }
    found.sort_by_key(|run| run.id);
    found.dedup_by_key(|run| run.id);
    found.truncate(limit);
    Ok(found)
}

/// The condition of all runs.
pub(super) const ANY: &[&str] = &["TRUE"];

/// The conditions of runs that wait in no queue, each with an index of its own: blocked ones and
/// child runs.
pub(super) const STRANDED: &[&str] = &["r.id IN (SELECT run FROM workflows_blocked)", CHILDREN];

/// Child runs, without those that were evicted with a run that is evicted or waits in its queue.
const CHILDREN: &str = "r.parent_run IS NOT NULL AND NOT EXISTS \
    (SELECT 1 FROM workflows_evicted e WHERE e.run = r.id \
    AND (EXISTS (SELECT 1 FROM workflows_evicted t WHERE t.run = e.root) \
    OR EXISTS (SELECT 1 FROM workflows_queue q WHERE q.run = e.root)))";

/// Uses the index of unfinished runs, in its order; that of the status would need sorting.
/// Omits runs of this number of owners, and those that other applications have inserted.
pub(crate) fn orphans_but(condition: &str, protected: usize) -> String {
    let mut text = format!(
        "WHERE {condition} AND r.definition_id IS NOT NULL AND r.completed_at IS NULL \
        AND r.run_id > $1 AND coalesce(r.status, 'pending') IN ('pending', 'running') \
        AND NOT EXISTS (SELECT 1 FROM workflows_owner o \
        WHERE o.owner_id = r.owner_id AND o.alive_until > workflows_now())"
    );
    if protected > 0 {
        let numbers: Vec<String> = (0..protected).map(|at| format!("${}", at + 2)).collect();
        let numbers = numbers.join(", ");
        text += &format!(" AND (r.owner_id IS NULL OR r.owner_id NOT IN ({numbers}))");
    }
    text + &format!(" ORDER BY r.run_id LIMIT ${}", protected + 2)
}

/// Whether a claim respects the limits of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limits {
    Enforced,
    /// The runs are claimed to end, block or unblock them.
    Ignored,
}

/// Claims those of the runs that have no living owner, and that may begin by their limits.
pub(crate) fn claim(
    cx: &mut Cx<'_>,
    liveness: &Mutex<Liveness>,
    owner: Owner,
    runs: &[RunId],
    limits: Limits,
) -> Answer<Vec<Lease>> {
    lock(cx.sql)?;
    let OwnerStates { stopped, mut protected, .. } = judge(cx.sql, liveness)?;
    expire(cx.sql, &stopped)?;
    protected.retain(|other| *other != owner.id);
    let unadmitted = match limits {
        Limits::Enforced => limits::unadmitted(cx.sql, runs)?,
        Limits::Ignored => HashMap::new(),
    };
    let mut admissions = match unadmitted.is_empty() {
        true => None,
        false => {
            let mut admissions = Admissions::start(cx.sql)?;
            admissions.lock(cx.sql, unadmitted.values())?;
            Some(admissions)
        }
    };
    let mut leases = Vec::new();
    for run in runs.iter().copied().collect::<BTreeSet<_>>() {
        if !protected.is_empty() && driver(cx.sql, run)?.is_some_and(|it| protected.contains(&it)) {
            continue;
        }
        let limited = unadmitted.get(&run);
        let control = match limited {
            Some(_) => read::flow_control_of(cx.sql, run)?,
            None => FlowControl::default(),
        };
        if let (Some(admissions), Some(limited)) = (&mut admissions, limited)
            && admissions.judge(cx.sql, limited, &control)? != Verdict::Admit
        {
            continue;
        }
        if let Some(token) = claim_one(cx.sql, owner, run)? {
            leases.push(Lease { run, owner: owner.id, token });
            if let (Some(admissions), Some(limited)) = (&mut admissions, limited) {
                admissions.admit(cx.sql, limited, &control)?;
            }
            eviction::forget(cx.sql, run)?;
        }
    }
    if let Some(admissions) = admissions {
        admissions.finish(cx.sql)?;
    }
    // After the runs: those that this owner lost by being slow are abandoned, too.
    let now = Instant::now();
    keep_alive(cx.sql, owner)?;
    cx.write_cache.know_alive(owner, now);
    for lease in &leases {
        cx.write_cache.forget_run(lease.run);
    }
    Ok(leases)
}

/// Claims a run without a living owner, removes it from its queue, and returns the token of the
/// lease.
pub(super) fn claim_one(
    sql: &mut dyn Sql,
    owner: Owner,
    run: RunId,
) -> Result<Option<u64>, SqlError> {
    let values = [Value::Uuid(owner.id.to_u128()), Value::Uuid(run.to_u128())];
    let token = match sql.dialect() {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => {
            let token = sql.first(CLAIM, &values)?;
            if token.is_some() {
                queue::leave(sql, run)?;
            }
            token
        }
        #[cfg(feature = "postgres")]
        Dialect::Postgres => sql.first(CLAIM_UNLOCKED, &values)?,
    };
    token.map(|row| row.count(0)).transpose()
}

/// The current or last owner of a run.
fn driver(sql: &mut dyn Sql, run: RunId) -> Result<Option<OwnerId>, SqlError> {
    let found = sql.first(
        "SELECT owner_id FROM workflows_workflowrun WHERE run_id = $1",
        &[Value::Uuid(run.to_u128())],
    )?;
    let owner = found.map(|row| row.maybe_uuid(0)).transpose()?.flatten();
    Ok(owner.map(OwnerId::from_u128))
}

#[cfg(feature = "sqlite")]
pub(crate) const CLAIM: &str = "UPDATE workflows_workflowrun SET owner_id = $1, token = token + 1 \
    WHERE run_id = $2 AND coalesce(status, 'pending') IN ('pending', 'running') \
    AND NOT EXISTS (SELECT 1 FROM workflows_owner o \
    WHERE o.owner_id = workflows_workflowrun.owner_id AND o.alive_until > workflows_now()) \
    RETURNING token";

/// On PostgreSQL, in one round trip. Rows that are locked at the moment are skipped: the writer may
/// have been stopped in the middle of a transaction and never release the row.
#[cfg(feature = "postgres")]
const CLAIM_UNLOCKED: &str = "WITH claimed AS (UPDATE workflows_workflowrun \
    SET owner_id = $1, token = token + 1 WHERE id = (SELECT id FROM workflows_workflowrun \
    WHERE run_id = $2 FOR UPDATE SKIP LOCKED) \
    AND coalesce(status, 'pending') IN ('pending', 'running') \
    AND NOT EXISTS (SELECT 1 FROM workflows_owner o \
    WHERE o.owner_id = workflows_workflowrun.owner_id AND o.alive_until > workflows_now()) \
    RETURNING id, token), gone AS (DELETE FROM workflows_queue q USING claimed c \
    WHERE q.run = c.id) SELECT token FROM claimed";

/// One claim at a time: the second must see the owners of the first.
pub(super) fn lock(sql: &mut dyn Sql) -> Result<(), SqlError> {
    lock_of(sql.dialect()).map_or(Ok(()), |lock| sql.query(lock, &[]).map(|_| ()))
}

fn lock_of(dialect: Dialect) -> Option<&'static str> {
    match dialect {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => None,
        #[cfg(feature = "postgres")]
        Dialect::Postgres => Some("SELECT pg_advisory_xact_lock(7790216411420971373)"),
    }
}

/// Releases runs.
pub(crate) fn release(cx: &mut Cx<'_>, leases: &[Lease]) -> Answer<()> {
    for lease in leases {
        let released = cx.sql.execute(
            "UPDATE workflows_workflowrun SET owner_id = NULL \
             WHERE run_id = $1 AND owner_id = $2 AND token = $3",
            &values(lease),
        )?;
        // One whose lease is lost may be evicted.
        if released > 0 {
            queue::requeue(cx.sql, lease.run)?;
        }
    }
    for lease in leases {
        cx.write_cache.forget_run(lease.run);
    }
    Ok(())
}

fn values(lease: &Lease) -> [Value<'static>; 3] {
    [Value::Uuid(lease.run.to_u128()), Value::Uuid(lease.owner.to_u128()), lease.token.into()]
}

/// The leases of owners that count as alive.
pub(crate) fn held(sql: &mut dyn Sql, liveness: &Mutex<Liveness>) -> Answer<HeldLeases> {
    let alive = judge(sql, liveness)?.alive;
    let mut held = HeldLeases::default();
    for row in sql.query(HELD, &[])? {
        if let Some(rest) = alive.get(&OwnerId::from_u128(row.uuid(0)?)) {
            held.runs += usize::try_from(row.count(1)?).unwrap_or(usize::MAX);
            held.expires_in = held.expires_in.max(*rest);
        }
    }
    Ok(held)
}

pub(crate) const HELD: &str = "SELECT owner_id, count(*) FROM workflows_workflowrun \
    WHERE owner_id IS NOT NULL AND status IN ('pending', 'running') GROUP BY owner_id";

/// Renews the owner, and returns the leases that it still has.
pub(crate) fn renew(cx: &mut Cx<'_>, owner: Owner, leases: &[Lease]) -> Answer<Vec<Lease>> {
    let now = Instant::now();
    keep_alive(cx.sql, owner)?;
    let rows = cx.sql.query(DRIVEN, &[Value::Uuid(owner.id.to_u128())])?;
    let mut held = HashMap::with_capacity(rows.len());
    for row in rows {
        held.insert(RunId::from_u128(row.uuid(0)?), row.count(1)?);
    }
    let mut lost = Vec::new();
    for lease in leases {
        let is_held = lease.owner == owner.id && held.get(&lease.run) == Some(&lease.token);
        if !is_held && !has(cx.sql, lease)? {
            lost.push(*lease);
        }
    }
    cx.write_cache.know_alive(owner, now);
    for lease in &lost {
        cx.write_cache.forget_run(lease.run);
    }
    Ok(lost)
}

pub(crate) const DRIVEN: &str = "SELECT run_id, token FROM workflows_workflowrun \
    WHERE owner_id = $1 AND status IN ('pending', 'running')";

/// Whether the lease is valid; also for a finished run.
fn has(sql: &mut dyn Sql, lease: &Lease) -> Result<bool, SqlError> {
    let found = sql.first(
        "SELECT 1 FROM workflows_workflowrun WHERE run_id = $1 AND owner_id = $2 AND token = $3",
        &values(lease),
    )?;
    Ok(found.is_some())
}
