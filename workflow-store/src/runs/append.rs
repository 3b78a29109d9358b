//! Appends events to runs.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use workflow_core::Status;
use workflow_core::event::{Event, EventKind, Waiting};
use workflow_core::id::RunId;
use workflow_core::store::{OwnerId, StoreError};

use super::{eviction, task};
use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::value::{Value, to_micros};
use crate::exec::operation::{Answer, Cx};
use crate::exec::tx_totals::TxTotals;
use crate::exec::write_cache::{JobMemo, RunMemo};
use crate::rows::deferred::DeferredWrite;
use crate::rows::event::{self as encode, EncodedEvent};
use crate::rows::step::{Appended, Outcome, Step, check};

/// Appends events to a run.
pub(crate) fn append(cx: &mut Cx<'_>, new: &Arc<Appended>) -> Answer<()> {
    let run = new.lease.run;
    cx.write_cache.touch(run);
    let holds = |memo: &RunMemo| memo.owner == new.lease.owner && memo.token == new.lease.token;
    let mut memo = match cx.write_cache.take_run(run).filter(holds) {
        Some(memo) => memo,
        None => {
            let memo = load(cx.sql, run)?.ok_or(StoreError::NoRun { run })?;
            if !holds(&memo) {
                return Err(StoreError::LeaseLost { run }.into());
            }
            if is_kept_already(cx, &memo, new)? {
                return Ok(());
            }
            memo
        }
    };
    let step = step(&memo, check(run, memo.events, memo.status, &new.events)?, new);
    if cx.totals.waits && new.events.iter().all(|event| event.blob.is_none()) {
        follow(&mut memo, cx.totals, &new.events, &step.outcome);
        cx.totals.deferred.push(DeferredWrite::Append(new.clone(), step));
    } else {
        write(cx.sql, run, &step, new)?;
        follow(&mut memo, cx.totals, &new.events, &step.outcome);
    }
    if memo.is_child && memo.status.is_final() {
        // It was claimed alone, to be cancelled.
        eviction::wake_parent(cx.sql, memo.row)?;
    }
    memo.record_ended_tasks(cx.totals, &new.events);
    memo.record_waiting(cx.totals)?;
    for blocked in new.events.iter().filter_map(|event| event.blocked.as_ref()) {
        block(cx.sql, memo.row, blocked.as_deref())?;
    }
    cx.write_cache.know_run(run, memo);
    Ok(())
}

/// Records what blocks a run, or that it is no longer blocked.
pub(super) fn block(sql: &mut dyn Sql, row: i64, blocked: Option<&str>) -> Result<(), SqlError> {
    let row = Value::Int(row);
    let changed = match blocked {
        Some(body) => sql.execute(
            "INSERT INTO workflows_blocked (run, body) VALUES ($1, $2) \
             ON CONFLICT (run) DO UPDATE SET body = excluded.body",
            &[row, Value::Text(body)],
        ),
        None => sql.execute("DELETE FROM workflows_blocked WHERE run = $1", &[row]),
    };
    changed.map(|_| ())
}

/// Whether the same events are already persisted, by a request whose response was lost.
fn is_kept_already(cx: &mut Cx<'_>, memo: &RunMemo, new: &Appended) -> Result<bool, SqlError> {
    let (Some(first), Some(last)) = (new.events.first(), new.events.last()) else {
        return Ok(false);
    };
    if !cx.write_cache.is_uncertain(new.lease.run) || last.event.sequence >= memo.events {
        return Ok(false);
    }
    let values = [Value::Int(memo.row), first.event.sequence.into(), last.event.sequence.into()];
    let rows = cx.sql.query(
        "SELECT body FROM workflows_event WHERE run = $1 AND sequence >= $2 AND sequence <= $3 \
         ORDER BY sequence",
        &values,
    )?;
    let mut same = rows.len() == new.events.len();
    for (row, event) in rows.iter().zip(&new.events) {
        same &= row.text(0)? == event.body;
    }
    Ok(same)
}

