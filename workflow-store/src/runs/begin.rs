//! Begins runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use workflow_core::Status;
use workflow_core::store::{BeginOutcome, Lease, Owner, SharedBy, StoreError, StoredRun, Trigger};

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
    let owner = number_of_user(cx, new, known.is_none())?;
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
    let open = keys.as_ref().filter(|_| !outcome.status.is_final());
    let open = open.filter(|_| admission == Admission::Active);
    let refused = match settle(cx, new, open, ids)? {
        Settled::Begins => None,
        Settled::Refused(refused) => Some(refused),
        Settled::Shares(run, by) => return Ok(BeginOutcome::Existing(run, by)),
    };
    let (new, outcome) = match &refused {
        None => (new, outcome),
        Some(refused) => (refused, check(id, 0, Status::Pending, &refused.events)?),
    };
    let row = if waits {
        cx.write_cache.run_number(cx.sql)?
    } else {
        let scope = scope.as_deref();
        let opening = Opening { ids, outcome: &outcome, row: None, scope, admission };
        let Some(row) = insert(cx.sql, new, &opening, keys.as_ref())? else {
            let repeated = key::repeated(cx, new, scope, owner)?;
            return repeated.map_or_else(|| rejected(cx, new, ids), Ok);
        };
        row
    };
    let lease = new.run.owner.map(|owner| Lease { run: id, owner: owner.id, token: 1 });
    let renewed = new.run.owner.map(|owner| renew_owner(cx, owner)).transpose()?;
    // From here on, the database is not read.
    if visibility.sees_all() && known.is_none() {
        cx.write_cache.know_definition(&new.run, ids);
    }
    let debounce = keys.and_then(|keys| keys.debounce);
    cx.totals.queued.extend(new.place(row, &outcome, debounce));
    remember(cx, new, ids, row, &outcome, renewed.flatten())?;
    if waits {
        let new = new.clone();
        cx.totals.deferred.push(DeferredWrite::Begin { new, ids, row, outcome, admission });
    }
    Ok(if refused.is_some() { BeginOutcome::Cancelled } else { BeginOutcome::New(lease) })
}

/// The number of the user who requested the run, unless nothing needs it.
fn number_of_user(
    cx: &mut Cx<'_>,
    new: &Beginning,
    is_new_definition: bool,
) -> Answer<Option<i64>> {
    let is_asked = is_new_definition || new.run.idempotency_key.is_some();
    let user = new.run.user.as_deref();
    let user = user.filter(|user| is_asked || !cx.write_cache.knows_user(user));
    Ok(user.map(|user| accounts::named(cx.sql, user)).transpose()?)
}

/// What the limits of a run make of a request.
enum Settled {
    Begins,
    /// It is recorded as cancelled, with these events.
    Refused(Arc<Beginning>),
    /// It shares this run.
    Shares(Box<StoredRun>, SharedBy),
}

/// Settles a conflict with the runs of the same keys, if there are keys.
fn settle(
    cx: &mut Cx<'_>,
    new: &Beginning,
    keys: Option<&LimitKeys>,
    ids: DefinitionIds,
) -> Answer<Settled> {
    let Some(keys) = keys else { return Ok(Settled::Begins) };
    let is_retry = !new.events.is_empty();
    match limits::settle_conflict(cx, &new.run, keys, ids.definition, is_retry)? {
        Conflict::None => Ok(Settled::Begins),
        Conflict::Refused(holders) => {
            let first: Vec<_> = new.events.iter().map(|event| event.event.clone()).collect();
            let mut users = Vec::with_capacity(holders.len());
            for run in holders {
                let holder = read::run(cx.sql, Visibility::All, run)?;
                users.push((run, holder.and_then(|holder| holder.user)));
            }
            let refused = new.with(&new.run.refused_events(&first, users))?;
            Ok(Settled::Refused(Arc::new(refused)))
        }
        Conflict::Shares(run, by) => {
            let run = read::run(cx.sql, Visibility::All, run)?.ok_or(StoreError::NoRun { run })?;
            Ok(Settled::Shares(Box::new(run), by))
        }
    }
}

fn limit_keys(ids: DefinitionIds, new: &Beginning) -> LimitKeys {
    let keys = LimitKeys::new(ids.workflow, &new.run);
    // The engine of the outer run begins child runs.
    let debounce = keys.debounce.filter(|_| new.run.parent.is_none());
    LimitKeys { debounce, ..keys }
}

/// Writes the row of a run with its first events and, unless it has ended, its limits; returns its
/// number. `None` if the run or its key exists, or the workflow is inactive.
fn insert(
    sql: &mut dyn Sql,
    new: &Beginning,
    opening: &Opening<'_>,
    keys: Option<&LimitKeys>,
) -> Answer<Option<i64>> {
    let (text, values) = new.statement(opening);
    let Some(row) = sql.first(text, &values)? else { return Ok(None) };
    let row = row.int(0)?;
    encode::insert(sql, row, &new.events)?;
    for blocked in new.events.iter().filter_map(|event| event.blocked.as_ref()) {
        block(sql, row, blocked.as_deref())?;
    }
    if let Some(keys) = keys.filter(|_| !opening.outcome.status.is_final()) {
        limits::insert(sql, row, &new.run, keys)?;
    }
    Ok(Some(row))
}

/// The reason why no row was added, if it is not the key.
fn rejected(cx: &mut Cx<'_>, new: &Beginning, ids: DefinitionIds) -> Answer<BeginOutcome> {
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

/// Counts the run, and caches that its owner was alive at this time, the user, and the state of the run after its first events, of which an imported run has
/// many.
fn remember(
    cx: &mut Cx<'_>,
    new: &Beginning,
    ids: DefinitionIds,
    row: i64,
    outcome: &Outcome,
    alive_at: Option<Instant>,
) -> Result<(), StoreError> {
    cx.totals.begin(ids.workflow, to_micros(new.run.created_at));
    if let (Some(owner), Some(at)) = (new.run.owner, alive_at) {
        cx.write_cache.know_alive(owner, at);
    }
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
        is_child: new.run.parent.is_some(),
        has_tasks: false,
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
