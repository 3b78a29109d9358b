//! Old runs are deleted.

use std::time::{Duration, SystemTime};

use super::resolve::resolve_own;
use crate::operation::{Answer, Cx};
use crate::sight::Sight;
use crate::sql::{Sql, SqlError};
use crate::statement::Statement;
use crate::value::{Value, signed, to_micros};

/// Which runs are kept. What has not ended is kept always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// Of this workflow, by its id, slug or name. Default: of each.
    pub workflow: Option<String>,
    /// Those that were asked for within this time. Default: all.
    pub keep_for: Option<Duration>,
    /// So many of the newest of a workflow. Default: all.
    pub keep_last: Option<u64>,
}

/// How many runs are deleted in a transaction, so that others need not wait for long.
const BATCH: i64 = 200;

/// The workflows that are looked at.
pub(crate) fn workflows(
    sql: &mut dyn Sql,
    sight: Sight,
    retention: &Retention,
) -> Answer<Vec<i64>> {
    if let Some(which) = &retention.workflow {
        return Ok(vec![resolve_own(sql, sight, which, "delete runs of")?]);
    }
    let mut all = Statement::default();
    all.add("SELECT w.id FROM workflows_workflow w WHERE 1 = 1");
    sight.own(&mut all);
    let rows = all.add(" ORDER BY w.id").query(sql)?;
    rows.iter().map(|row| Ok(row.int(0)?)).collect()
}

/// Deletes some runs of a workflow; how many, and whether there may be more.
pub(crate) fn prune(cx: &mut Cx<'_>, workflow: i64, retention: &Retention) -> Answer<(u64, bool)> {
    let now = SystemTime::now();
    let cutoff = retention.keep_for.map(|span| now.checked_sub(span).map_or(i64::MIN, to_micros));
    let mut deleted = 0;
    if let Some(cutoff) = cutoff.filter(|cutoff| *cutoff > i64::MIN) {
        let values = [Value::Int(workflow), Value::Time(cutoff), Value::Int(BATCH)];
        deleted += cx.sql.execute(OLD, &values)?;
    }
    if let Some(last) = retention.keep_last {
        let after = [Value::Int(workflow), Value::Int(signed(last))];
        if let Some(row) = cx.sql.first(FIRST_BEYOND, &after)? {
            let values = [
                Value::Int(workflow),
                Value::Time(to_micros(row.time(0)?)),
                Value::Int(row.int(1)?),
                Value::Int(BATCH),
            ];
            deleted += cx.sql.execute(BEYOND, &values)?;
        }
    }
    if deleted > 0 {
        cx.memory.clear();
    }
    Ok((deleted, deleted >= BATCH.unsigned_abs()))
}

/// Deletes what nothing refers to any more: large outputs, and owners that died a day ago.
pub(crate) fn sweep(sql: &mut dyn Sql) -> Result<(), SqlError> {
    sql.execute(
        "DELETE FROM workflows_blob WHERE NOT EXISTS \
         (SELECT 1 FROM workflows_event e WHERE e.blob = workflows_blob.digest)",
        &[],
    )?;
    let dead = "DELETE FROM workflows_owner WHERE alive_until < workflows_now() - $1";
    sql.execute(dead, &[Value::Int(24 * 3600 * 1_000_000)]).map(|_| ())
}

pub(crate) const OLD: &str = "DELETE FROM workflows_workflowrun WHERE id IN \
    (SELECT id FROM workflows_workflowrun WHERE workflow_id = $1 AND started_at < $2 \
    AND status NOT IN ('pending', 'running') ORDER BY started_at LIMIT $3)";

pub(crate) const FIRST_BEYOND: &str = "SELECT started_at, id FROM workflows_workflowrun \
    WHERE workflow_id = $1 ORDER BY started_at DESC, id DESC LIMIT 1 OFFSET $2";

pub(crate) const BEYOND: &str = "DELETE FROM workflows_workflowrun WHERE id IN \
    (SELECT id FROM workflows_workflowrun WHERE workflow_id = $1 \
    AND (started_at, id) <= ($2, $3) AND status NOT IN ('pending', 'running') \
    ORDER BY started_at LIMIT $4)";