/// The change of the row of a run by these events, if the row matches the memo.
fn step(memo: &RunMemo, outcome: Outcome, new: &Appended) -> Step {
    Step {
        row: memo.row,
        owner: memo.owner.to_u128(),
        token: memo.token,
        before: memo.events,
        after: memo.events + new.events.len() as u64,
        begun_at: memo.begun_at.or(outcome.begun_at),
        changes: outcome.status != memo.status || outcome.begun_at.is_some(),
        outcome,
    }
}

fn write(sql: &mut dyn Sql, run: RunId, step: &Step, new: &Appended) -> Result<(), SqlError> {
    for blob in new.events.iter().filter_map(|event| event.blob.as_ref()) {
        blob.insert(sql)?;
    }
    let (text, values) = step.statement();
    let changed = encode::with_insert(sql, step.row, &new.events, Some((text, &values)))?;
    if changed.first() == Some(&1) {
        return Ok(());
    }
    // The cached state of the run is outdated. It is cleared with this transaction, and the
    // next attempt reads it again.
    Err(SqlError::new(SqlKind::Conflict, format!("run {run} was changed meanwhile")))
}

/// Updates a memo with reused events of another run, which are already counted there.
pub(crate) fn follow_reused(memo: &mut RunMemo, events: &[EncodedEvent], outcome: &Outcome) {
    advance(memo, None, events, outcome);
    memo.status = outcome.status;
}

fn advance(
    memo: &mut RunMemo,
    mut totals: Option<&mut TxTotals>,
    events: &[EncodedEvent],
    outcome: &Outcome,
) {
    memo.events += events.len() as u64;
    memo.begun_at = memo.begun_at.or(outcome.begun_at);
    for event in events {
        memo.apply(&event.event, totals.as_deref_mut());
    }
}

/// Updates a memo, and counts jobs and runs that ended.
pub(crate) fn follow(
    memo: &mut RunMemo,
    totals: &mut TxTotals,
    events: &[EncodedEvent],
    outcome: &Outcome,
) {
    advance(memo, Some(totals), events, outcome);
    if !memo.status.is_final()
        && let (Some(from), Some(to)) = (memo.begun_at, outcome.completed_at)
    {
        totals.took(memo.workflow, "", outcome.status, to - from);
    }
    memo.status = outcome.status;
    if memo.status.is_final()
        && let Some(key) = memo.limits.take()
    {
        totals.ended.insert(memo.row, key);
    }
}

impl RunMemo {
    /// Updates the running jobs, and counts those that ended.
    fn apply(&mut self, event: &Event, totals: Option<&mut TxTotals>) {
        let (kind, since) = (&event.kind, event.at);
        let Some(name) = kind.job() else {
            if matches!(kind, EventKind::RunResumed { .. }) {
                self.jobs.values_mut().for_each(JobMemo::interrupt);
                self.may_wait = false;
            }
            return;
        };
        if let EventKind::JobStarted { origin, .. } = kind {
            let started = JobMemo::new(to_micros(since), origin.as_deref());
            self.jobs.insert(name.into(), started);
        }
        if let Some(status) = kind.job_status().filter(|status| status.is_final()) {
            return self.end(name, status, to_micros(since), totals);
        }
        let Some(job) = self.jobs.get_mut(name) else { return };
        match kind {
            EventKind::AttemptFailed { .. } => job.interrupt(),
            EventKind::SignalAwaited { job: name, signal, .. } => {
                let (name, signal) = (name.clone(), signal.clone());
                job.signal = Some(Box::new(Waiting::Signal { job: name, signal, since }));
                self.may_wait = true;
            }
            EventKind::SignalReceived { .. } => job.signal = None,
            EventKind::SleepStarted { job: name, duration, until, .. } => {
                let sleep = Waiting::Time { job: name.clone(), until: *until, since };
                job.sleep = (*duration >= SHORTEST_RECORDED).then(|| Box::new(sleep));
                self.may_wait |= job.sleep.is_some();
            }
            _ => {}
        }
    }

