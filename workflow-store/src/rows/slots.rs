//! Slots of concurrency limits: the locks of their keys, and what happens when one is free.
//!
//! On PostgreSQL a lock on each key orders claims, ends and requests. A claim holds the lock of
//! claims before, and a batch of ends locks all of its keys before it writes.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::value::{Value, signed};

/// Whether to wait for the lock of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Full,
    /// Others may wait for what the transaction has locked.
    None,
}

/// Locks keys until the transaction ends. Fails with a conflict if one is locked and the
/// transaction must not wait.
pub(crate) fn lock(sql: &mut dyn Sql, keys: &[&str], patience: Patience) -> Result<(), SqlError> {
    let locked = match patience {
        Patience::Full => lock_all(sql, keys).map(|()| true)?,
        Patience::None => try_lock(sql, keys)?,
    };
    if locked {
        return Ok(());
    }
    let text = "another process changes runs with the same key of a limit; try again";
    Err(SqlError::new(SqlKind::Conflict, text))
}

/// Waits for the locks of all keys, in the same order everywhere, which avoids deadlocks. SQLite has
/// one transaction at a time.
pub(crate) fn lock_all(sql: &mut dyn Sql, keys: &[&str]) -> Result<(), SqlError> {
    let numbers = numbers_of(keys);
    if numbers.is_empty() || !sql.dialect().is_postgres() {
        return Ok(());
    }
    sql.query(
        "SELECT 1 FROM unnest(CAST($1 AS bigint[])) AS number, \
         LATERAL pg_advisory_xact_lock(number)",
        &[Value::Ints(&numbers)],
    )
    .map(|_| ())
}

/// Locks all keys if none is locked. Those that were free stay locked if another one is not.
pub(crate) fn try_lock(sql: &mut dyn Sql, keys: &[&str]) -> Result<bool, SqlError> {
    let numbers = numbers_of(keys);
    if numbers.is_empty() || !sql.dialect().is_postgres() {
        return Ok(true);
    }
    let locked = sql.query(
        "SELECT 1 FROM unnest(CAST($1 AS bigint[])) AS number \
         WHERE pg_try_advisory_xact_lock(number)",
        &[Value::Ints(&numbers)],
    )?;
    Ok(locked.len() == numbers.len())
}

/// Hashes of keys, in order.
fn numbers_of(keys: &[&str]) -> Vec<i64> {
    keys.iter().map(|key| number_of(key)).collect::<BTreeSet<i64>>().into_iter().collect()
}

/// A hash of a key; keys with the same hash only wait for each other.
pub(crate) fn number_of(key: &str) -> i64 {
    let digest = Sha256::digest(key.as_bytes());
    digest.iter().take(8).fold(0, |number, byte| number << 8 | i64::from(*byte))
}

/// Removes the rows of runs with limits that have ended, and puts the next runs of their keys back
/// into their queues. The keys must be locked.
pub(crate) fn free(
    sql: &mut dyn Sql,
    ended: &BTreeMap<i64, Option<Box<str>>>,
) -> Result<(), SqlError> {
    for (run, key) in ended {
        sql.execute("DELETE FROM workflows_limited WHERE run = $1", &[Value::Int(*run)])?;
        if let Some(key) = key {
            wake(sql, key, 1)?;
        }
    }
    Ok(())
}

/// Puts the first runs that wait for a key back into their queues, and returns their number.
pub(crate) fn wake(sql: &mut dyn Sql, key: &str, most: u64) -> Result<u64, SqlError> {
    sql.execute(WAKE, &[Value::Text(key), Value::Int(signed(most))])
}

pub(crate) const WAKE: &str = "UPDATE workflows_queue SET waits_for = NULL WHERE run IN \
    (SELECT run FROM workflows_queue WHERE waits_for = $1 \
    ORDER BY priority DESC, rank, run LIMIT $2)";
