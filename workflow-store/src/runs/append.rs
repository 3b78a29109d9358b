//! Events are added to a run.

use std::collections::HashMap;
use std::sync::Arc;

use workflow_core::{Event, Lease, OwnerId, RunId, Status, StoreError, Waiting};

use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::value::Value;
use crate::exec::operation::{Answer, Cx};
use crate::exec::write_cache::{JobMemo, RunMemo, Tally};
use crate::rows::deferred::Late;
use crate::rows::event::{self as encode, EncodedEvent, Subject};

/// Events that are to be added, with their rows prepared.
#[derive(Debug)]
pub(crate) struct Appended {
    lease: Lease,
    pub(crate) events: Vec<EncodedEvent>,
}

impl Appended {
    pub(crate) fn new(lease: &Lease, events: &[Event]) -> Result<Self, StoreError> {
        Ok(Self { lease: *lease, events: EncodedEvent::all(events)? })
    }
}

/// What becomes of a run with some events.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Status,
    pub(crate) begun_at: Option<i64>,
    pub(crate) completed_at: Option<i64>,
    pub(crate) error: Option<String>,
    pub(crate) result: Option<String>,
}

/// Checks that events follow, and says what becomes of the run.
pub(crate) fn check(
    run: RunId,
    events: u64,
    status: Status,
    new: &[EncodedEvent],
) -> Result<Outcome, StoreError> {
    let mut outcome =
        Outcome { status, begun_at: None, completed_at: None, error: None, result: None };
    for (wanted, event) in (events..).zip(new) {
        if event.sequence != wanted {
            return Err(StoreError::Gap { run, wanted, found: event.sequence });
        }
        let Some(next) = event.status else { continue };
        let changed = outcome.status.check_change(next);
        changed.map_err(|error| StoreError::Transition { run, error })?;
        outcome.status = next;
        match (&event.subject, next) {
            (_, Status::Running) => {
                outcome.begun_at.get_or_insert(event.at);
            }
            (Subject::Completed { result }, _) => outcome.result = Some(result.clone()),
            (Subject::Failed { error }, _) => outcome.error = Some(error.clone()),
            _ => {}
        }
        if next.is_final() {
            outcome.completed_at = Some(event.at);
        }
    }
    Ok(outcome)
}

