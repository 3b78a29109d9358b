//! Reads runs and events.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::json;

use workflow_core::Status;
use workflow_core::definition::Metadata;
use workflow_core::event::{Blocked, Event, EventKind};
use workflow_core::flow_control::FlowControl;
use workflow_core::id::RunId;
use workflow_core::store::{NewRun, OwnerId, Parent, StoredRun, Trigger, WorkflowSnapshot};

use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::statement::Statement;
use crate::db::value::{Row, Value, from_nanos, signed};
use crate::exec::operation::Answer;
use crate::rows::event as encode;
use crate::visibility::Visibility;

/// The events of a run.
pub(crate) fn events(
    sql: &mut dyn Sql,
    visibility: Visibility,
    run: RunId,
    from: u64,
    limit: usize,
) -> Answer<Vec<Event>> {
    decoded(sql, &events_of(visibility, run, None, from, limit))
}

/// The values that the jobs of a run have persisted.
pub(crate) fn persisted(
    sql: &mut dyn Sql,
    visibility: Visibility,
    run: RunId,
    from: u64,
    limit: usize,
) -> Answer<Vec<Event>> {
    let kind = Some(EventKind::VALUE_PERSISTED);
    decoded(sql, &events_of(visibility, run, kind, from, limit))
}

fn decoded(sql: &mut dyn Sql, statement: &Statement) -> Answer<Vec<Event>> {
    let event = |row: Row| {
        let heavy = row.maybe_bytes(1)?;
        encode::decode(&row.text(0)?, heavy.as_deref()).map_err(Into::into)
    };
    statement.query(sql)?.into_iter().map(event).collect()
}

/// The events of a run of this kind, or of all kinds.
pub(crate) fn events_of(
    visibility: Visibility,
    run: RunId,
    kind: Option<&str>,
    from: u64,
    limit: usize,
) -> Statement {
    let mut statement = Statement::default();
    statement.add(
        "SELECT e.body, b.content FROM workflows_event e \
         LEFT JOIN workflows_blob b ON b.digest = e.blob \
         WHERE e.run = (SELECT r.id FROM workflows_workflowrun r WHERE r.run_id = ",
    );
    statement.uuid(run.to_u128());
    visibility.run(&mut statement);
    statement.add(") AND e.sequence >= ").number(signed(from));
    if let Some(kind) = kind {
        statement.add(" AND e.kind = ").text(kind);
    }
    statement.add(" ORDER BY e.sequence LIMIT ").number(signed(limit as u64));
    statement
}

/// A run.
pub(crate) fn run(
    sql: &mut dyn Sql,
    visibility: Visibility,
    run: RunId,
) -> Result<Option<StoredRun>, SqlError> {
    let rest = "WHERE r.run_id = $1";
    let id = Value::Uuid(run.to_u128());
    let found = match visibility {
        Visibility::All | Visibility::Staff(_) => runs(sql, rest, &[id])?,
        Visibility::User(user) => {
            let seen = format!("{rest} AND (r.user_id = $2 OR r.workflow_user_id = $2)");
            runs(sql, &seen, &[id, Value::Int(user)])?
        }
    };
    Ok(found.into_iter().next())
}

/// The run with this idempotency key in this scope, and the number of its workflow.
pub(crate) fn run_by_key(
    sql: &mut dyn Sql,
    scope: &str,
    key: &str,
) -> Result<Option<(StoredRun, i64)>, SqlError> {
    let values = [Value::Text(key), Value::Text(scope)];
    let Some(row) = sql.first(BY_KEY, &values)? else { return Ok(None) };
    let found = run(sql, Visibility::All, RunId::from_u128(row.uuid(0)?))?;
    let workflow = row.int(1)?;
    Ok(found.map(|found| (found, workflow)))
}

pub(crate) const BY_KEY: &str = "SELECT run_id, workflow_id FROM workflows_workflowrun \
    WHERE idempotency_key = $1 AND key_scope = $2";

