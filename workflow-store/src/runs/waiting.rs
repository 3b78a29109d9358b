//! What runs wait for: a projection of their events for lists, written when it changes.

use std::collections::HashSet;
use std::time::SystemTime;

use workflow_core::Status;
use workflow_core::event::{Stall, Waiting};
use workflow_core::id::RunId;
use workflow_core::store::StoreError;

use super::append;
use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::value::{Row, Value};
use crate::exec::operation::{Answer, Cx};
use crate::exec::tx_totals::TxTotals;
use crate::exec::write_cache::RunMemo;
use crate::rows::event::write;

impl RunMemo {
    /// What each running job waits for, if all of them wait. A job that waits for its own jobs may
    /// also wait for a signal.
    fn waiting(&self) -> Vec<&Waiting> {
        if !self.may_wait || self.status.is_final() {
            return Vec::new();
        }
        let under_way = || self.jobs.iter().filter(|(_, job)| job.is_under_way);
        let parents: HashSet<&str> =
            under_way().filter_map(|(_, job)| job.parent.as_deref()).collect();
        let mut all = Vec::new();
        for (name, job) in under_way() {
            let is_parent = parents.contains(&**name);
            match (&job.signal, &job.sleep) {
                (Some(signal), _) => all.push(&**signal),
                (None, Some(sleep)) if !is_parent => all.push(&**sleep),
                (None, None) if !is_parent => return Vec::new(),
                _ => {}
            }
        }
        all.sort_by(|one, other| one.job().cmp(other.job()));
        all
    }

    /// Records a change of what the run waits for.
    ///
    /// # Errors
    ///
    /// Fails when it has no JSON form, which is impossible for values from events.
    pub(crate) fn record_waiting(&mut self, totals: &mut TxTotals) -> Result<(), StoreError> {
        let waiting = self.waiting();
        if waiting.is_empty() && !self.is_recorded_waiting {
            return Ok(());
        }
        let body = if waiting.is_empty() { None } else { Some(write(&waiting)?) };
        let told = body.is_some();
        totals.wait(self.row, body);
        self.is_recorded_waiting = told;
        Ok(())
    }
}

/// Backfills what some older runs wait for; returns whether there may be more.
pub(crate) fn backfill_waiting(cx: &mut Cx<'_>) -> Answer<bool> {
    let rows = cx.sql.query(UNFOLDED, &[])?;
    for row in &rows {
        let id = [Value::Int(row.int(0)?)];
        // Locks the run against appends of its owner.
        cx.sql.execute("UPDATE workflows_workflowrun SET events = events WHERE id = $1", &id)?;
        if let Some(mut memo) = append::load(cx.sql, RunId::from_u128(row.uuid(1)?))? {
            memo.record_waiting(cx.totals)?;
        }
        cx.sql.execute("DELETE FROM workflows_unfolded WHERE run = $1", &id)?;
    }
    Ok(!rows.is_empty())
}

const UNFOLDED: &str = "SELECT u.run, r.run_id FROM workflows_unfolded u \
    JOIN workflows_workflowrun r ON r.id = u.run ORDER BY u.run LIMIT 100";

/// Whether the database shows the run as waiting.
pub(crate) fn is_recorded(sql: &mut dyn Sql, row: i64) -> Result<bool, SqlError> {
    let said = sql.first("SELECT run FROM workflows_waiting WHERE run = $1", &[Value::Int(row)])?;
    Ok(said.is_some())
}

/// What a run waits for now, from its column.
pub(crate) fn waits(row: &Row, column: usize, status: Status) -> Result<Option<Stall>, SqlError> {
    let Some(body) = row.maybe_text(column)?.filter(|_| status == Status::Running) else {
        return Ok(None);
    };
    let waiting: Vec<Waiting> = workflow_core::json::parse(&body).map_err(|error| {
        SqlError::new(SqlKind::Unusable, format!("cannot read what a run waits for: {error}"))
    })?;
    let now = SystemTime::now();
    // A job whose sleep is over is running, without an event.
    let is_awake = |of: &Waiting| matches!(of, Waiting::Time { until, .. } if *until <= now);
    if waiting.iter().any(is_awake) {
        return Ok(None);
    }
    Ok(waiting.into_iter().next().map(Stall::Waiting))
}
