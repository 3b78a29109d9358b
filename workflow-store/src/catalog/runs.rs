//! Lists and details of runs.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value as Json;
use workflow_core::Status;
use workflow_core::event::{Failure, JobView, RunView, Stall, Waiting};
use workflow_core::id::RunId;
use workflow_core::store::{OwnerId, Parent, Trigger};

use super::CatalogError;
use super::run_filter::{RunQuery, Within, select};
use crate::catalog_error::Answer;
use crate::db::sql::{Sql, SqlError};
use crate::db::statement::Statement;
use crate::db::value::{Row, from_nanos, to_micros};
use crate::page::{Cursor, Page, cut, size};
use crate::visibility::Visibility;
use crate::{rfc3339, runs};

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// The number in the store.
    pub number: i64,
    /// The id.
    pub id: RunId,
    /// The number of the workflow.
    pub workflow_id: i64,
    /// The name of the workflow.
    pub workflow: String,
    /// The status.
    pub status: Status,
    /// The trigger.
    pub trigger: Trigger,
    /// The idempotency key.
    pub idempotency_key: Option<String>,
    /// The job of another run that started it.
    pub parent: Option<Parent>,
    /// The user who requested it.
    pub user: Option<String>,
    /// The time of the schedule for which it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub scheduled_for: Option<SystemTime>,
    /// When it was requested.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub started_at: SystemTime,
    /// When it started.
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub begun_at: Option<SystemTime>,
    /// When it ended.
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub completed_at: Option<SystemTime>,
    /// The error.
    pub error: Option<String>,
    /// The number of events.
    pub events: u64,
    /// The current or last owner; `None` after its lease was released.
    pub owner: Option<OwnerId>,
    /// The task queue in which it waits when no engine drives it.
    pub task_queue: String,
    /// The priority among the runs of its task queue.
    pub priority: i32,
    /// Why the run is blocked, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall: Option<Stall>,
}

/// A run with its jobs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunDetails {
    /// The summary.
    #[serde(flatten)]
    pub run: RunSummary,
    /// The input.
    pub input: Option<Json>,
    /// The output, `{}` until there is one. A large one, over [`MAX_INLINE`](crate::MAX_INLINE), is
    /// replaced by its SHA-256 and its size.
    pub result: Json,
    /// The jobs: first those of the graph, started or not, then those that jobs have started.
    pub jobs: Vec<JobSummary>,
    /// The waiting jobs, with what they wait for. Other jobs may be running.
    pub waiting: Vec<Waiting>,
    /// Whether cancellation was requested and the run has not ended.
    pub is_cancelling: bool,
    /// The run that it retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<RunId>,
    /// The version of the workflow; `None` for code, and for a file that is not a version of the
    /// workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_version: Option<i64>,
}

/// A job of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobSummary {
    /// The name.
    pub name: String,
    /// The status.
    pub status: Status,
    /// The number of attempts.
    pub attempts: u32,
    /// When the first attempt started.
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub started_at: Option<SystemTime>,
    /// When the last attempt started.
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub attempt_started_at: Option<SystemTime>,
    /// When it ended.
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub completed_at: Option<SystemTime>,
    /// The error of the last attempt, or why there was no attempt.
    pub error: Option<String>,
    /// The decisive line of the error, where only one fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_line: Option<String>,
    /// When the next attempt starts, while the job waits for it.
    #[serde(
        serialize_with = "rfc3339::option::serialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub retry_at: Option<SystemTime>,
    /// The job that started it, if it is not in the graph.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_by: Option<String>,
    /// Whether its outcome was reused from the retried run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_reused: bool,
}

impl JobSummary {
    fn new(job: &JobView, begun_at: Option<SystemTime>) -> Self {
        let error = job.error.as_ref();
        Self {
            name: job.name.clone(),
            status: job.status,
            attempts: job.attempt_count(),
            started_at: job.started_at(),
            attempt_started_at: job.attempts.last().map(|attempt| attempt.started_at),
            completed_at: job.ended_at,
            error: error.map(ToString::to_string).or_else(|| job.skipped_because.clone()),
            error_line: error.map(Failure::decisive_line),
            retry_at: job.retry_at,
            started_by: job.started_by.clone(),
            is_reused: job.started_at().is_some_and(|at| begun_at.is_some_and(|begun| at < begun)),
        }
    }
}

