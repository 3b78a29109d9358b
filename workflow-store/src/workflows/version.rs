//! Versions of workflow files, recorded when the file changes.

use std::time::SystemTime;

use crate::db::sql::{Sql, SqlError};
use crate::db::value::{Value, to_micros};

/// Records the current file of a workflow as a version, unless it is recorded already; code has
/// none.
pub(crate) fn record(
    sql: &mut dyn Sql,
    workflow: i64,
    author: Option<i64>,
) -> Result<(), SqlError> {
    let now = Value::Time(to_micros(SystemTime::now()));
    sql.execute(RECORD, &[author.into(), now, Value::Int(workflow)]).map(|_| ())
}

/// Records a file that another application wrote, with its owner as the author and the time of the
/// change.
pub(crate) fn record_unseen(sql: &mut dyn Sql, workflow: i64) -> Result<(), SqlError> {
    sql.execute(RECORD_UNSEEN, &[Value::Int(workflow)]).map(|_| ())
}

const RECORD: &str = "INSERT INTO workflows_version \
    (workflow_id, version, author, created_at, definition) \
    SELECT w.id, coalesce(w.version, 1), (SELECT username FROM accounts_user u WHERE u.id = $1), \
    $2, w.definition FROM workflows_workflow w WHERE w.id = $3 AND w.definition IS NOT NULL \
    ON CONFLICT DO NOTHING";

const RECORD_UNSEEN: &str = "INSERT INTO workflows_version \
    (workflow_id, version, author, created_at, definition) \
    SELECT w.id, coalesce(w.version, 1), \
    (SELECT username FROM accounts_user u WHERE u.id = w.user_id), \
    w.updated_at, w.definition FROM workflows_workflow w \
    WHERE w.id = $1 AND w.definition IS NOT NULL ON CONFLICT DO NOTHING";

/// The newest version of a workflow with this file, as in the database.
pub(crate) fn of_file(
    sql: &mut dyn Sql,
    workflow: i64,
    definition: &str,
) -> Result<Option<i64>, SqlError> {
    let values = [Value::Int(workflow), Value::Text(definition)];
    let row = sql.first(OF_FILE, &values)?;
    Ok(row.map(|row| row.maybe_int(0)).transpose()?.flatten())
}

pub(crate) const OF_FILE: &str = "SELECT max(version) FROM workflows_version \
    WHERE workflow_id = $1 AND CAST(definition AS TEXT) = $2";
