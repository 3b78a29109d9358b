//! The state of schedules: at most one row for each workflow in `workflows_schedule`.

use workflow_core::store::{
    ScheduleChange, ScheduleId, ScheduleState, ScheduledWorkflow, SkippedTime,
};

use crate::db::sql::{Sql, SqlError};
use crate::db::value::{Value, clean, to_micros};
use crate::exec::operation::{Answer, Cx};

/// The state of a schedule; the default state for one without a row.
pub(crate) fn state(sql: &mut dyn Sql, of: &ScheduleId) -> Answer<ScheduleState> {
    let Some(workflow) = number_of(sql, &of.workflow, "")? else {
        return Ok(ScheduleState::default());
    };
    Ok(read(sql, workflow, of)?.map(|(_, state)| state).unwrap_or_default())
}

/// Changes the state of a schedule; false if the store does not have the workflow.
pub(crate) fn change(cx: &mut Cx<'_>, of: &ScheduleId, change: ScheduleChange) -> Answer<bool> {
    // The table may have rows of other applications, so that no index makes a row unique.
    let lock = if cx.sql.dialect().is_postgres() { " FOR UPDATE" } else { "" };
    let Some(workflow) = number_of(cx.sql, &of.workflow, lock)? else { return Ok(false) };
    let found = read(cx.sql, workflow, of)?;
    let (row, mut state) =
        found.map_or((None, ScheduleState::default()), |(row, state)| (Some(row), state));
    state.apply(change);
    let skipped = state.skipped.as_ref().map(|skipped| (skipped.at, clean(&skipped.reason)));
    let values = [
        Value::Text(&of.cron),
        of.timezone.as_deref().into(),
        Value::Bool(!state.is_paused),
        state.handled.map(|at| Value::Time(to_micros(at))).into(),
        skipped.as_ref().map(|(at, _)| Value::Time(to_micros(*at))).into(),
        skipped.as_ref().map(|(_, reason)| &**reason).into(),
        Value::Int(row.unwrap_or(workflow)),
    ];
    cx.sql.execute(if row.is_some() { UPDATE } else { INSERT }, &values)?;
    Ok(true)
}

/// The number of the workflow.
pub(super) fn number_of(
    sql: &mut dyn Sql,
    of: &ScheduledWorkflow,
    lock: &str,
) -> Result<Option<i64>, SqlError> {
    let (condition, value) = match of {
        ScheduledWorkflow::Registered(name) => {
            ("source = 'registered' AND name = $1", Value::Text(name))
        }
        ScheduledWorkflow::Number(number) => ("id = $1", Value::Int(*number)),
    };
    let query = format!("SELECT id FROM workflows_workflow WHERE {condition}{lock}");
    sql.first(&query, &[value])?.map(|row| row.int(0)).transpose()
}

/// The row of a workflow, with its state.
fn read(
    sql: &mut dyn Sql,
    workflow: i64,
    of: &ScheduleId,
) -> Result<Option<(i64, ScheduleState)>, SqlError> {
    let Some(row) = sql.first(READ, &[Value::Int(workflow)])? else { return Ok(None) };
    let is_same = row.text(1)? == of.cron && row.maybe_text(2)? == of.timezone;
    let skipped = match (row.maybe_time(5)?, row.maybe_text(6)?) {
        (Some(at), Some(reason)) => Some(SkippedTime { at, reason }),
        _ => None,
    };
    let handled = row.maybe_time(4)?.filter(|_| is_same);
    Ok(Some((row.int(0)?, ScheduleState { is_paused: !row.bool(3)?, handled, skipped })))
}

const READ: &str = "SELECT id, cron, timezone, is_active, last_at, skipped_at, skip_reason \
    FROM workflows_schedule WHERE workflow_id = $1 ORDER BY id LIMIT 1";

const UPDATE: &str = "UPDATE workflows_schedule SET cron = $1, timezone = $2, is_active = $3, \
    last_at = $4, skipped_at = $5, skip_reason = $6 WHERE id = $7";

const INSERT: &str = "INSERT INTO workflows_schedule \
    (cron, timezone, is_active, last_at, skipped_at, skip_reason, workflow_id) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
