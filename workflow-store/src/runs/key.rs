//! Idempotency keys: of all requests with one key, one begins a run.

use workflow_core::store::{
    BeginOutcome, KeyScope, Lease, NewRun, Owner, SharedBy, StoreError, Trigger,
};

use super::definition::find;
use super::read;
use crate::db::sql::{SqlError, SqlKind};
use crate::db::value::Value;
use crate::exec::operation::{Answer, Cx};
use crate::rows::beginning::Beginning;
use crate::rows::slots::number_of;
use crate::visibility::Visibility;

/// Locks the idempotency key of a run until the transaction ends, so that runs with the key are
/// visible. Must be called before writes, so that a transaction that waits here blocks no others.
///
/// The lock is on the key alone, for all users and workflows.
pub(super) fn lock(cx: &mut Cx<'_>, run: &NewRun) -> Result<(), SqlError> {
    // SQLite has one transaction at a time.
    let Some(key) = of(run).filter(|_| cx.sql.dialect().is_postgres()) else { return Ok(()) };
    let number = [Value::Int(number_of(key))];
    if !cx.totals.waits {
        return cx.sql.query("SELECT 1 FROM pg_advisory_xact_lock($1)", &number).map(|_| ());
    }
    // A batched transaction may have locks that others wait for, so it must not wait for them.
    match cx.sql.first("SELECT 1 WHERE pg_try_advisory_xact_lock($1)", &number)? {
        Some(_) => Ok(()),
        None => {
            let text =
                format!("another run is starting with the idempotency key `{key}`; try again");
            Err(SqlError::new(SqlKind::Conflict, text))
        }
    }
}

/// The scope of a run's key, as in its row; `None` for a run without a key.
pub(super) fn scope(run: &NewRun, user: Option<i64>) -> Option<String> {
    run.idempotency_key.as_ref()?;
    Some(match run.key_scope() {
        KeyScope::User(_) => format!("user {}", user.unwrap_or(0)),
        KeyScope::Schedule => "schedule".to_owned(),
        KeyScope::Nested => "nested".to_owned(),
    })
}

/// The existing run with the idempotency key of this one.
pub(super) fn repeated(
    cx: &mut Cx<'_>,
    beginning: &Beginning,
    scope: Option<&str>,
    user: Option<i64>,
) -> Answer<Option<BeginOutcome>> {
    let (new, first) = (&beginning.run, beginning.events.first().map(|first| &first.event));
    let (Some(scope), Some(key)) = (scope, &new.idempotency_key) else { return Ok(None) };
    let Some((found, workflow)) = read::run_by_key(cx.sql, scope, key)? else { return Ok(None) };
    if found.id == new.id && cx.write_cache.is_uncertain(found.id) {
        return Ok(Some(resumed(new)));
    }
    // Only retries name the run that they repeat.
    let theirs = match found.trigger {
        Trigger::Retry => read::events(cx.sql, Visibility::All, found.id, 0, 1)?,
        _ => Vec::new(),
    };
    new.check_repeats(first, &found, theirs.first())?;
    if !matches!(new.key_scope(), KeyScope::User(_)) {
        return Ok(Some(BeginOutcome::Existing(Box::new(found), SharedBy::Key)));
    }
    let wanted = match new.workflow_id {
        Some(id) => Some(id),
        None => find(cx.sql, &new.workflow, user)?,
    };
    if wanted != Some(workflow) {
        let difference = format!("of workflow {workflow} of the same name");
        return Err(StoreError::KeyConflict { key: key.clone(), run: found.id, difference }.into());
    }
    Ok(Some(BeginOutcome::Existing(Box::new(found), SharedBy::Key)))
}

/// The run itself has already begun, if the response to the first request was lost.
pub(super) fn resumed(new: &NewRun) -> BeginOutcome {
    let lease = |owner: Owner| Lease { run: new.id, owner: owner.id, token: 1 };
    BeginOutcome::New(new.owner.map(lease))
}

/// The key of a request. The keys of child runs belong to the engine.
fn of(run: &NewRun) -> Option<&str> {
    run.idempotency_key.as_deref().filter(|_| run.parent.is_none())
}
