//! Deletes old runs with their folders on this machine, and the records of assets that go with them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use workflow_core::id::RunId;
use workflow_core::store::ASSET_WORKFLOW;

use super::CatalogError;
use super::resolve::resolve_own;
use crate::catalog_error::{Answer, CatalogFailure};
use crate::db::sql::{Sql, SqlError};
use crate::db::statement::Statement;
use crate::db::value::{Row, Value, signed, to_micros};
use crate::exec::operation::Cx;
use crate::runs::definition_of_run as definition;
use crate::visibility::Visibility;

/// A retention: which runs to keep. Unfinished runs are always kept.
///
/// A record of an asset is kept as long as its run, by the retention of the workflow `assets`. The newest
/// record of a partition is always kept, and so is the newest one that was not refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// The id, name or slug of a workflow. Default: all workflows.
    pub workflow: Option<String>,
    /// The age up to which finished runs are kept. Default: no limit.
    pub keep_for: Option<Duration>,
    /// The number of newest runs of a workflow to keep. Default: all.
    pub keep_last: Option<u64>,
}

/// The number of runs to delete in a transaction, so that others do not wait for long.
const BATCH: i64 = 200;

/// Assigns a retention to each workflow: its own, or else the general one; the last of several.
///
/// Retentions of unknown workflows are ignored.
pub(crate) fn plan(
    sql: &mut dyn Sql,
    visibility: Visibility,
    retentions: &[Retention],
) -> Answer<BTreeMap<i64, Retention>> {
    let mut plan = BTreeMap::new();
    if let Some(general) = retentions.iter().rfind(|retention| retention.workflow.is_none()) {
        let mut all = Statement::default();
        all.add("SELECT w.id FROM workflows_workflow w WHERE 1 = 1");
        visibility.own(&mut all);
        let rows = all.add(" ORDER BY w.id").query(sql)?;
        for row in rows {
            plan.insert(row.int(0)?, general.clone());
        }
    }
    for retention in retentions {
        let Some(which) = &retention.workflow else { continue };
        match resolve_own(sql, visibility, which, "delete runs of") {
            Ok(id) => drop(plan.insert(id, retention.clone())),
            // A workflow of another owner is not meant, and must not prevent pruning.
            Err(CatalogFailure::Catalog(
                CatalogError::NoWorkflow(_) | CatalogError::NotYours { .. },
            )) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(plan)
}

/// Whether pruning is due; if so, records it as done now. A recorded time in the future comes from
/// a wrong clock.
pub(crate) fn is_due(cx: &mut Cx<'_>, every: Duration) -> Answer<bool> {
    let every = i64::try_from(every.as_micros()).unwrap_or(i64::MAX / 2);
    Ok(cx.sql.execute(DUE, &[Value::Int(every)])? > 0)
}

const DUE: &str = "INSERT INTO workflows_counter (name, value) \
    VALUES ('pruned_at', workflows_now()) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value \
    WHERE workflows_counter.value <= excluded.value - $1 \
    OR workflows_counter.value > excluded.value";

/// Some outdated runs of a workflow, and whether there may be more.
pub(crate) fn outdated(
    sql: &mut dyn Sql,
    workflow: i64,
    retention: &Retention,
) -> Answer<(Vec<DeletedRun>, bool)> {
    let now = SystemTime::now();
    let cutoff = retention.keep_for.map(|span| now.checked_sub(span).map_or(i64::MIN, to_micros));
    let mut rows = Vec::new();
    if let Some(cutoff) = cutoff.filter(|cutoff| *cutoff > i64::MIN) {
        let values = [Value::Int(workflow), Value::Time(cutoff), Value::Int(BATCH)];
        rows.extend(sql.query(OLD, &values)?);
    }
    if let Some(last) = retention.keep_last {
        let after = [Value::Int(workflow), Value::Int(signed(last))];
        if let Some(row) = sql.first(FIRST_BEYOND, &after)? {
            let values = [
                Value::Int(workflow),
                Value::Time(to_micros(row.time(0)?)),
                Value::Int(row.int(1)?),
                Value::Int(BATCH),
            ];
            rows.extend(sql.query(BEYOND, &values)?);
        }
    }
    let more = rows.len() as u64 >= BATCH.unsigned_abs();
    Ok((runs_to_delete(sql, &rows)?, more))
}

/// All runs of a workflow.
pub(crate) fn all_of(sql: &mut dyn Sql, workflow: i64) -> Answer<Vec<DeletedRun>> {
    let all = "SELECT id, run_id, definition_id, runs_dir FROM workflows_workflowrun WHERE workflow_id = $1";
    let rows = sql.query(all, &[Value::Int(workflow)])?;
    runs_to_delete(sql, &rows)
}

/// A run to delete.
pub(crate) struct DeletedRun {
    row: i64,
    /// Its folder on the machine where it ran, which may be another one.
    folder: Option<PathBuf>,
}

fn runs_to_delete(sql: &mut dyn Sql, rows: &[Row]) -> Answer<Vec<DeletedRun>> {
    let mut definitions = HashMap::new();
    let mut runs = BTreeMap::new();
    for row in rows {
        let folder = match row.maybe_int(2)? {
            // Of another application.
            None => None,
            Some(id) => {
                let workflow = match definitions.entry(id) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(definition(sql, id)?),
                };
                let runs_dir = row.maybe_text(3)?;
                workflow
                    .folder_of(RunId::from_u128(row.uuid(1)?), runs_dir.as_deref().map(Path::new))
            }
        };
        let row = row.int(0)?;
        runs.insert(row, DeletedRun { row, folder });
    }
    Ok(runs.into_values().collect())
}

/// Removes the folders of runs on this machine. A folder that cannot be removed is logged and left.
pub(crate) fn remove_folders(runs: &[DeletedRun]) {
    for folder in runs.iter().filter_map(|run| run.folder.as_deref()) {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(folder = %folder.display(), %error, "cannot remove the folder of a run");
            }
            _ => {}
        }
    }
}

