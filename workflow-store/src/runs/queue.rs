//! Task queues: the runs that wait for a worker.
//!
//! A run has a row in `workflows_queue` while it waits. It gets one when it begins without an owner,
//! when it is released or wakes, and when its owner is found to be dead. A claim removes the row. A row is a
//! hint: the claim itself checks that no live owner drives the run. Claims do not see runs that wait
//! for their limits: see [`limits`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Instant;

use workflow_core::id::RunId;
use workflow_core::store::{ClaimRequest, ClaimedRun, Lease, Owner, OwnerId, QueueTier, StoredRun};

use super::admission::{Admissions, Verdict};
use super::limits::{self, Unadmitted, limited_columns};
use super::{lease, read, task, tier};
use crate::db::sql::{Sql, SqlError};
use crate::db::statement::Statement;
use crate::db::value::Value;
use crate::exec::operation::{Answer, Cx};
use crate::liveness::{Liveness, OwnerStates};

/// Whether a claim may find runs: some wait, or some of dead owners are to be put back.
pub(crate) fn may_claim(
    sql: &mut dyn Sql,
    protected: &[OwnerId],
    request: &ClaimRequest,
) -> Answer<bool> {
    if !dead(sql, protected)?.is_empty() {
        return Ok(true);
    }
    for tier in request.queues.tiers() {
        if !first_of(sql, &tier, &request.except, 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(limits::is_due(sql)?)
}

/// The outcome of a claim.
pub(crate) struct ClaimedRuns {
    pub(crate) runs: Vec<ClaimedRun>,
    /// Whether the claim stopped early and another one may find runs at once.
    pub(crate) is_partial: bool,
}

/// Claims waiting runs in the order of their queues.
pub(crate) fn claim_next(
    cx: &mut Cx<'_>,
    liveness: &Mutex<Liveness>,
    owner: Owner,
    request: &ClaimRequest,
) -> Answer<ClaimedRuns> {
    let protected = begin_claim(cx, liveness, owner)?;
    let mut claim = Claim {
        owner,
        protected: &protected,
        admissions: Admissions::start(cx.sql)?,
        runs: Vec::new(),
        served: BTreeMap::new(),
        parked: 0,
    };
    for tier in request.queues.tiers() {
        claim.take(cx.sql, &tier, request)?;
    }
    let Claim { admissions, runs, served, parked, .. } = claim;
    admissions.finish(cx.sql)?;
    for ((task_queue, priority), rank) in &served {
        let values = [Value::Text(task_queue), Value::Int(*priority), Value::Int(*rank)];
        cx.sql.execute(SERVE, &values)?;
    }
    for run in &runs {
        cx.write_cache.forget_run(run.lease.run);
    }
    Ok(ClaimedRuns { runs, is_partial: parked >= MOST_PARKED })
}

/// Begins a claim of runs or tasks: puts those of dead owners back into their queues, and returns
/// the owners that keep theirs.
pub(super) fn begin_claim(
    cx: &mut Cx<'_>,
    liveness: &Mutex<Liveness>,
    owner: Owner,
) -> Answer<Vec<OwnerId>> {
    // First: after a jump of the clock, its own runs would seem to be those of a dead owner.
    let now = Instant::now();
    lease::lock_and_keep_alive(cx.sql, owner)?;
    cx.write_cache.know_alive(owner, now);
    let OwnerStates { stopped, mut protected, .. } = lease::judge(cx.sql, liveness)?;
    lease::expire(cx.sql, &stopped)?;
    protected.push(owner.id);
    requeue_of_dead(cx.sql, &protected)?;
    Ok(protected)
}

/// Rows to read beyond those that are wanted, if some of these could not be claimed.
const SPARE: usize = 16;

/// The number of runs that must wait for their limits after which a claim ends, so that it does not
/// hinder others for long. Each such run is met once.
const MOST_PARKED: usize = 500;

const SERVE: &str = "INSERT INTO workflows_served (task_queue, priority, rank) VALUES ($1, $2, $3) \
    ON CONFLICT (task_queue, priority) DO UPDATE SET rank = excluded.rank";

/// A claim in progress.
struct Claim<'a> {
    owner: Owner,
    protected: &'a [OwnerId],
    admissions: Admissions,
    runs: Vec<ClaimedRun>,
    /// The rank of the last claimed run with a fairness key, by task queue and priority.
    served: BTreeMap<(String, i64), i64>,
    /// The number of runs that wait for their limits from now on.
    parked: usize,
}

impl Claim<'_> {
    /// Claims runs that wait in the queues of a tier.
    fn take(
        &mut self,
        sql: &mut dyn Sql,
        tier: &QueueTier<'_>,
        request: &ClaimRequest,
    ) -> Answer<()> {
        let mut spare = 0;
        while self.runs.len() < request.limit && self.parked < MOST_PARKED {
            let wanted = request.limit - self.runs.len() + spare + self.parked;
            let first = first_of(sql, tier, &request.except, wanted)?;
            let has_more = first.len() >= wanted;
            self.admissions.lock(sql, first.iter().filter_map(|place| place.limits.as_ref()))?;
            self.take_from(sql, first, request.limit)?;
            let parked = self.admissions.write_parked(sql)?;
            if parked == 0 && (!has_more || spare > 0) {
                break;
            }
            self.parked += parked;
            spare = SPARE;
        }
        Ok(())
    }

    /// Claims the first of these runs. Reads no more of them than may be claimed.
    fn take_from(&mut self, sql: &mut dyn Sql, places: Vec<Waiting>, limit: usize) -> Answer<()> {
        let mut places = places.into_iter().peekable();
        while self.runs.len() < limit && places.peek().is_some() {
            let next = places.by_ref().take(limit - self.runs.len()).collect();
            for (place, run) in read_all(sql, next)? {
                self.take_one(sql, &place, run)?;
            }
        }
        Ok(())
    }

    /// Claims a run that waits, if its limits allow that, and removes it from its queue. Not if a
    /// live owner drives it, and if its row is locked at the moment.
    fn take_one(&mut self, sql: &mut dyn Sql, place: &Waiting, stored: StoredRun) -> Answer<()> {
        let run = stored.id;
        if stored.owner.is_some_and(|driver| self.protected.contains(&driver)) {
            return Ok(());
        }
        if let Some(limits) = &place.limits
            && self.admissions.judge(sql, limits, &stored.flow_control)? != Verdict::Admit
        {
            return Ok(());
        }
        let Some(token) = lease::claim_one(sql, self.owner, run)? else {
            let run = [Value::Uuid(run.to_u128())];
            sql.execute(FORGET_DEATH, &run)?;
            sql.execute(LEAVE_IF_DRIVEN, &run)?;
            return Ok(());
        };
        if let Some(limits) = &place.limits {
            self.admissions.admit(sql, limits, &stored.flow_control)?;
        }
        if place.is_fair {
            let queue = (stored.task_queue.clone(), stored.priority.into());
            self.served.insert(queue, place.rank);
        }
        let lease = Lease { run, owner: self.owner.id, token };
        self.runs.push(ClaimedRun { lease, run: stored });
        Ok(())
    }
}

