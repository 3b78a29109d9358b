//! Files that have arrived and were handled.

use workflow_core::store::{HandledFile, ScheduledWorkflow};

use super::schedule::number_of;
use crate::db::sql::Sql;
use crate::db::value::{Value, clean};
use crate::exec::operation::{Answer, Cx};

/// The files that were handled for a workflow, by name.
pub(crate) fn handled(sql: &mut dyn Sql, of: &ScheduledWorkflow) -> Answer<Vec<HandledFile>> {
    let Some(workflow) = number_of(sql, of, "")? else { return Ok(Vec::new()) };
    let rows = sql.query(HANDLED, &[Value::Int(workflow)])?;
    rows.iter().map(|row| Ok(HandledFile { name: row.text(0)?, version: row.text(1)? })).collect()
}

/// Records that a file was handled.
pub(crate) fn add(cx: &mut Cx<'_>, of: &ScheduledWorkflow, file: &HandledFile) -> Answer<()> {
    let Some(workflow) = number_of(cx.sql, of, "")? else { return Ok(()) };
    let (name, version) = (clean(&file.name), clean(&file.version));
    cx.sql.execute(ADD, &[Value::Int(workflow), Value::Text(&name), Value::Text(&version)])?;
    Ok(())
}

/// Forgets files that are gone.
pub(crate) fn forget(cx: &mut Cx<'_>, of: &ScheduledWorkflow, names: &[String]) -> Answer<()> {
    let Some(workflow) = number_of(cx.sql, of, "")? else { return Ok(()) };
    let names: Vec<_> = names.iter().map(|name| clean(name)).collect();
    let rows: Vec<_> = names.iter().map(|name| [Value::Int(workflow), Value::Text(name)]).collect();
    let statements: Vec<_> = rows.iter().map(|row| (FORGET, row.as_slice())).collect();
    cx.sql.pipeline(&statements)?;
    Ok(())
}

const HANDLED: &str =
    "SELECT name, version FROM workflows_file WHERE workflow_id = $1 ORDER BY name";

const ADD: &str = "INSERT INTO workflows_file (workflow_id, name, version) VALUES ($1, $2, $3) \
    ON CONFLICT (workflow_id, name) DO UPDATE SET version = excluded.version";

const FORGET: &str = "DELETE FROM workflows_file WHERE workflow_id = $1 AND name = $2";
