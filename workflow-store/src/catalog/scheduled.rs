//! Workflows that something starts: a schedule, the end of a run, or a file.

use super::workflow::{COLUMNS, StoredWorkflow, read};
use crate::catalog_error::Answer;
use crate::db::sql::Sql;
use crate::db::statement::Statement;
use crate::visibility::Visibility;

/// A key of the metadata by which a workflow is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StartedBy {
    Schedule,
    Event,
}

/// At most `limit` active workflows with this key in their metadata, after the id `after`.
pub(crate) fn started_by(
    sql: &mut dyn Sql,
    visibility: Visibility,
    by: StartedBy,
    after: i64,
    limit: usize,
) -> Answer<Vec<StoredWorkflow>> {
    let rows = statement(visibility, by, after, limit).query(sql)?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

pub(crate) fn statement(
    visibility: Visibility,
    by: StartedBy,
    after: i64,
    limit: usize,
) -> Statement {
    let paths = match by {
        StartedBy::Schedule => "('schedule', 'schedule.cron')",
        StartedBy::Event => {
            "('triggers.after.workflow', 'triggers.asset.name', 'triggers.file.path')"
        }
    };
    let mut statement = Statement::default();
    statement
        .add(&format!("SELECT {COLUMNS} FROM workflows_workflow w WHERE w.id IN ("))
        .add("SELECT l.workflow_id FROM workflows_label l ")
        .add("WHERE l.kind = 'metadata' AND l.path IN ")
        .add(paths)
        .add(") ")
        .add("AND coalesce(w.is_active, TRUE) AND w.id > ")
        .number(after);
    visibility.workflow(&mut statement);
    statement.add(" ORDER BY w.id LIMIT ").number(i64::try_from(limit).unwrap_or(i64::MAX));
    statement
}
