//! Begins runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use workflow_core::Status;
use workflow_core::store::{BeginOutcome, Lease, Owner, StoreError, Trigger};

use super::append::{block, follow, follow_reused};
use super::definition::definition;
use super::key;
use super::lease::keep_alive;
use super::limits::{self, Conflict, LimitKeys};
use super::read;
use crate::accounts;
use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::value::{Value, to_micros};
use crate::exec::operation::{Answer, Cx};
use crate::exec::write_cache::RunMemo;
use crate::rows::beginning::{Admission, Beginning, DefinitionIds, Opening};
use crate::rows::deferred::DeferredWrite;
use crate::rows::event as encode;
use crate::rows::step::{Outcome, check};
use crate::visibility::Visibility;

/// Begins a run, or finds the one with its idempotency key.
pub(crate) fn begin(
    cx: &mut Cx<'_>,
    visibility: Visibility,
    new: &Arc<Beginning>,
    admission: Admission,
) -> Answer<BeginOutcome> {
    let id = new.run.id;
    cx.write_cache.touch(id);
    new.run.check_key()?;
    let outcome = check(id, 0, Status::Pending, &new.events)?;
    key::lock(cx, &new.run)?;
    let known = if visibility.sees_all() { cx.write_cache.definition(&new.run) } else { None };
    let user = new.run.user.as_deref();
    let is_asked = known.is_none() || new.run.idempotency_key.is_some();
    let owner = user.filter(|user| is_asked || !cx.write_cache.knows_user(user));
    let owner = owner.map(|user| accounts::named(cx.sql, user)).transpose()?;
    let scope = key::scope(&new.run, owner);
    if let Some(begun) = key::repeated(cx, new, scope.as_deref(), owner)? {
        return Ok(begun);
    }
    let ids = match known {
        Some(ids) => ids,
        None => definition(cx, visibility, &new.run, owner)?,
    };
    let waits = cx.totals.waits && new.is_plain();
    let keys = new.run.flow_control.has_limits().then(|| limit_keys(ids, new));
    let conflict = match (&keys, admission) {
        (Some(keys), Admission::Active) if !outcome.status.is_final() => {
            let is_retry = !new.events.is_empty();
            limits::settle_conflict(cx, &new.run, keys, ids.definition, is_retry)?
        }
        _ => Conflict::None,
    };
    let refused_events = match conflict {
        Conflict::None => Vec::new(),
        Conflict::Refused(holders) => {
            let first: Vec<_> = new.events.iter().map(|event| event.event.clone()).collect();
            new.run.refused_events(&first, &holders)
        }
        Conflict::Shares(run) => {
            let run = read::run(cx.sql, Visibility::All, run)?.ok_or(StoreError::NoRun { run })?;
            return Ok(BeginOutcome::Existing(Box::new(run)));
        }
    };
    let is_refused = !refused_events.is_empty();
    let (new, outcome) = match is_refused {
        false => (new, outcome),
        true => {
            let refused = Arc::new(new.with(&refused_events)?);
            let outcome = check(id, 0, Status::Pending, &refused.events)?;
            (&Arc::clone(&refused), outcome)
        }
    };
    let row = if waits {
        cx.write_cache.run_number(cx.sql)?
    } else {
        let scope = scope.as_deref();
        let opening = Opening { ids, outcome: &outcome, row: None, scope, admission };
        let Some(row) = insert(cx.sql, new, &opening)? else {
            let repeated = key::repeated(cx, new, scope, owner)?;
            return repeated.map_or_else(|| refused(cx, new, ids), Ok);
        };
        if let Some(keys) = keys.as_ref().filter(|_| !outcome.status.is_final()) {
            limits::insert(cx.sql, row, &new.run, keys)?;
        }
        row
    };
    let lease = new.run.owner.map(|owner| Lease { run: id, owner: owner.id, token: 1 });
    let renewed = new.run.owner.map(|owner| renew_owner(cx, owner)).transpose()?;
    // From here on, the database is not read.
    if visibility.sees_all() && known.is_none() {
        cx.write_cache.know_definition(&new.run, ids);
    }
    if let (Some(owner), Some(Some(at))) = (new.run.owner, renewed) {
        cx.write_cache.know_alive(owner, at);
    }
    let debounce = keys.and_then(|keys| keys.debounce);
    cx.totals.queued.extend(new.place(row, &outcome, debounce));
    cx.totals.begin(ids.workflow, to_micros(new.run.created_at));
    remember(cx, new, ids, row, &outcome)?;
    if waits {
        cx.totals.deferred.push(DeferredWrite::Begin {
            new: new.clone(),
            ids,
            row,
            outcome,
            admission,
        });
    }
    Ok(if is_refused { BeginOutcome::Cancelled } else { BeginOutcome::New(lease) })
}