/// Deletes runs; returns the number of those that still existed.
pub(crate) fn delete(cx: &mut Cx<'_>, runs: &[DeletedRun]) -> Answer<u64> {
    if runs.is_empty() {
        return Ok(0);
    }
    let rows: Vec<_> = runs.iter().map(|run| [Value::Int(run.row)]).collect();
    let delete = "DELETE FROM workflows_workflowrun WHERE id = $1";
    let statements: Vec<_> = rows.iter().map(|row| (delete, row.as_slice())).collect();
    let deleted = cx.sql.pipeline(&statements)?.iter().sum();
    cx.write_cache.clear();
    Ok(deleted)
}

/// The time until which records of assets may go, by the retention of the workflow that makes assets,
/// or else by the general one. `None` if all stay.
pub(crate) fn cutoff_of_records(retentions: &[Retention]) -> Option<i64> {
    let of = |workflow: Option<&str>| {
        retentions.iter().rfind(move |retention| retention.workflow.as_deref() == workflow)
    };
    let retention = of(Some(ASSET_WORKFLOW)).or_else(|| of(None))?;
    let now = SystemTime::now();
    match (retention.keep_for, retention.keep_last) {
        (Some(span), _) => now.checked_sub(span).map(to_micros),
        (None, Some(_)) => Some(to_micros(now)),
        (None, None) => None,
    }
}

/// Deletes some records of assets that were replaced until this time, and whose run is deleted.
/// Returns whether there may be more.
pub(crate) fn delete_records(cx: &mut Cx<'_>, cutoff: i64) -> Answer<bool> {
    let deleted = cx.sql.execute(RECORDS, &[Value::Time(cutoff), Value::Int(RECORD_BATCH)])?;
    Ok(deleted >= RECORD_BATCH.unsigned_abs())
}

/// The number of records to delete in a transaction.
const RECORD_BATCH: i64 = 5_000;

// The newest record of a partition stays, and the newest one that was not refused.
const RECORDS: &str = "DELETE FROM workflows_materialization WHERE id IN ( \
    SELECT m.id FROM workflows_materialization m WHERE m.made_at < $1 \
    AND EXISTS (SELECT 1 FROM workflows_materialization n WHERE n.asset = m.asset \
    AND n.partition_key = m.partition_key AND n.id > m.id AND (m.is_refused OR NOT n.is_refused)) \
    AND NOT EXISTS (SELECT 1 FROM workflows_workflowrun r WHERE r.run_id = m.run_id) LIMIT $2)";

/// Deletes unreferenced data: large outputs, and owners that died a day ago.
pub(crate) fn sweep(sql: &mut dyn Sql) -> Result<(), SqlError> {
    sql.execute(
        "DELETE FROM workflows_blob WHERE NOT EXISTS \
         (SELECT 1 FROM workflows_event e WHERE e.blob = workflows_blob.digest)",
        &[],
    )?;
    // After a jump of the clock, an owner of running runs may seem long dead.
    let dead = "DELETE FROM workflows_owner WHERE alive_until < workflows_now() - $1 \
        AND NOT EXISTS (SELECT 1 FROM workflows_workflowrun r \
        WHERE r.owner_id = workflows_owner.owner_id AND r.status IN ('pending', 'running'))";
    sql.execute(dead, &[Value::Int(24 * 3600 * 1_000_000)]).map(|_| ())
}

// A run that ended before a time was requested before it, so the index on `started_at` applies.
// Runs of other programs may have no end time.
pub(crate) const OLD: &str = "SELECT id, run_id, definition_id, runs_dir FROM workflows_workflowrun \
    WHERE workflow_id = $1 AND started_at < $2 AND coalesce(completed_at, started_at) < $2 \
    AND status NOT IN ('pending', 'running') ORDER BY started_at LIMIT $3";

pub(crate) const FIRST_BEYOND: &str = "SELECT started_at, id FROM workflows_workflowrun \
    WHERE workflow_id = $1 ORDER BY started_at DESC, id DESC LIMIT 1 OFFSET $2";

pub(crate) const BEYOND: &str = "SELECT id, run_id, definition_id, runs_dir FROM workflows_workflowrun \
    WHERE workflow_id = $1 AND (started_at, id) <= ($2, $3) \
    AND status NOT IN ('pending', 'running') ORDER BY started_at LIMIT $4";
