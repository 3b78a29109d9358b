//! Scheduled workflows.

use super::workflow::{COLUMNS, StoredWorkflow, read};
use crate::catalog_error::Answer;
use crate::db::sql::Sql;
use crate::db::statement::Statement;
use crate::visibility::Visibility;

/// At most `limit` active workflows with a schedule in their metadata, after the id `after`.
pub(crate) fn scheduled(
    sql: &mut dyn Sql,
    visibility: Visibility,
    after: i64,
    limit: usize,
) -> Answer<Vec<StoredWorkflow>> {
    let rows = statement(visibility, after, limit).query(sql)?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

pub(crate) fn statement(visibility: Visibility, after: i64, limit: usize) -> Statement {
    let mut statement = Statement::default();
    statement
        .add(&format!("SELECT {COLUMNS} FROM workflows_workflow w WHERE w.id IN ("))
        .add("SELECT l.workflow_id FROM workflows_label l ")
        .add("WHERE l.kind = 'metadata' AND l.path IN ('schedule', 'schedule.cron')) ")
        .add("AND coalesce(w.is_active, TRUE) AND w.id > ")
        .number(after);
    visibility.workflow(&mut statement);
    statement.add(" ORDER BY w.id LIMIT ").number(i64::try_from(limit).unwrap_or(i64::MAX));
    statement
}