const COLUMNS: &str = "r.id, r.run_id, r.workflow_id, w.name, r.status, r.trigger, \
    r.idempotency_key, r.parent_run, r.parent_job, r.started_at, r.begun_at, r.completed_at, \
    r.error_message, r.events, r.owner_id, \
    (SELECT username FROM accounts_user u WHERE u.id = r.user_id), \
    (SELECT body FROM workflows_blocked b WHERE b.run = r.id), \
    (SELECT body FROM workflows_waiting v WHERE v.run = r.id), r.task_queue, r.priority, \
    r.scheduled_for";

fn summary(row: &Row) -> Result<RunSummary, SqlError> {
    let parent = match (row.maybe_uuid(7)?, row.maybe_text(8)?) {
        (Some(run), Some(job)) => Some(Parent { run: RunId::from_u128(run), job }),
        _ => None,
    };
    let status = runs::status(row, 4)?;
    let stall = match runs::blocked(row, 16, status)? {
        Some(blocked) => Some(Stall::Blocked(blocked)),
        None => runs::waits(row, 17, status)?,
    };
    let started_at = row.time(9)?;
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
        scheduled_for: row.maybe_int(20)?.map(from_nanos),
        started_at,
        begun_at: runs::begun_at(row, 10, started_at, status)?,
        completed_at: row.maybe_time(11)?,
        error: row.maybe_text(12)?,
        events: row.count(13)?,
        owner: row.maybe_uuid(14)?.map(OwnerId::from_u128),
        task_queue: row.text(18)?,
        priority: i32::try_from(row.int(19)?).unwrap_or_default(),
        stall,
    })
}

/// The order of runs in cursors.
const ORDER: &str = "newest";

/// The columns of a run in a list.
pub(crate) fn listed() -> String {
    format!(
        "{COLUMNS} FROM workflows_workflowrun r JOIN workflows_workflow w ON w.id = r.workflow_id"
    )
}

/// A page of runs.
pub(crate) fn list(
    sql: &mut dyn Sql,
    visibility: Visibility,
    query: &RunQuery,
) -> Answer<Page<RunSummary>> {
    let cursor = Cursor::read(query.after.as_deref(), ORDER)?;
    let Some(within) = Within::of(sql, visibility, query)? else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let size = size(query.limit);
    let rows =
        select(&listed(), query, visibility, within, cursor.as_ref(), size + 1)?.query(sql)?;
    let items = rows.iter().map(summary).collect::<Result<Vec<_>, _>>()?;
    Ok(cut(items, size, |last| {
        Cursor { key: to_micros(last.started_at).to_string(), id: last.number }.write(ORDER)
    }))
}

/// A run without its jobs.
pub(crate) fn one(sql: &mut dyn Sql, visibility: Visibility, id: RunId) -> Answer<RunSummary> {
    Ok(summary(&row_of(sql, visibility, id)?)?)
}

fn row_of(sql: &mut dyn Sql, visibility: Visibility, id: RunId) -> Answer<Row> {
    let mut query = Statement::default();
    query.add(&format!(
        "SELECT {COLUMNS}, r.input, r.result_data, d.graph, d.version FROM workflows_workflowrun r \
         JOIN workflows_workflow w ON w.id = r.workflow_id \
         LEFT JOIN workflows_definition d ON d.id = r.definition_id WHERE r.run_id = "
    ));
    query.uuid(id.to_u128());
    visibility.run(&mut query);
    Ok(query.first(sql)?.ok_or(CatalogError::NoRun(id))?)
}

/// A run with its jobs.
pub(crate) fn details(sql: &mut dyn Sql, visibility: Visibility, id: RunId) -> Answer<RunDetails> {
    let row = row_of(sql, visibility, id)?;
    let mut view = match row.maybe_json(23)? {
        Some(graph) => RunView::of_graph(&graph),
        None => RunView::default(),
    };
    let mut from = 0;
    loop {
        let events = runs::events(sql, visibility, id, from, PAGE)?;
        events.iter().for_each(|event| view.apply(event));
        from += events.len() as u64;
        if events.len() < PAGE {
            break;
        }
    }
    let now = SystemTime::now();
    Ok(RunDetails {
        run: RunSummary { stall: view.stall(now), ..summary(&row)? },
        input: row.maybe_json(21)?,
        result: row.maybe_json(22)?.unwrap_or_default(),
        jobs: view.jobs().iter().map(|job| JobSummary::new(job, view.begun_at())).collect(),
        waiting: view.waiting(now),
        is_cancelling: view.is_cancelling(),
        retry_of: view.retry_of(),
        workflow_version: row.maybe_int(24)?,
    })
}

const PAGE: usize = 1000;
