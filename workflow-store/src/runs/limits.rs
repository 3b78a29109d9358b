//! Limits of runs: which run may begin, and which one begins when a slot is free or a time has come.
//!
//! An unfinished run with limits has a row in `workflows_limited`. A claim admits it if its limits
//! allow that, and the run keeps its slot until it ends. A run that a claim may not admit stays in
//! `workflows_queue` with the key that it waits for, where claims do not see it. When a slot is
//! free, the first run that waits for its key is put back; when a rate limit allows it, as many as
//! may begin.

use std::collections::HashMap;
use std::time::Duration;

use workflow_core::flow_control::{OnConflict, RateVerdict};
use workflow_core::id::RunId;
use workflow_core::store::{LimitWait, MessageKind, NewRun, SharedBy, StoredRun, Trigger};

use super::{eviction, message, read};
use crate::db::sql::{Sql, SqlError};
use crate::db::value::{Row, Value, signed};
use crate::exec::operation::{Answer, Cx};
use crate::rows::event;
use crate::rows::slots::{Patience, lock, try_lock, wake};
use crate::visibility::Visibility;

/// The keys of a run's limits, as they are stored: with the workflow, because runs of different
/// workflows share no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LimitKeys {
    pub(crate) concurrency: Option<String>,
    pub(crate) rate: Option<String>,
    pub(crate) debounce: Option<String>,
}

impl LimitKeys {
    pub(crate) fn new(workflow: i64, new: &NewRun) -> Self {
        let control = &new.flow_control;
        let key = |kind: &str, key: &str| format!("{kind} {workflow} {key}");
        // Nobody changes the input of another user's run.
        let user = new.user.as_deref().unwrap_or_default();
        let of_user = |key: &str| format!("{}:{user} {key}", user.len());
        Self {
            concurrency: control.concurrency.as_ref().map(|of| key("concurrency", &of.key)),
            rate: control.rate_limit.as_ref().map(|of| key("rate", &of.key)),
            debounce: control.debounce.as_ref().map(|of| key("debounce", &of_user(&of.key))),
        }
    }
}

/// How the limits of a request affect its beginning.
pub(super) enum Conflict {
    /// Not at all.
    None,
    /// This run stands for it.
    Shares(RunId, SharedBy),
    /// It is recorded as cancelled, because of these runs.
    Refused(Vec<RunId>),
}

/// Applies the limits of a request that affect other runs. The run does not exist yet.
pub(super) fn settle_conflict(
    cx: &mut Cx<'_>,
    new: &NewRun,
    keys: &LimitKeys,
    definition: i64,
    is_retry: bool,
) -> Answer<Conflict> {
    let concurrency = new.flow_control.concurrency.as_ref();
    let asks = concurrency.filter(|limit| match limit.on_conflict {
        OnConflict::Queue => false,
        // What is retried is that run, and no other.
        OnConflict::Skip => new.trigger != Trigger::Retry,
        _ => true,
    });
    let debounces = keys.debounce.is_some() && new.parent.is_none() && !is_retry;
    let locked: Vec<&str> = [
        keys.debounce.as_deref().filter(|_| debounces),
        keys.concurrency.as_deref().filter(|_| asks.is_some()),
    ]
    .into_iter()
    .flatten()
    .collect();
    lock(cx.sql, &locked, if cx.totals.waits { Patience::None } else { Patience::Full })?;
    if debounces && let Some(waiting) = replace_debounced(cx, new, keys, definition)? {
        return Ok(Conflict::Shares(waiting, SharedBy::Debounce));
    }
    let (Some(limit), Some(key)) = (asks, &keys.concurrency) else { return Ok(Conflict::None) };
    let most = limit.limit as usize;
    let body = event::write(&MessageKind::Cancel)?;
    let open = match limit.on_conflict {
        OnConflict::CancelRunning => {
            runs_with(cx.sql, NOT_CANCELLED, &[Value::Text(key), Value::Text(&body)])?
        }
        _ => runs_with(cx.sql, OPEN, &[Value::Text(key), Value::Int(limit.limit.into())])?,
    };
    if open.len() < most {
        return Ok(Conflict::None);
    }
    match (limit.on_conflict, open.first()) {
        (OnConflict::Skip, Some(first)) => return Ok(Conflict::Shares(*first, SharedBy::Slot)),
        (OnConflict::CancelNew, _) => return Ok(Conflict::Refused(open)),
        (OnConflict::CancelRunning, _) => {
            for run in &open[..=open.len() - most] {
                message::send(cx, Visibility::All, *run, &body, false)?;
            }
        }
        _ => {}
    }
    Ok(Conflict::None)
}

