//! The last runs of many workflows, for marks in a list of workflows.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use workflow_core::Status;
use workflow_core::id::RunId;

use crate::catalog_error::Answer;
use crate::db::sql::{Dialect, Sql, SqlError};
use crate::db::statement::Statement;
use crate::db::value::{Row, signed};
use crate::visibility::Visibility;
use crate::{rfc3339, runs};

/// A recent run of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecentRun {
    /// The number of the workflow.
    pub workflow_id: i64,
    /// The id.
    pub id: RunId,
    /// The status.
    pub status: Status,
    /// When the run was requested.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub started_at: SystemTime,
    /// The duration from the first event to the last, if the run has ended.
    pub duration: Option<Duration>,
}

/// The most workflows, and the most runs of each.
pub(super) const MOST_WORKFLOWS: usize = 1000;
pub(super) const MOST_RUNS: usize = 100;

/// The last runs of each of these workflows, newest first.
pub(crate) fn recent(
    sql: &mut dyn Sql,
    visibility: Visibility,
    workflows: &[i64],
    each: usize,
) -> Answer<Vec<RecentRun>> {
    let workflows = workflows.get(..MOST_WORKFLOWS).unwrap_or(workflows);
    if workflows.is_empty() || each == 0 {
        return Ok(Vec::new());
    }
    let rows = select(sql.dialect(), visibility, workflows, each.min(MOST_RUNS)).query(sql)?;
    let mut found = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    // Newest first within each workflow, which databases do not guarantee for joins.
    found.sort_by_key(|run| (run.workflow_id, std::cmp::Reverse(run.started_at)));
    Ok(found)
}

pub(crate) fn select(
    dialect: Dialect,
    visibility: Visibility,
    of: &[i64],
    each: usize,
) -> Statement {
    match dialect {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => select_by_id(visibility, of, each),
        #[cfg(feature = "postgres")]
        Dialect::Postgres => select_lateral(visibility, of, each),
    }
}

const COLUMNS: &str = "r.workflow_id, r.run_id, r.status, r.started_at, r.begun_at, r.completed_at";
const NEWEST: &str = " ORDER BY r.started_at DESC, r.id DESC LIMIT ";

/// SQLite has JSON instead of lists, and no lateral joins.
#[cfg(feature = "sqlite")]
fn select_by_id(visibility: Visibility, workflows: &[i64], each: usize) -> Statement {
    let mut statement = Statement::default();
    statement.add(&format!("SELECT {COLUMNS} FROM json_each("));
    statement.text(&serde_json::json!(workflows).to_string());
    statement.add(
        ") AS v CROSS JOIN workflows_workflowrun r WHERE r.id IN \
         (SELECT r.id FROM workflows_workflowrun r WHERE r.workflow_id = v.value",
    );
    visibility.run(&mut statement);
    statement.add(NEWEST).number(signed(each as u64)).add(")");
    statement
}

#[cfg(feature = "postgres")]
fn select_lateral(visibility: Visibility, workflows: &[i64], each: usize) -> Statement {
    let mut statement = Statement::default();
    statement.add(&format!("SELECT {COLUMNS} FROM unnest(CAST(")).ints(workflows);
    statement.add(
        " AS BIGINT[])) AS v(value) CROSS JOIN LATERAL \
         (SELECT r.* FROM workflows_workflowrun r WHERE r.workflow_id = v.value",
    );
    visibility.run(&mut statement);
    statement.add(NEWEST).number(signed(each as u64)).add(") AS r");
    statement
}

fn read(row: &Row) -> Result<RecentRun, SqlError> {
    let started_at = row.time(3)?;
    Ok(RecentRun {
        workflow_id: row.int(0)?,
        id: RunId::from_u128(row.uuid(1)?),
        status: runs::status(row, 2)?,
        started_at,
        duration: duration(started_at, row.maybe_time(4)?, row.maybe_time(5)?),
    })
}

/// The duration of a run.
pub(crate) fn duration(
    started_at: SystemTime,
    begun_at: Option<SystemTime>,
    completed_at: Option<SystemTime>,
) -> Option<Duration> {
    let from = begun_at.unwrap_or(started_at);
    Some(completed_at?.duration_since(from).unwrap_or_default())
}
