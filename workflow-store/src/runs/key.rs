//! Idempotency keys: of all runs that are asked for under one key, one begins.

use sha2::{Digest, Sha256};
use workflow_core::{Begun, Lease, NewRun, Owner, StoreError};

use super::read;
use crate::memory::DefinitionIds;
use crate::operation::{Answer, Cx};
use crate::sight::Sight;
use crate::sql::{Sql, SqlError, SqlKind};
use crate::value::Value;

/// Keeps every other transaction from beginning a run under the key of this one until the
/// transaction ends, so that what has begun under it is seen. To be called before anything is
/// written: who waits here then keeps nobody else waiting.
///
/// The lock is of the key alone, whoever asks, and for whatever workflow.
pub(super) fn lock(cx: &mut Cx<'_>, run: &NewRun) -> Result<(), SqlError> {
    // SQLite has one transaction at a time.
    let Some(key) = of(run).filter(|_| cx.sql.dialect().is_postgres()) else { return Ok(()) };
    let number = [Value::Int(number_of(key))];
    if !cx.tally.waits {
        return cx.sql.query("SELECT 1 FROM pg_advisory_xact_lock($1)", &number).map(|_| ());
    }
    // A transaction of many may hold what others wait for, and must not wait for them.
    match cx.sql.first("SELECT 1 WHERE pg_try_advisory_xact_lock($1)", &number)? {
        Some(_) => Ok(()),
        None => {
            let text = format!("another run begins under the idempotency key `{key}`; try again");
            Err(SqlError::new(SqlKind::Conflict, text))
        }
    }
}

/// Sees to it that the key has not begun a run of another workflow.
pub(super) fn check(sql: &mut dyn Sql, run: &NewRun, ids: DefinitionIds) -> Answer<()> {
    let Some(key) = of(run) else { return Ok(()) };
    match read::run_of_other_workflow(sql, ids.workflow, run.user.as_deref(), key)? {
        Some(other) => Ok(run.check_repeats(&other)?),
        None => Ok(()),
    }
}

/// What to answer when there is such a run.
pub(super) fn existing(
    cx: &mut Cx<'_>,
    sight: Sight,
    new: &NewRun,
    ids: DefinitionIds,
) -> Answer<Begun> {
    let id = new.id;
    let exists = StoreError::Exists { run: id };
    let same = match &new.idempotency_key {
        Some(key) => read::run_by_key(cx.sql, ids.workflow, key)?,
        None => None,
    };
    let found = match same {
        Some(run) => run,
        None => read::run(cx.sql, Sight::All, id)?.ok_or(exists)?,
    };
    let is_ours = found.id == id && cx.memory.is_doubted(id);
    if is_ours {
        // It did begin, when the answer to the first request was lost.
        let lease = |owner: Owner| Lease { run: id, owner: owner.id, token: 1 };
        return Ok(Begun::New(new.owner.map(lease)));
    }
    let is_seen = read::run(cx.sql, sight, found.id)?.is_some();
    if is_seen && new.idempotency_key.is_some() && found.idempotency_key == new.idempotency_key {
        new.check_repeats(&found)?;
        return Ok(Begun::Existing(Box::new(found)));
    }
    Err(StoreError::Exists { run: id }.into())
}

/// The key that somebody gave. Those of runs inside of others are the engine's.
fn of(run: &NewRun) -> Option<&str> {
    run.idempotency_key.as_deref().filter(|_| run.parent.is_none())
}

/// A number that hardly any other key has; those that have the same only wait for each other.
fn number_of(key: &str) -> i64 {
    let digest = Sha256::digest(key.as_bytes());
    digest.iter().take(8).fold(0, |number, byte| number << 8 | i64::from(*byte))
}