/// A run that waits in its queue.
struct Waiting {
    run: RunId,
    rank: i64,
    /// Whether it has a fairness key.
    is_fair: bool,
    /// Its limits, unless they have let it begin.
    limits: Option<Unadmitted>,
}

/// Reads runs, in this order.
fn read_all(
    sql: &mut dyn Sql,
    places: Vec<Waiting>,
) -> Result<Vec<(Waiting, StoredRun)>, SqlError> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<String> = (1..=places.len()).map(|number| format!("${number}")).collect();
    let values: Vec<Value<'_>> =
        places.iter().map(|place| Value::Uuid(place.run.to_u128())).collect();
    let found = read::runs(sql, &format!("WHERE r.run_id IN ({})", numbers.join(", ")), &values)?;
    let mut found: HashMap<RunId, StoredRun> = found.into_iter().map(|run| (run.id, run)).collect();
    Ok(places
        .into_iter()
        .filter_map(|place| found.remove(&place.run).map(|run| (place, run)))
        .collect())
}

/// Removes a run from its queue.
#[cfg(feature = "sqlite")]
pub(super) fn leave(sql: &mut dyn Sql, run: RunId) -> Result<(), SqlError> {
    sql.execute(LEAVE, &[Value::Uuid(run.to_u128())]).map(|_| ())
}

#[cfg(feature = "sqlite")]
const LEAVE: &str = "DELETE FROM workflows_queue \
    WHERE run = (SELECT id FROM workflows_workflowrun WHERE run_id = $1)";

/// The owner of a run is alive after all: it has renewed its lease, or the clock was set back. When it
/// dies, its runs are put back again.
const FORGET_DEATH: &str = "UPDATE workflows_owner SET requeued = NULL \
    WHERE alive_until > workflows_now() \
    AND owner_id = (SELECT owner_id FROM workflows_workflowrun WHERE run_id = $1)";

/// Removes a run that has ended, or whose owner continues after it was late to renew its lease.
const LEAVE_IF_DRIVEN: &str = "DELETE FROM workflows_queue WHERE run = \
    (SELECT r.id FROM workflows_workflowrun r WHERE r.run_id = $1 \
    AND (r.status NOT IN ('pending', 'running') OR EXISTS (SELECT 1 FROM workflows_owner o \
    WHERE o.owner_id = r.owner_id AND o.alive_until > workflows_now())))";

/// Puts a released run into its queue.
pub(super) fn requeue(sql: &mut dyn Sql, run: RunId) -> Result<(), SqlError> {
    sql.execute(REQUEUE_RELEASED, &[Value::Uuid(run.to_u128())]).map(|_| ())
}

