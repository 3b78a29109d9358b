//! Appends events to runs.

use std::collections::HashMap;
use std::sync::Arc;

use workflow_core::Status;
use workflow_core::event::Waiting;
use workflow_core::id::RunId;
use workflow_core::store::{OwnerId, StoreError};

use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::value::Value;
use crate::exec::operation::{Answer, Cx};
use crate::exec::tx_totals::TxTotals;
use crate::exec::write_cache::{JobMemo, RunMemo};
use crate::rows::deferred::DeferredWrite;
use crate::rows::event::{self as encode, EncodedEvent, Subject};
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
    if !cx.write_cache.is_uncertain(new.lease.run) || last.sequence >= memo.events {
        return Ok(false);
    }
    let values = [Value::Int(memo.row), first.sequence.into(), last.sequence.into()];
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
        note(memo, event.at, &event.subject, totals.as_deref_mut());
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
}

/// Updates the running jobs.
fn note(memo: &mut RunMemo, at: i64, subject: &Subject, totals: Option<&mut TxTotals>) {
    match subject {
        Subject::JobStarted { job, counts_as, parent } => {
            let started = JobMemo {
                started_at: at,
                counts_as: counts_as.clone(),
                parent: parent.clone(),
                signal: None,
                sleep: None,
                is_under_way: true,
            };
            memo.jobs.insert(job.clone(), started);
        }
        Subject::JobEnded { job, status } => {
            if let (Some(started), Some(totals)) = (memo.jobs.remove(job), totals) {
                let name = started.counts_as.as_deref().unwrap_or(job);
                totals.took(memo.workflow, name, *status, at - started.started_at);
            }
        }
        Subject::AttemptEnded { job } => {
            if let Some(job) = memo.jobs.get_mut(job) {
                job.interrupt();
            }
        }
        Subject::Waits { job, waiting } => {
            if let Some(job) = memo.jobs.get_mut(job) {
                let of_job = match &**waiting {
                    Waiting::Signal { .. } => &mut job.signal,
                    _ => &mut job.sleep,
                };
                *of_job = Some(waiting.clone());
                memo.may_wait = true;
            }
        }
        Subject::WaitsNoMore { job } => {
            if let Some(job) = memo.jobs.get_mut(job) {
                job.signal = None;
            }
        }
        Subject::SleepsBriefly { job } => {
            if let Some(job) = memo.jobs.get_mut(job) {
                job.sleep = None;
            }
        }
        Subject::Resumed => {
            memo.jobs.values_mut().for_each(JobMemo::interrupt);
            memo.may_wait = false;
        }
        _ => {}
    }
}

/// Reads the state of a run that this process has not started.
pub(crate) fn load(sql: &mut dyn Sql, run: RunId) -> Result<Option<RunMemo>, SqlError> {
    let row = sql.first(
        "SELECT id, workflow_id, owner_id, token, events, status, begun_at, started_at \
         FROM workflows_workflowrun WHERE run_id = $1",
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
        begun_at: begun_at.map(crate::db::value::to_micros),
        jobs: HashMap::new(),
        may_wait: false,
        is_recorded_waiting: false,
    };
    memo.is_recorded_waiting = super::waiting::is_recorded(sql, memo.row)?;
    let rows = sql.query(FOLLOWED, &[Value::Int(memo.row)])?;
    for row in rows {
        let (at, kind, job) = (row.int(0)?, row.text(1)?, row.maybe_text(2)?);
        let subject = match (kind.as_str(), job) {
            // Its output need not be read.
            ("job_completed" | "job_failed" | "job_cancelled", Some(job)) => {
                Subject::JobEnded { job: job.into(), status: Status::Completed }
            }
            ("attempt_failed", Some(job)) => Subject::AttemptEnded { job: job.into() },
            ("signal_received", Some(job)) => Subject::WaitsNoMore { job: job.into() },
            _ => encode::subject(&encode::decode(&row.text(3)?, None)?, None),
        };
        note(&mut memo, at, &subject, None);
    }
    Ok(Some(memo))
}

/// The events that show which jobs are running, and which of them wait.
const FOLLOWED: &str = "SELECT at, kind, job, body FROM workflows_event WHERE run = $1 \
    AND kind IN ('job_started', 'attempt_failed', 'job_completed', 'job_failed', \
    'job_cancelled', 'signal_awaited', 'signal_received', 'sleep_started', 'run_resumed') \
    ORDER BY sequence";