/// The unfinished child runs of this one.
pub(crate) fn children(sql: &mut dyn Sql, run: RunId) -> Answer<Vec<RunId>> {
    let rows = sql.query(
        "SELECT run_id FROM workflows_workflowrun WHERE parent_run = $1 \
         AND completed_at IS NULL ORDER BY run_id",
        &[Value::Uuid(run.to_u128())],
    )?;
    rows.iter().map(|row| Ok(RunId::from_u128(row.uuid(0)?))).collect()
}

/// The runs that match a condition on `r`.
pub(crate) fn runs(
    sql: &mut dyn Sql,
    rest: &str,
    values: &[Value<'_>],
) -> Result<Vec<StoredRun>, SqlError> {
    let rows = sql.query(&format!("{COLUMNS} {rest}"), values)?;
    let mut snapshots = HashMap::new();
    rows.iter().map(|row| stored(sql, row, &mut snapshots)).collect()
}

pub(crate) const COLUMNS: &str = "SELECT r.run_id, r.definition_id, r.input, r.status, r.trigger, \
    r.idempotency_key, r.parent_run, r.parent_job, r.created_ns, r.events, r.owner_id, \
    (SELECT username FROM accounts_user u WHERE u.id = r.user_id), \
    (SELECT body FROM workflows_blocked b WHERE b.run = r.id), r.workflow_id, r.started_at, \
    r.runs_dir, r.task_queue, r.priority, r.flow_control, \
    r.scheduled_for FROM workflows_workflowrun r";

/// The key of a run's workflow snapshot: the definition that it began with, or for a run that
/// another application has inserted, only its workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum SnapshotKey {
    Definition(i64),
    Workflow(i64),
}

impl SnapshotKey {
    fn read(self, sql: &mut dyn Sql) -> Result<WorkflowSnapshot, SqlError> {
        match self {
            Self::Definition(id) => definition(sql, id),
            Self::Workflow(id) => inserted(sql, id),
        }
    }
}

fn stored(
    sql: &mut dyn Sql,
    row: &Row,
    snapshots: &mut HashMap<SnapshotKey, WorkflowSnapshot>,
) -> Result<StoredRun, SqlError> {
    let key = match row.maybe_int(1)? {
        Some(id) => SnapshotKey::Definition(id),
        None => SnapshotKey::Workflow(row.int(13)?),
    };
    let workflow = match snapshots.get(&key) {
        Some(workflow) => workflow.clone(),
        None => {
            let workflow = key.read(sql)?;
            snapshots.entry(key).or_insert(workflow).clone()
        }
    };
    let parent = match (row.maybe_uuid(6)?, row.maybe_text(7)?) {
        (Some(run), Some(job)) => Some(Parent { run: RunId::from_u128(run), job }),
        _ => None,
    };
    let new = NewRun {
        id: RunId::from_u128(row.uuid(0)?),
        workflow,
        input: row.maybe_json(2)?,
        trigger: trigger(&row.text(4)?)?,
        idempotency_key: row.maybe_text(5)?,
        parent,
        user: row.maybe_text(11)?,
        workflow_id: None,
        runs_dir: row.maybe_text(15)?.map(PathBuf::from),
        task_queue: row.text(16)?,
        priority: i32::try_from(row.int(17)?).unwrap_or_default(),
        flow_control: flow_control(row, 18)?,
        scheduled_for: row.maybe_int(19)?.map(from_nanos),
        created_at: match row.maybe_int(8)? {
            Some(nanos) => from_nanos(nanos),
            None => row.time(14)?,
        },
        owner: None,
    };
    let mut run = StoredRun::begun(new, status(row, 3)?, row.count(9)?);
    run.owner = row.maybe_uuid(10)?.map(OwnerId::from_u128);
    run.blocked = blocked(row, 12, run.status)?;
    Ok(run)
}

/// The flow control of a run.
pub(super) fn flow_control_of(sql: &mut dyn Sql, run: RunId) -> Result<FlowControl, SqlError> {
    let row = sql.first(
        "SELECT flow_control FROM workflows_workflowrun WHERE run_id = $1",
        &[Value::Uuid(run.to_u128())],
    )?;
    row.map_or_else(|| Ok(FlowControl::default()), |row| flow_control(&row, 0))
}

