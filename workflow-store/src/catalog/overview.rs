//! What an overview shows: runs over time, how many stand where, and what workflows are made of.

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
use crate::rfc3339;
use crate::runs;
use crate::visibility::Visibility;

/// How many runs stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct StatusCounts {
    /// Not begun.
    pub pending: u64,
    /// Under way.
    pub running: u64,
    /// Ended well.
    pub completed: u64,
    /// Ended badly.
    pub failed: u64,
    /// Stopped by request.
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
    /// Spans of time, in order, each as long as the others; those without runs among them.
    pub spans: Vec<TimelineSpan>,
    /// From when on no run is left out, which is later than what was asked for when there were
    /// more than 100,000 runs since.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub complete_since: SystemTime,
}

/// The runs that were asked for within a span of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelineSpan {
    /// When it begins.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub at: SystemTime,
    /// How many of them stand where by now.
    #[serde(flatten)]
    pub counts: StatusCounts,
    /// Half of those that ended took no longer; at most 9.1 % too long.
    pub p50: Option<Duration>,
    /// 95 of 100 took no longer; none of fewer than 20, whose longest it would be.
    pub p95: Option<Duration>,
    /// The longest.
    pub max: Option<Duration>,
}

/// How many runs a timeline reads, and how many spans it has, at most.
const MOST_RUNS: usize = 100_000;
const MOST_SPANS: u64 = 1000;

/// The runs since a time; of a workflow, with `workflow`.
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

/// The newest runs since a time, as many as are read.
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

/// How many runs stand where.
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

/// What workflows are made of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Usage {
    /// The molecules, those that ran most often first; 1,000 at most.
    pub molecules: Vec<MoleculeUsage>,
    /// The atoms of each molecule, those that ran most often first; 1,000 at most.
    pub atoms: Vec<AtomUsage>,
}

/// How much a molecule is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoleculeUsage {
    /// Its name.
    pub name: String,
    /// How many workflows use it.
    pub workflows: u64,
    /// How many runs of these began.
    pub executions: u64,
}

/// How much an atom of a molecule is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AtomUsage {
    /// Its name.
    pub name: String,
    /// The molecule.
    pub molecule: String,
    /// How many workflows use it there.
    pub workflows: u64,
    /// How many runs of these began.
    pub executions: u64,
}

/// How much molecules and atoms are used.
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
