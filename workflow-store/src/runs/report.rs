//! Status reports of external programs about runs.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use serde_json::Value as Json;
use workflow_core::Status;
use workflow_core::event::{Event, EventKind};
use workflow_core::id::RunId;
use workflow_core::store::{Lease, OwnerId, StoreError};

use super::append::append;
use super::lease::{judge, lock};
use super::read;
use crate::catalog_error::{Answer, CatalogError, CatalogField};
use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::statement::Statement;
use crate::db::value::{Value, clean, clean_json};
use crate::exec::operation::Cx;
use crate::liveness::Liveness;
use crate::rows::step::Appended;
use crate::visibility::Visibility;

/// A report about a run from the external program that executes it; `None` leaves a field
/// unchanged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatusReport {
    /// The status.
    pub status: Option<Status>,
    /// The result.
    pub result: Option<Json>,
    /// The error.
    pub error: Option<String>,
}

impl StatusReport {
    /// Creates a report with only a status.
    pub fn new(status: Status) -> Self {
        Self { status: Some(status), ..Self::default() }
    }
}

/// Records a report: takes a lease, appends events, and releases the run.
pub(crate) fn report(
    cx: &mut Cx<'_>,
    visibility: Visibility,
    liveness: &Mutex<Liveness>,
    run: RunId,
    said: &StatusReport,
) -> Answer<()> {
    lock(cx.sql)?;
    let alive = judge(cx.sql, liveness)?.alive;
    let known = RecordedRun::read(cx.sql, visibility, run)?.ok_or(CatalogError::NoRun(run))?;
    if said.status == Some(Status::Skipped) {
        let found = "skipped, which only jobs can be".to_owned();
        let cure = "use running, completed, failed or cancelled";
        return Err(CatalogError::Invalid { field: CatalogField::Status, found, cure }.into());
    }
    let next = said.status.unwrap_or(known.status);
    if known.status.is_final() && known.status == next {
        return known.check_same(said);
    }
    known.check_change(run, next)?;
    match known.is_external {
        true => check_outcome(said, next)?,
        false => check_engine_run(said, next)?,
    }
    if known.owner.is_some_and(|owner| alive.contains_key(&owner)) {
        return Err(CatalogError::Driven(run).into());
    }
    let now = known.with(said);
    let events = now.events(next);
    if !events.is_empty() {
        let lease = Lease { run, owner: OwnerId::random(), token: known.token + 1 };
        take(cx, known.row, &lease)?;
        append(cx, &Arc::new(Appended::new(&lease, &events)?))?;
        release(cx, known.row, run)?;
    }
    now.keep(cx.sql, next)
}

/// The recorded state of the run.
#[derive(Debug, Clone)]
struct RecordedRun {
    row: i64,
    status: Status,
    events: u64,
    token: u64,
    owner: Option<OwnerId>,
    started_at: SystemTime,
    /// Whether engines leave the run to external programs.
    is_external: bool,
    result: Option<Json>,
    error: Option<String>,
}

impl RecordedRun {
    fn read(sql: &mut dyn Sql, visibility: Visibility, run: RunId) -> Answer<Option<Self>> {
        let mut of = Statement::default();
        of.add(
            "SELECT r.id, r.status, r.events, r.token, r.owner_id, r.started_at, d.fingerprint, \
             r.result_data, r.error_message FROM workflows_workflowrun r \
             LEFT JOIN workflows_definition d ON d.id = r.definition_id WHERE r.run_id = ",
        );
        of.uuid(run.to_u128());
        visibility.run(&mut of);
        let Some(row) = of.first(sql)? else { return Ok(None) };
        let is_given = |result: &Json| !result.is_null() && *result != Json::Object(<_>::default());
        Ok(Some(Self {
            row: row.int(0)?,
            status: read::status(&row, 1)?,
            events: row.count(2)?,
            token: row.count(3)?,
            owner: row.maybe_uuid(4)?.map(OwnerId::from_u128),
            started_at: row.time(5)?,
            is_external: read::is_external(&row, 6)?,
            result: row.maybe_json(7)?.filter(is_given),
            error: row.maybe_text(8)?.filter(|error| !error.is_empty()),
        }))
    }

    /// Checks that a report about a finished run repeats the record.
    fn check_same(&self, said: &StatusReport) -> Answer<()> {
        let is_same = |said: bool, same: bool| !said || same;
        if is_same(said.result.is_some(), said.result == self.result)
            && is_same(said.error.is_some(), said.error == self.error)
        {
            return Ok(());
        }
        Err(CatalogError::Invalid {
            field: CatalogField::Outcome,
            found: format!("set for a run that is already {}", self.status),
            cure: "send it with the status or before it: the record of a finished run never changes",
        }
        .into())
    }

