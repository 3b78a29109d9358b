//! Runs, listed and in detail.

use std::collections::HashMap;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value as Json;
use workflow_core::{
    Blocked, Event, EventKind, Failure, OwnerId, Parent, RunId, Stall, StallTracker, Status,
    Trigger,
};

use super::page::{Cursor, Page, cut, size};
use super::run_filter::{RunQuery, Within, select};
use super::{CatalogError, time};
use crate::operation::Answer;
use crate::runs;
use crate::sight::Sight;
use crate::sql::{Sql, SqlError};
use crate::statement::Statement;
use crate::value::{Row, to_micros};

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunSummary {
    /// Its number in the store.
    pub number: i64,
    /// Its id.
    pub id: RunId,
    /// The number of its workflow.
    pub workflow_id: i64,
    /// The name of its workflow.
    pub workflow: String,
    /// Where it stands.
    pub status: Status,
    /// Why it began.
    pub trigger: Trigger,
    /// The text by which a repeated request is known.
    pub idempotency_key: Option<String>,
    /// The job of another run that it belongs to.
    pub parent: Option<Parent>,
    /// Who asked for it.
    pub user: Option<String>,
    /// When it was asked for.
    #[serde(serialize_with = "time::serialize")]
    pub started_at: SystemTime,
    /// When its first job could begin.
    #[serde(serialize_with = "time::option::serialize")]
    pub begun_at: Option<SystemTime>,
    /// When it ended.
    #[serde(serialize_with = "time::option::serialize")]
    pub completed_at: Option<SystemTime>,
    /// Why it failed.
    pub error: Option<String>,
    /// How many events it has.
    pub events: u64,
    /// Who drives it, or drove it last; `None` once it was given back.
    pub owner: Option<OwnerId>,
    /// Why no engine takes it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
}

/// A run with its jobs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunDetails {
    /// What a list says of it.
    #[serde(flatten)]
    pub run: RunSummary,
    /// The input.
    pub input: Option<Json>,
    /// The workflow's output, `{}` until there is one. In place of one that is larger than
    /// [`MAX_INLINE`](crate::MAX_INLINE) stand its SHA-256 and its size.
    pub result: Json,
    /// The jobs, in the order in which they were first heard of.
    pub jobs: Vec<JobSummary>,
    /// Why it makes no progress, if it has not ended and makes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall: Option<Stall>,
}

/// A job of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JobSummary {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: Status,
    /// How many attempts there were.
    pub attempts: u32,
    /// When the last attempt began.
    #[serde(serialize_with = "time::option::serialize")]
    pub started_at: Option<SystemTime>,
    /// When it ended.
    #[serde(serialize_with = "time::option::serialize")]
    pub completed_at: Option<SystemTime>,
    /// What the last attempt failed with, or why there was none.
    pub error: Option<String>,
}

const COLUMNS: &str = "r.id, r.run_id, r.workflow_id, w.name, r.status, r.trigger, \
    r.idempotency_key, r.parent_run, r.parent_job, r.started_at, r.begun_at, r.completed_at, \
    r.error_message, r.events, r.owner_id, \
    (SELECT username FROM accounts_user u WHERE u.id = r.user_id), \
    (SELECT body FROM workflows_blocked b WHERE b.run = r.id)";

fn summary(row: &Row) -> Result<RunSummary, SqlError> {
    let parent = match (row.maybe_uuid(7)?, row.maybe_text(8)?) {
        (Some(run), Some(job)) => Some(Parent { run: RunId::from_u128(run), job }),
        _ => None,
    };
    let status = runs::status(row, 4)?;
    Ok(RunSummary {
        number: row.int(0)?,
        id: RunId::from_u128(row.uuid(1)?),
        workflow_id: row.int(2)?,
        workflow: row.text(3)?,
        status,
        trigger: runs::trigger(&row.text(5)?)?,
        idempotency_key: row.maybe_text(6)?,
        parent,
        user: row.maybe_text(15)?,
        started_at: row.time(9)?,
        begun_at: row.maybe_time(10)?,
        completed_at: row.maybe_time(11)?,
        error: row.maybe_text(12)?,
        events: row.count(13)?,
        owner: row.maybe_uuid(14)?.map(OwnerId::from_u128),
        blocked: runs::blocked(row, 16, status)?,
    })
}

/// The order in which runs are listed, as cursors name it.
const ORDER: &str = "newest";

