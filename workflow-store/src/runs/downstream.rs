//! Links between workflows, and the ended runs that wait for downstream ones. Triggers of the
//! database leave them in `workflows_ended`, in the transactions in which the runs end.

use workflow_core::id::RunId;
use workflow_core::store::{ScheduledWorkflow, StoredLink, WorkflowLink};

use super::schedule::number_of;
use crate::db::sql::{Sql, SqlError};
use crate::db::value::{Row, Value};
use crate::exec::operation::{Answer, Cx};

/// All links.
pub(crate) fn links(sql: &mut dyn Sql) -> Answer<Vec<StoredLink>> {
    let rows = sql.query(LINKS, &[])?;
    let read = |row: &Row| {
        let link = WorkflowLink { upstream: workflow(row, 0)?, downstream: workflow(row, 3)? };
        Ok(StoredLink { link, has_waiting: row.int(6)? > 0 })
    };
    rows.iter().map(read).collect()
}

fn workflow(row: &Row, column: usize) -> Result<ScheduledWorkflow, SqlError> {
    Ok(match row.text(column + 1)?.as_str() {
        "registered" => ScheduledWorkflow::Registered(row.text(column + 2)?),
        _ => ScheduledWorkflow::Number(row.int(column)?),
    })
}

/// Adds a link, unless it exists; false if the store does not have the workflows.
pub(crate) fn link(cx: &mut Cx<'_>, link: &WorkflowLink) -> Answer<bool> {
    let Some((upstream, downstream)) = numbers(cx.sql, link)? else { return Ok(false) };
    cx.sql.execute(LINK, &[Value::Int(upstream), Value::Int(downstream)])?;
    Ok(true)
}

/// Removes a link, and what waits.
pub(crate) fn unlink(cx: &mut Cx<'_>, link: &WorkflowLink) -> Answer<()> {
    if let Some((upstream, downstream)) = numbers(cx.sql, link)? {
        cx.sql.execute(UNLINK, &[Value::Int(upstream), Value::Int(downstream)])?;
    }
    Ok(())
}

/// The ended runs that wait, oldest first.
pub(crate) fn waiting(sql: &mut dyn Sql, link: &WorkflowLink, limit: usize) -> Answer<Vec<RunId>> {
    let Some((upstream, downstream)) = numbers(sql, link)? else { return Ok(Vec::new()) };
    let limit = Value::Int(i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = sql.query(WAITING, &[Value::Int(upstream), Value::Int(downstream), limit])?;
    rows.iter().map(|row| Ok(RunId::from_u128(row.uuid(0)?))).collect()
}

/// Removes an ended run from those that wait.
pub(crate) fn handled(cx: &mut Cx<'_>, link: &WorkflowLink, run: RunId) -> Answer<()> {
    if let Some((upstream, downstream)) = numbers(cx.sql, link)? {
        let run = Value::Uuid(run.to_u128());
        cx.sql.execute(HANDLED, &[Value::Int(upstream), Value::Int(downstream), run])?;
    }
    Ok(())
}

/// Removes a run that has ended elsewhere, and was imported.
pub(crate) fn forget_imported(sql: &mut dyn Sql, run: RunId) -> Result<(), SqlError> {
    sql.execute(FORGET, &[Value::Uuid(run.to_u128())]).map(drop)
}

/// The numbers of the upstream and of the downstream workflow.
fn numbers(sql: &mut dyn Sql, link: &WorkflowLink) -> Result<Option<(i64, i64)>, SqlError> {
    let upstream = number_of(sql, &link.upstream, "")?;
    let downstream = number_of(sql, &link.downstream, "")?;
    Ok(upstream.zip(downstream))
}

const LINKS: &str = "SELECT u.id, u.source, u.name, d.id, d.source, d.name, \
    (SELECT count(*) FROM (SELECT 1 FROM workflows_ended e WHERE e.link = l.id LIMIT 1) AS one) \
    FROM workflows_link l JOIN workflows_workflow u ON u.id = l.upstream_id \
    JOIN workflows_workflow d ON d.id = l.downstream_id ORDER BY l.id";

const LINK: &str = "INSERT INTO workflows_link (upstream_id, downstream_id) VALUES ($1, $2) \
    ON CONFLICT DO NOTHING";

const UNLINK: &str = "DELETE FROM workflows_link WHERE upstream_id = $1 AND downstream_id = $2";

const WAITING: &str = "SELECT r.run_id FROM workflows_ended e \
    JOIN workflows_link l ON l.id = e.link JOIN workflows_workflowrun r ON r.id = e.run \
    WHERE l.upstream_id = $1 AND l.downstream_id = $2 ORDER BY e.run LIMIT $3";

const HANDLED: &str = "DELETE FROM workflows_ended \
    WHERE link = (SELECT id FROM workflows_link WHERE upstream_id = $1 AND downstream_id = $2) \
    AND run = (SELECT id FROM workflows_workflowrun WHERE run_id = $3)";

const FORGET: &str = "DELETE FROM workflows_ended \
    WHERE run = (SELECT id FROM workflows_workflowrun WHERE run_id = $1)";
