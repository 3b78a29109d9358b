//! The files of a workflow, one after another: who wrote which, when, and its text.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value as Json;

use super::CatalogError;
use super::resolve::resolve;
use crate::catalog_error::Answer;
use crate::db::sql::{Sql, SqlError};
use crate::db::statement::Statement;
use crate::db::value::{Row, Value, to_micros};
use crate::page::{Cursor, Page, cut, size};
use crate::rfc3339;
use crate::visibility::Sight;

/// A file that a workflow is, or was.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkflowVersion {
    /// Its number, from 1.
    pub version: i64,
    /// Who wrote it; `None` when nobody in particular did.
    pub author: Option<String>,
    /// When.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub created_at: SystemTime,
    /// The file, as the workflow had it in its `definition`. Lists of versions leave it out.
    #[serde(skip)]
    pub definition: Option<Json>,
}

/// Keeps the file that a workflow is now as one of its versions, unless it is kept; code has none.
pub(crate) fn record(
    sql: &mut dyn Sql,
    workflow: i64,
    author: Option<i64>,
) -> Result<(), SqlError> {
    let now = Value::Time(to_micros(SystemTime::now()));
    sql.execute(RECORD, &[author.into(), now, Value::Int(workflow)]).map(|_| ())
}

/// The same for a file that another application wrote, by its owner, when the row was changed.
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

/// The newest version of a workflow that is this file, as it is written in the database.
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

/// A page of the versions of a workflow, newest first, without their files.
pub(crate) fn versions(
    sql: &mut dyn Sql,
    sight: Sight,
    which: &str,
    after: Option<&str>,
    limit: Option<usize>,
) -> Answer<Page<WorkflowVersion>> {
    let workflow = resolve(sql, sight, which)?.id;
    let cursor = Cursor::read(after, ORDER)?;
    let size = size(limit);
    let rows = listed(workflow, cursor.map(|cursor| cursor.id), size).query(sql)?;
    let items = rows.iter().map(|row| read(row, None)).collect::<Result<Vec<_>, _>>()?;
    let cursor = |last: &WorkflowVersion| Cursor { key: String::new(), id: last.version };
    Ok(cut(items, size, |last| cursor(last).write(ORDER)))
}

const ORDER: &str = "version";

/// The versions of a workflow before one, newest first, and one more than wanted.
pub(crate) fn listed(workflow: i64, before: Option<i64>, size: usize) -> Statement {
    let mut statement = Statement::default();
    statement.add("SELECT version, author, created_at FROM workflows_version WHERE workflow_id = ");
    statement.number(workflow);
    if let Some(before) = before {
        statement.add(" AND version < ").number(before);
    }
    statement.add(" ORDER BY version DESC LIMIT ").number(size as i64 + 1);
    statement
}

/// A version of a workflow, with its file.
pub(crate) fn version(
    sql: &mut dyn Sql,
    sight: Sight,
    which: &str,
    version: i64,
) -> Answer<WorkflowVersion> {
    let workflow = resolve(sql, sight, which)?.id;
    let row = sql.first(ONE, &[Value::Int(workflow), Value::Int(version)])?;
    let no_version = || CatalogError::NoVersion { workflow: which.to_owned(), version };
    let row = row.ok_or_else(no_version)?;
    let definition = row.maybe_json(3)?;
    Ok(read(&row, definition)?)
}

pub(crate) const ONE: &str = "SELECT version, author, created_at, definition \
    FROM workflows_version WHERE workflow_id = $1 AND version = $2";

fn read(row: &Row, definition: Option<Json>) -> Result<WorkflowVersion, SqlError> {
    Ok(WorkflowVersion {
        version: row.int(0)?,
        author: row.maybe_text(1)?,
        created_at: row.time(2)?,
        definition,
    })
}