/// The flow control of a run, from its column.
pub(super) fn flow_control(row: &Row, column: usize) -> Result<FlowControl, SqlError> {
    let Some(text) = row.maybe_text(column)? else { return Ok(FlowControl::default()) };
    workflow_core::json::parse(&text).map_err(|error| {
        let text = format!("cannot read the flow control of a run: {error}");
        SqlError::new(SqlKind::Unusable, text)
    })
}

/// What blocks a run, from its column. A finished run is not blocked.
pub(crate) fn blocked(
    row: &Row,
    column: usize,
    status: Status,
) -> Result<Option<Blocked>, SqlError> {
    let body = row.maybe_text(column)?.filter(|_| !status.is_final());
    let read = |body: String| {
        workflow_core::json::parse(&body).map_err(|error| {
            SqlError::new(SqlKind::Unusable, format!("cannot read why a run is blocked: {error}"))
        })
    };
    body.map(read).transpose()
}

/// Whether an external program reports on a run, by the fingerprint of its definition in a column.
/// A run that another application has inserted has none.
pub(super) fn is_external(row: &Row, column: usize) -> Result<bool, SqlError> {
    let fingerprint = row.maybe_text(column)?;
    Ok(fingerprint.is_none_or(|fingerprint| WorkflowSnapshot::is_of_external(&fingerprint)))
}

/// The snapshot of the workflow for a definition.
pub(crate) fn definition(sql: &mut dyn Sql, id: i64) -> Result<WorkflowSnapshot, SqlError> {
    let row = sql.first(
        "SELECT name, metadata, fingerprint, source, graph FROM workflows_definition WHERE id = $1",
        &[Value::Int(id)],
    )?;
    let unusable = |text: String| SqlError::new(SqlKind::Unusable, text);
    let row = row.ok_or_else(|| unusable(format!("definition {id} of a run does not exist")))?;
    let metadata = Metadata::new(row.json(1)?).map_err(|error| unusable(error.to_string()))?;
    Ok(WorkflowSnapshot {
        name: row.text(0)?,
        metadata,
        fingerprint: row.text(2)?.into(),
        source: row.maybe_json(3)?.map(Arc::new),
        graph: Arc::new(row.json(4)?),
    })
}

/// The workflow of runs that another application has inserted into the table. Engines do not run
/// them, and their jobs are unknown.
fn inserted(sql: &mut dyn Sql, workflow: i64) -> Result<WorkflowSnapshot, SqlError> {
    let row = sql.first(
        "SELECT name, version FROM workflows_workflow WHERE id = $1",
        &[Value::Int(workflow)],
    )?;
    let gone =
        || SqlError::new(SqlKind::Conflict, format!("workflow {workflow} was deleted meanwhile"));
    let row = row.ok_or_else(gone)?;
    let version = format!("{workflow}-{}", row.maybe_int(1)?.unwrap_or(1));
    let graph = json!({ "nodes": [], "edges": [] });
    Ok(WorkflowSnapshot::external(row.text(0)?, version, graph))
}

/// When a run started, from its column. A run without events, inserted by another application, has
/// started if its status says so, at the time of its request at the earliest.
pub(crate) fn begun_at(
    row: &Row,
    column: usize,
    started_at: SystemTime,
    status: Status,
) -> Result<Option<SystemTime>, SqlError> {
    let begun_at = row.maybe_time(column)?;
    let has_begun = matches!(status, Status::Running | Status::Completed | Status::Failed);
    Ok(begun_at.or_else(|| has_begun.then_some(started_at)))
}

/// The status in a column, including aliases of other applications. An unknown one counts as NULL,
/// so that one such row does not prevent reading others.
pub(crate) fn status(row: &Row, column: usize) -> Result<Status, SqlError> {
    let text = row.maybe_text(column)?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(Status::Pending))
}

/// Parses a trigger.
pub(crate) fn trigger(text: &str) -> Result<Trigger, SqlError> {
    workflow_core::json::from_value(text.into()).map_err(|error| {
        SqlError::new(SqlKind::Unusable, format!("unknown trigger of a run: {error}"))
    })
}