/// Adds events to a run.
pub(crate) fn append(cx: &mut Cx<'_>, new: &Arc<Appended>) -> Answer<()> {
    let run = new.lease.run;
    cx.memory.touch(run);
    let holds = |memo: &RunMemo| memo.owner == new.lease.owner && memo.token == new.lease.token;
    let mut memo = match cx.memory.take_run(run).filter(holds) {
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
    let step = Step::new(&memo, check(run, memo.events, memo.status, &new.events)?, new);
    if cx.tally.waits && new.events.iter().all(|event| event.blob.is_none()) {
        follow(&mut memo, cx.tally, &new.events, &step.outcome);
        cx.tally.late.push(Late::Append(new.clone(), step));
    } else {
        write(cx.sql, run, &step, new)?;
        follow(&mut memo, cx.tally, &new.events, &step.outcome);
    }
    memo.tell_waiting(cx.tally)?;
    for blocked in new.events.iter().filter_map(|event| event.blocked.as_ref()) {
        block(cx.sql, memo.row, blocked.as_deref())?;
    }
    cx.memory.know_run(run, memo);
    Ok(())
}

/// Notes what blocks a run, or that nothing does any more.
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

/// Whether the same events were added before, by a request whose answer was lost.
fn is_kept_already(cx: &mut Cx<'_>, memo: &RunMemo, new: &Appended) -> Result<bool, SqlError> {
    let (Some(first), Some(last)) = (new.events.first(), new.events.last()) else {
        return Ok(false);
    };
    if !cx.memory.is_doubted(new.lease.run) || last.sequence >= memo.events {
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

/// How the row of a run changes, if it still is as it was.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) row: i64,
    pub(crate) owner: u128,
    pub(crate) token: u64,
    pub(crate) before: u64,
    pub(crate) after: u64,
    pub(crate) begun_at: Option<i64>,
    /// Whether more changes than the number of events.
    pub(crate) changes: bool,
    pub(crate) outcome: Outcome,
}

impl Step {
    fn new(memo: &RunMemo, outcome: Outcome, new: &Appended) -> Self {
        Self {
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

    /// The statement that changes one row, or none.
    pub(crate) fn statement(&self) -> (&'static str, Vec<Value<'_>>) {
        let guard =
            [Value::Int(self.row), Value::Uuid(self.owner), self.token.into(), self.before.into()];
        let mut values = vec![self.after.into()];
        if self.changes {
            values.extend([
                Value::Text(self.outcome.status.as_str()),
                self.begun_at.map(Value::Time).unwrap_or(Value::Null),
                self.outcome.completed_at.map(Value::Time).unwrap_or(Value::Null),
                self.outcome.error.as_deref().into(),
                Value::Text(self.outcome.result.as_deref().unwrap_or("{}")),
            ]);
        }
        values.extend(guard);
        (if self.changes { CHANGE } else { GROW }, values)
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
    // What is remembered of the run is so no more. It is forgotten with this transaction, and the
    // next attempt finds out.
    Err(SqlError::new(SqlKind::Conflict, format!("run {run} was changed meanwhile")))
}

/// Brings a memo up to date with events of another run, whose jobs were counted there.
pub(crate) fn follow_reused(memo: &mut RunMemo, events: &[EncodedEvent], outcome: &Outcome) {
    advance(memo, None, events, outcome);
    memo.status = outcome.status;
}

fn advance(
    memo: &mut RunMemo,
    mut tally: Option<&mut Tally>,
    events: &[EncodedEvent],
    outcome: &Outcome,
) {
    memo.events += events.len() as u64;
    memo.begun_at = memo.begun_at.or(outcome.begun_at);
    for event in events {
        note(memo, event.at, &event.subject, tally.as_deref_mut());
    }
}

/// Brings a memo up to date, and counts what ended.
pub(crate) fn follow(
    memo: &mut RunMemo,
    tally: &mut Tally,
    events: &[EncodedEvent],
    outcome: &Outcome,
) {
    advance(memo, Some(tally), events, outcome);
    if !memo.status.is_final()
        && let (Some(from), Some(to)) = (memo.begun_at, outcome.completed_at)
    {
        tally.took(memo.workflow, "", outcome.status, to - from);
    }
    memo.status = outcome.status;
}

/// Follows the jobs that are under way.
fn note(memo: &mut RunMemo, at: i64, subject: &Subject, tally: Option<&mut Tally>) {
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
            if let (Some(started), Some(tally)) = (memo.jobs.remove(job), tally) {
                let name = started.counts_as.as_deref().unwrap_or(job);
                tally.took(memo.workflow, name, *status, at - started.started_at);
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

/// Reads what there is to know of a run that this process has not begun.
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
        is_told_waiting: false,
    };
    memo.is_told_waiting = super::waiting::is_told(sql, memo.row)?;
    let rows = sql.query(FOLLOWED, &[Value::Int(memo.row)])?;
    for row in rows {
        let (at, kind, job) = (row.int(0)?, row.text(1)?, row.maybe_text(2)?);
        let subject = match (kind.as_str(), job) {
            // What it left need not be read.
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

/// The events that tell which jobs are under way, and which of them wait.
const FOLLOWED: &str = "SELECT at, kind, job, body FROM workflows_event WHERE run = $1 \
    AND kind IN ('job_started', 'attempt_failed', 'job_completed', 'job_failed', \
    'job_cancelled', 'signal_awaited', 'signal_received', 'sleep_started', 'run_resumed') \
    ORDER BY sequence";

const GROW: &str = "UPDATE workflows_workflowrun SET events = $1 \
    WHERE id = $2 AND owner_id = $3 AND token = $4 AND events = $5";

const CHANGE: &str = "UPDATE workflows_workflowrun SET events = $1, status = $2, begun_at = $3, \
    completed_at = $4, error_message = $5, result_data = $6 \
    WHERE id = $7 AND owner_id = $8 AND token = $9 AND events = $10";
