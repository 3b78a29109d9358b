//! The versions of a workflow's file: author, time and text.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value as Json;

use super::CatalogError;
use super::resolve::resolve;
use crate::catalog_error::Answer;
use crate::db::sql::{Sql, SqlError};
use crate::db::statement::Statement;
use crate::db::value::{Row, Value};
use crate::page::{Cursor, Page, cut, size};
use crate::rfc3339;
use crate::visibility::Visibility;

/// A version of a workflow's file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkflowVersion {
    /// The number, from 1.
    pub version: i64,
    /// The author; `None` if anonymous.
    pub author: Option<String>,
    /// When it was written.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub created_at: SystemTime,
    /// The file, as in the `definition` of the workflow. Lists of versions omit it.
    #[serde(skip)]
    pub definition: Option<Json>,
}

/// A page of the versions of a workflow, newest first, without their files.
pub(crate) fn versions(
    sql: &mut dyn Sql,
    visibility: Visibility,
    which: &str,
    after: Option<&str>,
    limit: Option<usize>,
) -> Answer<Page<WorkflowVersion>> {
    let workflow = resolve(sql, visibility, which)?.id;
    let cursor = Cursor::read(after, ORDER)?;
    let size = size(limit);
    let rows = listed(workflow, cursor.map(|cursor| cursor.id), size).query(sql)?;
    let items = rows.iter().map(|row| read(row, None)).collect::<Result<Vec<_>, _>>()?;
    let cursor = |last: &WorkflowVersion| Cursor { key: String::new(), id: last.version };
    Ok(cut(items, size, |last| cursor(last).write(ORDER)))
}

const ORDER: &str = "version";

/// The versions of a workflow before one, newest first, with one more than requested.
pub(crate) fn listed(workflow: i64, before: Option<i64>, size: usize) -> Statement {
    let mut statement = Statement::default();
    statement.add("SELECT version, author, created_at FROM workflows_version WHERE workflow_id = ");
    statement.number(workflow);
    if let Some(before) = before {
        statement.add(" AND version < CAST(").number(before).add(" AS BIGINT)");
    }
    statement.add(" ORDER BY version DESC LIMIT ").number(size as i64 + 1);
    statement
}

/// A version of a workflow, with its file.
pub(crate) fn version(
    sql: &mut dyn Sql,
    visibility: Visibility,
    which: &str,
    version: i64,
) -> Answer<WorkflowVersion> {
    let workflow = resolve(sql, visibility, which)?.id;
    let row = sql.first(ONE, &[Value::Int(workflow), Value::Int(version)])?;
    let no_version = || CatalogError::NoVersion { workflow: which.to_owned(), version };
    let row = row.ok_or_else(no_version)?;
    let definition = row.maybe_json(3)?;
    Ok(read(&row, definition)?)
}

/// The column has 32 bits, and requests name larger numbers.
pub(crate) const ONE: &str = "SELECT version, author, created_at, definition \
    FROM workflows_version WHERE workflow_id = $1 AND version = CAST($2 AS BIGINT)";

fn read(row: &Row, definition: Option<Json>) -> Result<WorkflowVersion, SqlError> {
    Ok(WorkflowVersion {
        version: row.int(0)?,
        author: row.maybe_text(1)?,
        created_at: row.time(2)?,
        definition,
    })
}