/// What a list reads of each run.
pub(crate) fn listed() -> String {
    format!(
        "{COLUMNS} FROM workflows_workflowrun r JOIN workflows_workflow w ON w.id = r.workflow_id"
    )
}

/// A page of runs.
pub(crate) fn list(sql: &mut dyn Sql, sight: Sight, query: &RunQuery) -> Answer<Page<RunSummary>> {
    let cursor = Cursor::read(query.after.as_deref(), ORDER)?;
    let Some(within) = Within::of(sql, sight, query)? else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let size = size(query.limit);
    let rows = select(&listed(), query, sight, within, cursor.as_ref(), size + 1)?.query(sql)?;
    let items = rows.iter().map(summary).collect::<Result<Vec<_>, _>>()?;
    Ok(cut(items, size, |last| {
        Cursor { key: to_micros(last.started_at).to_string(), id: last.number }.write(ORDER)
    }))
}

/// A run without its jobs.
pub(crate) fn one(sql: &mut dyn Sql, sight: Sight, id: RunId) -> Answer<RunSummary> {
    Ok(summary(&row_of(sql, sight, id)?)?)
}

fn row_of(sql: &mut dyn Sql, sight: Sight, id: RunId) -> Answer<Row> {
    let mut query = Statement::default();
    query.add(&format!(
        "SELECT {COLUMNS}, r.input, r.result_data FROM workflows_workflowrun r \
         JOIN workflows_workflow w ON w.id = r.workflow_id WHERE r.run_id = "
    ));
    query.uuid(id.to_u128());
    sight.run(&mut query);
    Ok(query.first(sql)?.ok_or(CatalogError::NoRun(id))?)
}

/// The run with this number.
pub(crate) fn by_number(sql: &mut dyn Sql, sight: Sight, number: i64) -> Answer<Option<RunId>> {
    let mut query = Statement::default();
    query.add("SELECT r.run_id FROM workflows_workflowrun r WHERE r.id = ").number(number);
    sight.run(&mut query);
    let row = query.first(sql)?;
    Ok(row.map(|row| row.uuid(0)).transpose()?.map(RunId::from_u128))
}

/// A run with its jobs.
pub(crate) fn details(sql: &mut dyn Sql, sight: Sight, id: RunId) -> Answer<RunDetails> {
    let row = row_of(sql, sight, id)?;
    let mut jobs = Jobs::default();
    let mut stall = StallTracker::default();
    let mut from = 0;
    loop {
        let events = runs::events(sql, sight, id, from, PAGE)?;
        for event in &events {
            jobs.add(event);
            stall.apply(event);
        }
        from += events.len() as u64;
        if events.len() < PAGE {
            break;
        }
    }
    Ok(RunDetails {
        run: summary(&row)?,
        input: row.maybe_json(17)?,
        result: row.maybe_json(18)?.unwrap_or_default(),
        jobs: jobs.list,
        stall: stall.stall(SystemTime::now()),
    })
}

const PAGE: usize = 1000;

/// The jobs of a run, from its events.
#[derive(Default)]
struct Jobs {
    list: Vec<JobSummary>,
    places: HashMap<String, usize>,
}

impl Jobs {
    fn job(&mut self, name: &str) -> Option<&mut JobSummary> {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                self.list.push(JobSummary {
                    name: name.to_owned(),
                    status: Status::Pending,
                    attempts: 0,
                    started_at: None,
                    completed_at: None,
                    error: None,
                });
                self.places.insert(name.to_owned(), self.list.len() - 1);
                self.list.len() - 1
            }
        };
        self.list.get_mut(place)
    }

    fn add(&mut self, event: &Event) {
        let Some(job) = event.kind.job().and_then(|name| self.job(name)) else { return };
        let mut end = |status, error: Option<String>| {
            job.status = status;
            job.completed_at = Some(event.at);
            job.error = error;
        };
        let text = |error: &Failure| Some(error.to_string());
        match &event.kind {
            EventKind::JobStarted { attempt, .. } => {
                job.status = Status::Running;
                job.attempts = job.attempts.max(*attempt);
                job.started_at = Some(event.at);
            }
            EventKind::AttemptFailed { error, .. } => job.error = text(error),
            EventKind::JobCompleted { .. } => end(Status::Completed, None),
            EventKind::JobFailed { error, .. } => end(Status::Failed, text(error)),
            EventKind::JobSkipped { reason, .. } => end(Status::Skipped, Some(reason.clone())),
            EventKind::JobCancelled { .. } => end(Status::Cancelled, None),
            _ => {}
        }
    }
}