    /// Checks the transition of the status.
    fn check_change(&self, run: RunId, next: Status) -> Answer<()> {
        let ends_at_once =
            self.status == Status::Pending && matches!(next, Status::Completed | Status::Failed);
        match (ends_at_once, self.is_external) {
            (true, true) => Ok(()),
            (true, false) => Err(CatalogError::OfEngine { run, next }.into()),
            (false, _) => {
                let changed = self.status.check_change(next);
                Ok(changed.map_err(|error| StoreError::Transition { run, error })?)
            }
        }
    }

    /// The recorded state with the report applied.
    fn with(&self, said: &StatusReport) -> Self {
        Self {
            result: said.result.clone().or_else(|| self.result.clone()),
            error: said.error.clone().or_else(|| self.error.clone()),
            ..self.clone()
        }
    }

    /// The events that lead to this status.
    fn events(&self, next: Status) -> Vec<Event> {
        let now = SystemTime::now();
        let begins = EventKind::RunStarted { retry_of: None };
        let mut kinds = Vec::new();
        // It may have been inserted as running, or end without a report of its start: it started
        // at the time of its request at the earliest.
        let has_begun = self.status == Status::Running || next != Status::Cancelled;
        if self.events == 0 && next.is_final() && has_begun {
            kinds.push((self.started_at.min(now), begins.clone()));
        }
        if next != self.status {
            let kind = match next {
                Status::Completed => {
                    EventKind::RunCompleted { output: self.result.clone().map(Arc::new) }
                }
                Status::Failed => {
                    let error = self.error.clone();
                    let reason = error.unwrap_or_else(|| "no reason was given".to_owned());
                    EventKind::RunFailed { reason }
                }
                Status::Cancelled => EventKind::RunCancelled,
                _ => begins,
            };
            kinds.push((now, kind));
        }
        let event = |(sequence, (at, kind))| Event::new(sequence, at, kind);
        (self.events..).zip(kinds).map(event).collect()
    }

    /// Writes what events do not contain: results and errors of an unfinished run, and the result
    /// of one that did not complete.
    fn keep(&self, sql: &mut dyn Sql, status: Status) -> Answer<()> {
        let error = match status {
            Status::Completed => return Ok(()),
            // Its event contains it.
            Status::Failed if self.error.is_none() => Some("no reason was given"),
            _ => self.error.as_deref(),
        };
        if self.result.is_none() && error.is_none() {
            return Ok(());
        }
        let result = self.result.as_ref().map_or_else(|| "{}".to_owned(), clean_json);
        let error = error.map(clean);
        let values = [Value::Text(&result), error.as_deref().into(), Value::Int(self.row)];
        let keep = "UPDATE workflows_workflowrun SET result_data = $1, error_message = $2 \
            WHERE id = $3";
        Ok(sql.execute(keep, &values).map(|_| ())?)
    }
}

/// Checks that a completed run has no error.
fn check_outcome(said: &StatusReport, next: Status) -> Result<(), CatalogError> {
    match &said.error {
        Some(_) if next == Status::Completed => Err(unfit(CatalogField::Error, next, ERROR_CURE)),
        _ => Ok(()),
    }
}

/// Checks that for a run of an engine, an outcome comes together with its status.
fn check_engine_run(said: &StatusReport, next: Status) -> Result<(), CatalogError> {
    match said {
        StatusReport { result: Some(_), .. } if next != Status::Completed => {
            Err(unfit(CatalogField::Result, next, "omit it, or report the run as completed"))
        }
        StatusReport { error: Some(_), .. } if next != Status::Failed => {
            Err(unfit(CatalogField::Error, next, ERROR_CURE))
        }
        _ => Ok(()),
    }
}

const ERROR_CURE: &str = "omit it, or report the run as failed";

fn unfit(field: CatalogField, status: Status, cure: &'static str) -> CatalogError {
    let found = format!("set for a run that is {status}");
    CatalogError::Invalid { field, found, cure }
}

fn take(cx: &mut Cx<'_>, id: i64, lease: &Lease) -> Answer<()> {
    let values = [Value::Uuid(lease.owner.to_u128()), lease.token.into(), Value::Int(id)];
    let taken = "UPDATE workflows_workflowrun SET owner_id = $1, token = $2 WHERE id = $3";
    if cx.sql.execute(taken, &values)? == 1 {
        return Ok(());
    }
    let text = format!("run {} was deleted meanwhile", lease.run);
    Err(SqlError::new(SqlKind::Conflict, text).into())
}

fn release(cx: &mut Cx<'_>, id: i64, run: RunId) -> Answer<()> {
    let values = [Value::Int(id)];
    cx.sql.execute("UPDATE workflows_workflowrun SET owner_id = NULL WHERE id = $1", &values)?;
    cx.write_cache.forget_run(run);
    Ok(())
}