    /// Removes the tasks of attempts whose end is recorded, in the same transaction.
    fn record_ended_tasks(&mut self, totals: &mut TxTotals, events: &[EncodedEvent]) {
        if !self.has_tasks {
            return;
        }
        for EncodedEvent { event, .. } in events {
            if let Some(job) = event.kind.job().filter(|_| task::ends_attempt(&event.kind)) {
                totals.tasks_ended.insert((self.row, Some(job.into())));
            }
        }
        if self.status.is_final() {
            totals.tasks_ended.insert((self.row, None));
        }
    }

    /// Forgets a job that ended, and counts it if it had started.
    fn end(&mut self, job: &str, status: Status, at: i64, totals: Option<&mut TxTotals>) {
        let started = self.jobs.remove(job).filter(|_| status != Status::Skipped);
        if let (Some(started), Some(totals)) = (started, totals) {
            let name = started.counts_as.as_deref().unwrap_or(job);
            totals.took(self.workflow, name, status, at - started.started_at);
        }
    }
}

/// The shortest sleep that is projected for lists: a shorter one would be over before anyone reads
/// it.
const SHORTEST_RECORDED: Duration = Duration::from_secs(5);

/// Reads the state of a run that this process has not started.
pub(crate) fn load(sql: &mut dyn Sql, run: RunId) -> Result<Option<RunMemo>, SqlError> {
    let row = sql.first(
        "SELECT r.id, r.workflow_id, r.owner_id, r.token, r.events, r.status, r.begun_at, \
         r.started_at, l.run, l.concurrency, r.parent_run, \
         EXISTS (SELECT 1 FROM workflows_task t WHERE t.run = r.id) FROM workflows_workflowrun r \
         LEFT JOIN workflows_limited l ON l.run = r.id WHERE r.run_id = $1",
        &[Value::Uuid(run.to_u128())],
    )?;
    let Some(row) = row else { return Ok(None) };
    let status = super::read::status(&row, 5)?;
    let begun_at = super::read::begun_at(&row, 6, row.time(7)?, status)?;
    let mut memo = RunMemo {
        row: row.int(0)?,
        workflow: row.int(1)?,
        owner: OwnerId::from_u128(row.maybe_uuid(2)?.unwrap_or(0)),
        token: row.count(3)?,
        events: row.count(4)?,
        status,
        begun_at: begun_at.map(to_micros),
        jobs: HashMap::new(),
        limits: row
            .maybe_int(8)?
            .map(|_| row.maybe_text(9).map(|key| key.map(Into::into)))
            .transpose()?,
        is_child: row.maybe_uuid(10)?.is_some(),
        has_tasks: row.bool(11)?,
        may_wait: false,
        is_recorded_waiting: false,
    };
    memo.is_recorded_waiting = super::waiting::is_recorded(sql, memo.row)?;
    for row in sql.query(&FOLLOWED, &[Value::Int(memo.row)])? {
        match (row.maybe_text(0)?, row.maybe_text(1)?) {
            (_, Some(body)) => memo.apply(&encode::decode(&body, None)?, None),
            (Some(ended), None) => drop(memo.jobs.remove(ended.as_str())),
            (None, None) => {}
        }
    }
    Ok(Some(memo))
}

/// The events that show which jobs are running, and which of them wait. The end of a job has no
/// body here: its output need not be read.
static FOLLOWED: LazyLock<String> = LazyLock::new(|| {
    let list = |kinds: &[&str]| format!("'{}'", kinds.join("', '"));
    let (ends, others) = (list(&EventKind::JOB_ENDS), list(&EventKind::ATTEMPT_CHANGES));
    format!(
        "SELECT job, CASE WHEN kind IN ({others}) THEN body END FROM workflows_event \
         WHERE run = $1 AND kind IN ({ends}, {others}) ORDER BY sequence"
    )
});
