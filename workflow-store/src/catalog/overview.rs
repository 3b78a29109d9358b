//! Overviews: runs over time, runs by status, and the use of molecules and atoms.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use workflow_core::Status;

use super::recent::duration;
use super::resolve;
use super::run_filter::{RunQuery, Within, select};
use super::stats::Sum;
use crate::catalog_error::Answer;
use crate::db::sql::Sql;
use crate::db::statement::Statement;
use crate::db::value::{from_micros, to_micros};
use crate::visibility::Visibility;
use crate::{rfc3339, runs};

/// The number of runs in each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct StatusCounts {
    /// Pending runs.
    pub pending: u64,
    /// Running runs.
    pub running: u64,
    /// Completed runs.
    pub completed: u64,
    /// Failed runs.
    pub failed: u64,
    /// Cancelled runs.
    pub cancelled: u64,
}

impl StatusCounts {
    fn add(&mut self, status: Status, count: u64) {
        match status {
            Status::Pending => self.pending += count,
            Status::Running => self.running += count,
            Status::Completed => self.completed += count,
            Status::Failed => self.failed += count,
            Status::Cancelled => self.cancelled += count,
            Status::Skipped => {}
        }
    }
}

/// Runs over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    /// Spans of equal length, in order, including those without runs.
    pub spans: Vec<TimelineSpan>,
    /// The time since which the timeline is complete. It is later than requested if there are more
    /// than 100,000 runs.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub complete_since: SystemTime,
}

/// The runs requested within a span of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelineSpan {
    /// The beginning of the span.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub at: SystemTime,
    /// The current number of these runs in each status.
    #[serde(flatten)]
    pub counts: StatusCounts,
    /// The median duration of finished runs, an upper bound accurate to 9.1 %.
    pub p50: Option<Duration>,
    /// The 95th percentile; `None` for fewer than 20 finished runs.
    pub p95: Option<Duration>,
    /// The longest duration.
    pub max: Option<Duration>,
}

/// The most runs and spans of a timeline.
const MOST_RUNS: usize = 100_000;
const MOST_SPANS: u64 = 1000;

/// Computes a timeline since a time; with `workflow`, of one workflow.
pub(crate) fn timeline(
    sql: &mut dyn Sql,
    visibility: Visibility,
    since: SystemTime,
    span: Duration,
    workflow: Option<i64>,
) -> Answer<Timeline> {
    let now = SystemTime::now();
    let whole = now.duration_since(since).unwrap_or_default();
    let least = Duration::from_secs(1).max(whole / u32::try_from(MOST_SPANS).unwrap_or(1));
    let spans = Spans {
        since: to_micros(since),
        span: to_micros(SystemTime::UNIX_EPOCH + span.max(least)),
    };
    let found = workflow.map(|id| resolve::by_id(sql, visibility, id)).transpose()?;
    let rows = runs_since(visibility, since, found)?.query(sql)?;
    let mut sums: BTreeMap<i64, (StatusCounts, Sum)> =
        (0..=spans.place(to_micros(now))).map(|place| (place, Default::default())).collect();
    let mut complete_since = since;
    if rows.len() >= MOST_RUNS
        && let Some(last) = rows.last()
    {
        complete_since = last.time(1)?;
    }
    for row in &rows {
        let (status, started_at) = (runs::status(row, 0)?, row.time(1)?);
        let (counts, sum) = sums.entry(spans.place(to_micros(started_at))).or_default();
        counts.add(status, 1);
        if let Some(took) = duration(started_at, row.maybe_time(2)?, row.maybe_time(3)?) {
            sum.add_one(took);
        }
    }
    let span = |(place, (counts, sum)): (&i64, &(StatusCounts, Sum))| TimelineSpan {
        at: spans.at(*place),
        counts: *counts,
        p50: sum.p50(),
        p95: sum.p95(),
        max: sum.max(),
    };
    Ok(Timeline { spans: sums.iter().map(span).collect(), complete_since })
}

/// Spans of time, in microseconds.
struct Spans {
    since: i64,
    span: i64,
}

impl Spans {
    fn place(&self, at: i64) -> i64 {
        (at - self.since).max(0) / self.span
    }