fn limit_keys(ids: DefinitionIds, new: &Beginning) -> LimitKeys {
    let keys = LimitKeys::new(ids.workflow, &new.run);
    // The engine of the outer run begins child runs.
    let debounce = keys.debounce.filter(|_| new.run.parent.is_none());
    LimitKeys { debounce, ..keys }
}

/// Writes the row of a run with its first events, and returns its number. `None` if the run or its
/// key exists, or the workflow is inactive.
fn insert(sql: &mut dyn Sql, new: &Beginning, opening: &Opening<'_>) -> Answer<Option<i64>> {
    let (text, values) = new.statement(opening);
    let Some(row) = sql.first(text, &values)? else { return Ok(None) };
    let row = row.int(0)?;
    encode::insert(sql, row, &new.events)?;
    for blocked in new.events.iter().filter_map(|event| event.blocked.as_ref()) {
        block(sql, row, blocked.as_deref())?;
    }
    Ok(Some(row))
}

/// The reason why no row was added, if it is not the key.
fn refused(cx: &mut Cx<'_>, new: &Beginning, ids: DefinitionIds) -> Answer<BeginOutcome> {
    let run = new.run.id;
    if read::run(cx.sql, Visibility::All, run)?.is_some() {
        return match cx.write_cache.is_uncertain(run) {
            true => Ok(key::resumed(&new.run)),
            false => Err(StoreError::Exists { run }.into()),
        };
    }
    let workflow = cx.sql.first(
        "SELECT name, coalesce(is_active, TRUE) FROM workflows_workflow WHERE id = $1",
        &[Value::Int(ids.workflow)],
    )?;
    match workflow {
        Some(row) if !row.bool(1)? => {
            Err(StoreError::NotActive { workflow: row.text(0)?, id: ids.workflow }.into())
        }
        _ => {
            let text = "a run could not begin because of a concurrent change; try again";
            Err(SqlError::new(SqlKind::Conflict, text).into())
        }
    }
}

/// Persists that the owner is alive, unless that is known; returns the time.
fn renew_owner(cx: &mut Cx<'_>, owner: Owner) -> Result<Option<Instant>, SqlError> {
    if cx.write_cache.is_alive(owner) {
        return Ok(None);
    }
    let at = Instant::now();
    keep_alive(cx.sql, owner).map(|()| Some(at))
}

/// Caches the user, and the state of the run after its first events, of which an imported run has
/// many.
fn remember(
    cx: &mut Cx<'_>,
    new: &Beginning,
    ids: DefinitionIds,
    row: i64,
    outcome: &Outcome,
) -> Result<(), StoreError> {
    if let Some(user) = &new.run.user {
        cx.write_cache.know_user(user);
    }
    let mut memo = RunMemo {
        row,
        workflow: ids.workflow,
        owner: workflow_core::store::OwnerId::from_u128(0),
        token: 0,
        events: 0,
        status: Status::Pending,
        begun_at: None,
        jobs: HashMap::new(),
        limits: None,
        may_wait: false,
        is_recorded_waiting: false,
    };
    if let Some(owner) = new.run.owner {
        (memo.owner, memo.token) = (owner.id, 1);
    }
    match new.run.trigger {
        // An engine begins a run before any of its jobs: these events come from the retried run.
        Trigger::Retry => follow_reused(&mut memo, &new.events, outcome),
        _ => follow(&mut memo, cx.totals, &new.events, outcome),
    }
    memo.record_waiting(cx.totals)?;
    if new.run.owner.is_some() {
        cx.write_cache.know_run(new.run.id, memo);
    }
    Ok(())
}