/// Puts a run into its queue that was evicted.
pub(super) fn requeue_woken(sql: &mut dyn Sql, row: i64) -> Result<(), SqlError> {
    sql.execute(REQUEUE_WOKEN, &[Value::Int(row)]).map(|_| ())
}

/// Puts the runs and tasks of dead owners into their queues, once for each death.
fn requeue_of_dead(sql: &mut dyn Sql, protected: &[OwnerId]) -> Result<(), SqlError> {
    for (owner, heartbeats) in dead(sql, protected)? {
        sql.execute(REQUEUE_OWNED, &[Value::Uuid(owner)])?;
        task::requeue_of(sql, owner)?;
        let values = [Value::Int(heartbeats), Value::Uuid(owner)];
        sql.execute("UPDATE workflows_owner SET requeued = $1 WHERE owner_id = $2", &values)?;
    }
    Ok(())
}

/// Dead owners whose runs are not back in their queues, with their last heartbeats.
pub(super) fn dead(sql: &mut dyn Sql, protected: &[OwnerId]) -> Result<Vec<(u128, i64)>, SqlError> {
    let rows = sql.query(DEAD, &[])?;
    let owners: Result<Vec<_>, _> =
        rows.iter().map(|row| Ok((row.uuid(0)?, row.int(1)?))).collect();
    let is_dead = |(owner, _): &(u128, i64)| !protected.contains(&OwnerId::from_u128(*owner));
    Ok(owners?.into_iter().filter(is_dead).collect())
}

const DEAD: &str = "SELECT owner_id, heartbeats FROM workflows_owner \
    WHERE alive_until <= (SELECT workflows_now()) AND (requeued IS NULL OR requeued <> heartbeats)";

// Runs that had an owner: those of other programs, which no worker may take, never have one. They
// have begun, so they come before the other runs of their priority, whatever fairness says of these.
macro_rules! requeue {
    ($which:literal) => {
        concat!(
            "INSERT INTO workflows_queue (run, task_queue, priority, rank) \
             SELECT r.id, r.task_queue, r.priority, (SELECT min(ranks.rank) FROM \
             (SELECT r.created_ns AS rank UNION ALL SELECT min(q.rank) FROM workflows_queue q \
             WHERE q.task_queue = r.task_queue AND q.priority = r.priority \
             AND q.waits_for IS NULL) AS ranks) FROM workflows_workflowrun r WHERE r.",
            $which,
            " AND r.status IN ('pending', 'running') AND r.parent_run IS NULL \
             AND NOT EXISTS (SELECT 1 FROM workflows_blocked b WHERE b.run = r.id) \
             ON CONFLICT (run) DO NOTHING"
        )
    };
}

const REQUEUE_RELEASED: &str = requeue!("run_id = $1 AND r.owner_id IS NULL");
pub(crate) const REQUEUE_WOKEN: &str = requeue!("id = $1 AND r.owner_id IS NULL");
pub(crate) const REQUEUE_OWNED: &str = requeue!("owner_id = $1");

/// The first runs that wait in the queues of a tier.
fn first_of(
    sql: &mut dyn Sql,
    tier: &QueueTier<'_>,
    except: &[String],
    limit: usize,
) -> Result<Vec<Waiting>, SqlError> {
    let mut found = Vec::new();
    for statement in first(tier, except, limit) {
        for row in statement.query(sql)? {
            let (priority, rank, number) = (row.int(1)?, row.int(2)?, row.int(3)?);
            let place = Waiting {
                run: RunId::from_u128(row.uuid(0)?),
                rank,
                is_fair: row.maybe_text(4)?.is_some(),
                limits: Unadmitted::read(&row, 5)?,
            };
            found.push(((Reverse(priority), rank, number), place));
        }
    }
    found.sort_unstable_by_key(|(order, _)| *order);
    Ok(found.into_iter().take(limit).map(|(_, place)| place).collect())
}

/// The first runs that wait in the queues of a tier.
pub(super) fn first(tier: &QueueTier<'_>, except: &[String], limit: usize) -> Vec<Statement> {
    tier::first(tier, |statement, queues| add_first(statement, queues, except, limit))
}

fn add_first(statement: &mut Statement, queues: &QueueTier<'_>, except: &[String], limit: usize) {
    statement.add(concat!(
        "SELECT r.run_id, q.priority, q.rank, q.run, q.flow, ",
        limited_columns!(),
        " FROM workflows_queue q JOIN workflows_workflowrun r ON r.id = q.run \
         LEFT JOIN workflows_limited l ON l.run = q.run WHERE q.waits_for IS NULL AND "
    ));
    tier::add_queues(statement, "q.task_queue", queues);
    if !except.is_empty() {
        statement
            .add(" AND r.workflow_id NOT IN (SELECT id FROM workflows_workflow WHERE name IN (");
        tier::list(statement, except).add(")");
    }
    statement.add(" ORDER BY q.priority DESC, q.rank, q.run LIMIT ").add(&tier::limit(limit));
}
