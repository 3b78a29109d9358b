//! Lookup of workflows by name and owner.

use workflow_core::id::normalize_name;

use super::WorkflowSource;
use crate::db::sql::{Sql, SqlError};
use crate::db::statement::Statement;
use crate::db::value::clean;

/// The workflow of this name and owner. Code has no owner; names of data are unique for an owner.
///
/// A run joins this workflow, and its owner cannot use the name for another one.
pub(crate) fn owned(
    sql: &mut dyn Sql,
    source: WorkflowSource,
    owner: Option<i64>,
    name: &str,
) -> Result<Option<i64>, SqlError> {
    let name = clean(name);
    let name = normalize_name(&name);
    let mut statement = Statement::default();
    statement.add("SELECT w.id FROM workflows_workflow w WHERE w.name = ").text(&name);
    match source {
        WorkflowSource::Registered => statement.add(" AND w.source = 'registered'"),
        WorkflowSource::Stored => own_by_name(&mut statement, owner),
    };
    let row = statement.add(" ORDER BY w.id LIMIT 1").first(sql)?;
    row.map(|row| row.int(0)).transpose()
}

/// Adds the condition that the workflow `w` is data of this owner.
pub(crate) fn own_by_name(statement: &mut Statement, owner: Option<i64>) -> &mut Statement {
    statement.add(" AND w.source <> 'registered'");
    match owner {
        Some(owner) => statement.add(" AND w.user_id = ").number(owner),
        None => statement.add(" AND w.user_id IS NULL"),
    }
}