    fn at(&self, place: i64) -> SystemTime {
        from_micros(self.since.saturating_add(place.saturating_mul(self.span)))
    }
}

/// The newest runs since a time, up to the limit.
pub(crate) fn runs_since(
    visibility: Visibility,
    since: SystemTime,
    workflow: Option<resolve::Found>,
) -> Answer<Statement> {
    let query = RunQuery { since: Some(since), ..RunQuery::default() };
    let within = Within { workflow, user: None };
    select(SPANNED, &query, visibility, within, None, MOST_RUNS)
}

const SPANNED: &str =
    "r.status, r.started_at, r.begun_at, r.completed_at FROM workflows_workflowrun r";

/// The number of runs in each status.
pub(crate) fn status_counts(sql: &mut dyn Sql, visibility: Visibility) -> Answer<StatusCounts> {
    let mut counts = StatusCounts::default();
    for row in count_statuses(visibility).query(sql)? {
        counts.add(runs::status(&row, 0)?, row.count(1)?);
    }
    Ok(counts)
}

pub(crate) fn count_statuses(visibility: Visibility) -> Statement {
    let mut statement = Statement::default();
    let counted = "SELECT r.status, count(*) FROM workflows_workflowrun r";
    let Visibility::User(user) = visibility else {
        statement.add(counted).add(" GROUP BY r.status");
        return statement;
    };
    statement
        .add(counted)
        .add(" WHERE r.user_id = ")
        .number(user)
        .add(" GROUP BY r.status UNION ALL ");
    statement.add(counted).add(" WHERE r.workflow_user_id = ").number(user);
    statement.add(" AND coalesce(r.user_id, -1) <> ").number(user).add(" GROUP BY r.status");
    statement
}

/// The use of molecules and atoms in workflows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Usage {
    /// The molecules, by number of runs, at most 1,000.
    pub molecules: Vec<MoleculeUsage>,
    /// The atoms of each molecule, by number of runs, at most 1,000.
    pub atoms: Vec<AtomUsage>,
}

/// The use of a molecule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoleculeUsage {
    /// The name.
    pub name: String,
    /// The number of workflows that use it.
    pub workflows: u64,
    /// The number of runs of these workflows.
    pub executions: u64,
}

/// The use of an atom of a molecule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AtomUsage {
    /// The name.
    pub name: String,
    /// The molecule.
    pub molecule: String,
    /// The number of workflows that use it in this molecule.
    pub workflows: u64,
    /// The number of runs of these workflows.
    pub executions: u64,
}

/// Reads the use of molecules and atoms.
pub(crate) fn usage(sql: &mut dyn Sql, visibility: Visibility) -> Answer<Usage> {
    let mut usage = Usage::default();
    for row in used(visibility, MOLECULES).query(sql)? {
        let (name, workflows, executions) = (row.text(1)?, row.count(2)?, row.count(3)?);
        usage.molecules.push(MoleculeUsage { name, workflows, executions });
    }
    for row in used(visibility, ATOMS).query(sql)? {
        let molecule = row.text(0)?.trim_start_matches('.').to_owned();
        let (name, workflows, executions) = (row.text(1)?, row.count(2)?, row.count(3)?);
        usage.atoms.push(AtomUsage { name, molecule, workflows, executions });
    }
    Ok(usage)
}

pub(crate) const MOLECULES: &str = "l.kind = 'molecule' AND l.path = ''";
/// The path of an atom is a dot and its molecule; a slash comes after the dot.
pub(crate) const ATOMS: &str = "l.kind = 'atom' AND l.path >= '.' AND l.path < '/'";

pub(crate) fn used(visibility: Visibility, labels: &str) -> Statement {
    let mut statement = Statement::default();
    statement.add(&format!(
        "SELECT l.path, l.value, count(*), CAST(coalesce(sum(w.execution_count), 0) AS BIGINT) \
         FROM workflows_label l JOIN workflows_workflow w ON w.id = l.workflow_id WHERE {labels}"
    ));
    visibility.workflow(&mut statement);
    statement.add(" GROUP BY l.path, l.value ORDER BY 4 DESC, 2, 1 LIMIT 1000");
    statement
}