/// The first unfinished runs of a key, oldest first.
pub(super) const OPEN: &str = "SELECT r.run_id FROM workflows_limited l \
    JOIN workflows_workflowrun r ON r.id = l.run WHERE l.concurrency = $1 ORDER BY l.run LIMIT $2";

/// The unfinished runs of a key whose cancellation was not requested, oldest first.
pub(super) const NOT_CANCELLED: &str = "SELECT r.run_id FROM workflows_limited l \
    JOIN workflows_workflowrun r ON r.id = l.run WHERE l.concurrency = $1 AND NOT EXISTS \
    (SELECT 1 FROM workflows_message m WHERE m.run = l.run AND CAST(m.body AS text) = $2) ORDER BY l.run";

/// The runs that have slots of a key, oldest first.
pub(super) const HOLDERS: &str = "SELECT r.run_id FROM workflows_limited l \
    JOIN workflows_workflowrun r ON r.id = l.run \
    WHERE l.concurrency = $1 AND l.admitted ORDER BY l.run";

fn runs_with(sql: &mut dyn Sql, text: &str, values: &[Value<'_>]) -> Result<Vec<RunId>, SqlError> {
    let rows = sql.query(text, values)?;
    rows.iter().map(|row| Ok(RunId::from_u128(row.uuid(0)?))).collect()
}

/// Replaces the input of the run that waits with this debounce key.
fn replace_debounced(
    cx: &mut Cx<'_>,
    new: &NewRun,
    keys: &LimitKeys,
    definition: i64,
) -> Answer<Option<RunId>> {
    let (Some(key), Some(debounce)) = (&keys.debounce, &new.flow_control.debounce) else {
        return Ok(None);
    };
    let Some(row) = cx.sql.first(DEBOUNCED, &[Value::Text(key)])? else { return Ok(None) };
    let (waiting, run) = (row.int(0)?, RunId::from_u128(row.uuid(1)?));
    let input = new.input.as_ref().map(event::write).transpose()?;
    let control = event::write(&new.flow_control)?;
    let values = [
        input.as_deref().into(),
        Value::Int(definition),
        Value::Text(&control),
        Value::Int(waiting),
    ];
    cx.sql.execute(
        "UPDATE workflows_workflowrun SET input = $1, definition_id = $2, flow_control = $3 \
         WHERE id = $4",
        &values,
    )?;
    let longest = row.int(2)?.saturating_add(micros(debounce.longest_delay()));
    let values = [
        keys.concurrency.as_deref().into(),
        keys.rate.as_deref().into(),
        Value::Int(longest),
        Value::Int(micros(debounce.delay)),
        Value::Int(waiting),
    ];
    cx.sql.execute(
        "UPDATE workflows_limited SET concurrency = $1, rate = $2, \
         due = CASE WHEN $3 < workflows_now() + $4 THEN $3 ELSE workflows_now() + $4 END \
         WHERE run = $5",
        &values,
    )?;
    cx.write_cache.forget_run(run);
    Ok(Some(run))
}

/// The run that waits with a debounce key, which nobody has claimed to cancel it.
pub(super) const DEBOUNCED: &str = "SELECT l.run, r.run_id, l.requested FROM workflows_limited l \
    JOIN workflows_workflowrun r ON r.id = l.run WHERE l.debounce = $1 AND r.owner_id IS NULL \
    AND l.due > workflows_now() ORDER BY l.run LIMIT 1";

/// Adds the row of a new run with limits.
pub(super) fn insert(
    sql: &mut dyn Sql,
    row: i64,
    new: &NewRun,
    keys: &LimitKeys,
) -> Result<(), SqlError> {
    let debounce = new.flow_control.debounce.as_ref().filter(|_| new.parent.is_none());
    let values = [
        Value::Int(row),
        keys.concurrency.as_deref().into(),
        keys.rate.as_deref().into(),
        keys.debounce.as_deref().filter(|_| debounce.is_some()).into(),
        debounce.map(|debounce| Value::Int(micros(debounce.delay))).into(),
    ];
    sql.execute(
        "INSERT INTO workflows_limited \
         (run, admitted, concurrency, rate, debounce, requested, due) \
         VALUES ($1, FALSE, $2, $3, $4, workflows_now(), workflows_now() + $5)",
        &values,
    )
    .map(|_| ())
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

/// The most runs that are put back at once because their time has come, and the most keys.
const MOST_DUE: i64 = 200;

/// Whether a time has come at which runs are put back into their queues.
pub(super) fn is_due(sql: &mut dyn Sql) -> Result<bool, SqlError> {
    Ok(until_due(sql)?.is_some_and(|left| left <= 0))
}

/// Microseconds until the next run may begin or continue that waits for a time.
pub(super) fn until_due(sql: &mut dyn Sql) -> Result<Option<i64>, SqlError> {
    let row = sql.first(NEXT_DUE, &[])?;
    row.map_or(Ok(None), |row| row.maybe_int(0))
}

pub(super) const NEXT_DUE: &str = "SELECT min(at) - workflows_now() FROM \
    (SELECT min(due) AS at FROM workflows_limited WHERE due IS NOT NULL UNION ALL \
    SELECT min(wakes_at) FROM workflows_rate WHERE wakes_at IS NOT NULL UNION ALL \
    SELECT min(due) FROM workflows_evicted WHERE due IS NOT NULL) AS times";

/// Puts runs back into their queues whose time has come. Only while claims are locked.
pub(super) fn wake_due(sql: &mut dyn Sql) -> Result<(), SqlError> {
    if !is_due(sql)? {
        return Ok(());
    }
    for row in sql.query(DUE, &[Value::Int(MOST_DUE)])? {
        let (run, key) = (row.int(0)?, row.text(1)?);
        // A request that replaces the input has the lock; the next claim sees what came of it.
        if !try_lock(sql, &[&key])? {
            continue;
        }
        let changed = sql.execute(
            "UPDATE workflows_limited SET debounce = NULL, due = NULL \
             WHERE run = $1 AND due <= workflows_now()",
            &[Value::Int(run)],
        )?;
        if changed == 1 {
            let values = [Value::Int(run), Value::Text(&key)];
            sql.execute(
                "UPDATE workflows_queue SET waits_for = NULL WHERE run = $1 AND waits_for = $2",
                &values,
            )?;
        }
    }
    let now = now(sql)?;
    for row in sql.query(WAKING, &[Value::Int(MOST_DUE)])? {
        wake_rate(sql, &row.text(0)?, row.int(1)?, now)?;
    }
    eviction::wake_due(sql, MOST_DUE)
}

pub(super) const DUE: &str = "SELECT run, debounce FROM workflows_limited \
    WHERE due <= workflows_now() AND debounce IS NOT NULL ORDER BY due LIMIT $1";

pub(super) const WAKING: &str = "SELECT key, next_at FROM workflows_rate \
    WHERE wakes_at <= workflows_now() ORDER BY wakes_at LIMIT $1";

/// Puts as many runs back as a rate limit lets begin now.
fn wake_rate(sql: &mut dyn Sql, key: &str, next: i64, now: i64) -> Result<(), SqlError> {
    let first = sql.first(FIRST_WAITING, &[Value::Text(key)])?;
    let control = first.map(|row| read::flow_control(&row, 0)).transpose()?;
    let mut wakes_at = Value::Null;
    if let Some(rate) = control.and_then(|control| control.rate_limit) {
        let woken = wake(sql, key, rate.room(next, now))?;
        if sql.first(FIRST_WAITING, &[Value::Text(key)])?.is_some() {
            // Those that are put back have not begun yet.
            let interval = rate.interval();
            let next = next.max(now).saturating_add(interval.saturating_mul(signed(woken)));
            wakes_at = Value::Int(rate.wakes_at(next).max(now + interval) / 1000 + 1);
        }
    }
    let values = [wakes_at, Value::Text(key)];
    sql.execute("UPDATE workflows_rate SET wakes_at = $1 WHERE key = $2", &values).map(|_| ())
}

pub(super) const FIRST_WAITING: &str = "SELECT r.flow_control FROM workflows_queue q \
    JOIN workflows_workflowrun r ON r.id = q.run WHERE q.waits_for = $1 \
    ORDER BY q.priority DESC, q.rank, q.run LIMIT 1";

/// Nanoseconds since 1970, on the clock of the store.
pub(super) fn now(sql: &mut dyn Sql) -> Result<i64, SqlError> {
    let row = sql.first("SELECT workflows_now()", &[])?;
    let micros = row.map_or(Ok(0), |row| row.int(0))?;
    Ok(micros.saturating_mul(1000))
}

/// A run with limits that no claim has admitted yet.
#[derive(Debug)]
pub(super) struct Unadmitted {
    pub(super) row: i64,
    pub(super) concurrency: Option<String>,
    pub(super) rate: Option<String>,
    /// Whether requests may still replace its input.
    pub(super) is_debounced: bool,
}

impl Unadmitted {
    /// Reads five columns from here on: the row of `workflows_limited` (NULL if there is none),
    /// whether it is admitted, and its keys.
    pub(super) fn read(row: &Row, from: usize) -> Result<Option<Self>, SqlError> {
        let Some(run) = row.maybe_int(from)? else { return Ok(None) };
        if row.bool(from + 1)? {
            return Ok(None);
        }
        Ok(Some(Self {
            row: run,
            concurrency: row.maybe_text(from + 2)?,
            rate: row.maybe_text(from + 3)?,
            is_debounced: row.maybe_text(from + 4)?.is_some(),
        }))
    }
}

/// Columns for [`Unadmitted::read`].
macro_rules! limited_columns {
    () => {
        "l.run, l.admitted, l.concurrency, l.rate, l.debounce"
    };
}
pub(super) use limited_columns;

/// The limited runs among these that no claim has admitted yet.
pub(super) fn unadmitted(
    sql: &mut dyn Sql,
    runs: &[RunId],
) -> Result<HashMap<RunId, Unadmitted>, SqlError> {
    let mut found = HashMap::new();
    for runs in runs.chunks(500) {
        let places: Vec<String> = (1..=runs.len()).map(|number| format!("${number}")).collect();
        let values: Vec<Value<'_>> = runs.iter().map(|run| Value::Uuid(run.to_u128())).collect();
        let text = format!(
            "SELECT r.run_id, {} FROM workflows_workflowrun r \
             JOIN workflows_limited l ON l.run = r.id WHERE r.run_id IN ({})",
            limited_columns!(),
            places.join(", ")
        );
        for row in sql.query(&text, &values)? {
            if let Some(limits) = Unadmitted::read(&row, 1)? {
                found.insert(RunId::from_u128(row.uuid(0)?), limits);
            }
        }
    }
    Ok(found)
}

/// When the next run of a rate limit is expected, in nanoseconds.
pub(super) fn next_at(sql: &mut dyn Sql, key: &str) -> Result<Option<i64>, SqlError> {
    let row =
        sql.first("SELECT next_at FROM workflows_rate WHERE key = $1", &[Value::Text(key)])?;
    row.map(|row| row.int(0)).transpose()
}

/// The limit that a run waits for.
pub(super) fn waits_for(
    sql: &mut dyn Sql,
    visibility: Visibility,
    run: RunId,
) -> Answer<Option<LimitWait>> {
    let Some(StoredRun { flow_control: control, .. }) = read::run(sql, visibility, run)? else {
        return Ok(None);
    };
    let Some(limits) = unadmitted(sql, &[run])?.remove(&run) else { return Ok(None) };
    let left =
        |row: Row| Ok::<_, SqlError>(Duration::from_micros(row.int(0)?.max(0).unsigned_abs()));
    let due = sql.first(
        "SELECT due - workflows_now() FROM workflows_limited WHERE run = $1 AND due IS NOT NULL",
        &[Value::Int(limits.row)],
    )?;
    if let (Some(due), Some(of)) = (due, control.debounce) {
        return Ok(Some(LimitWait::Debounce { of, begins_in: left(due)? }));
    }
    if let (Some(key), Some(of)) = (&limits.concurrency, control.concurrency) {
        let holders = runs_with(sql, HOLDERS, &[Value::Text(key)])?;
        if holders.len() >= of.limit as usize {
            return Ok(Some(LimitWait::Concurrency { of, holders, hidden: 0 }));
        }
    }
    let (Some(key), Some(of)) = (&limits.rate, control.rate_limit) else { return Ok(None) };
    let now = now(sql)?;
    Ok(match of.verdict(next_at(sql, key)?, now) {
        RateVerdict::Begin(_) => None,
        RateVerdict::Wait(until) => {
            let next_in = Duration::from_nanos((until - now).max(0).unsigned_abs());
            Some(LimitWait::Rate { of, next_in })
        }
    })
}
