//! Statistics from histograms of durations of runs and jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};
use workflow_core::Status;

use super::recent::duration;
use super::resolve::resolve;
use crate::catalog_error::Answer;
use crate::db::sql::Sql;
use crate::db::value::{Row, Value, signed};
use crate::histogram::{bucket, upper};
use crate::runs;
use crate::visibility::Visibility;

/// The run counts, success rate and durations of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// The number of the workflow.
    pub workflow_id: i64,
    /// Its name.
    pub workflow: String,
    /// The number of requested runs, also of those that wait.
    pub requested: u64,
    /// The outcomes of its runs, and their durations from the first event to the last.
    #[serde(flatten)]
    pub runs: Durations,
    /// Its jobs, by name; all elements of a map count as one job.
    pub jobs: Vec<JobStatistics>,
}

/// The outcome counts and durations of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobStatistics {
    /// Its name.
    pub job: String,
    /// Its outcomes, and the durations of the last attempts.
    #[serde(flatten)]
    pub durations: Durations,
}

/// Outcomes and durations.
///
/// Percentiles are upper bounds, accurate to 9.1 %; the longest and the mean are exact. Serialized,
/// they are numbers of seconds: `mean_seconds`, `p50_seconds`, `p95_seconds` and `max_seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Durations {
    /// The number of completed ones.
    pub completed: u64,
    /// The number of failed ones.
    pub failed: u64,
    /// The number of cancelled ones.
    pub cancelled: u64,
    /// The share of completed ones among completed and failed ones, 0 to 1; `None` if there are
    /// none.
    pub success_rate: Option<f64>,
    /// The mean duration.
    #[serde(rename = "mean_seconds", serialize_with = "seconds")]
    pub mean: Duration,
    /// The median duration (p50).
    #[serde(rename = "p50_seconds", serialize_with = "seconds")]
    pub p50: Duration,
    /// The 95th percentile (p95); `None` for fewer than 20.
    #[serde(rename = "p95_seconds", serialize_with = "seconds")]
    pub p95: Option<Duration>,
    /// The longest duration.
    #[serde(rename = "max_seconds", serialize_with = "seconds")]
    pub max: Duration,
}

impl Durations {
    fn ended(&self) -> u64 {
        self.completed + self.failed + self.cancelled
    }
}

fn seconds<S: Serializer>(
    span: &(impl Copy + Into<Option<Duration>>),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let span: Option<Duration> = (*span).into();
    span.map(|span| span.as_secs_f64()).serialize(serializer)
}

/// With fewer durations, the 95th percentile would be the longest.
const LEAST_FOR_P95: u64 = 20;

/// Adds up buckets.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    buckets: BTreeMap<i64, u64>,
    by_status: BTreeMap<String, u64>,
    total: u64,
    longest: u64,
}

impl Sum {
    /// Adds a duration.
    pub(crate) fn add_one(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        *self.buckets.entry(bucket(signed(micros)).into()).or_default() += 1;
        self.longest = self.longest.max(micros);
    }

    /// The median, if there are any durations.
    pub(crate) fn p50(&self) -> Option<Duration> {
        (!self.buckets.is_empty()).then(|| self.percentile(0.5))
    }

    /// The 95th percentile, if there are enough durations.
    pub(crate) fn p95(&self) -> Option<Duration> {
        let count: u64 = self.buckets.values().sum();
        (count >= LEAST_FOR_P95).then(|| self.percentile(0.95))
    }

    /// The longest duration, if there are any.
    pub(crate) fn max(&self) -> Option<Duration> {
        (!self.buckets.is_empty()).then(|| Duration::from_micros(self.longest))
    }

    /// Adds a run that another application has inserted and ended.
    fn add_inserted(&mut self, row: &Row) -> Answer<()> {
        let status = runs::status(row, 1)?;
        if !status.is_final() {
            return Ok(());
        }
        *self.by_status.entry(status.as_str().to_owned()).or_default() += 1;
        if let Some(took) = duration(row.time(2)?, None, row.maybe_time(3)?) {
            self.add_one(took);
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            self.total = self.total.saturating_add(micros);
        }
        Ok(())
    }

    fn add(&mut self, row: &Row) -> Answer<()> {
        let count = row.count(4)?;
        *self.buckets.entry(row.int(3)?).or_default() += count;
        *self.by_status.entry(row.text(2)?).or_default() += count;
        self.total = self.total.saturating_add(row.count(5)?);
        self.longest = self.longest.max(row.count(6)?);
        Ok(())
    }

    /// The percentile of a share.
    fn percentile(&self, share: f64) -> Duration {
        let count: u64 = self.buckets.values().sum();
        let wanted = (count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in &self.buckets {
            seen += count;
            if seen >= wanted.max(1) {
                let upper = upper(i32::try_from(*bucket).unwrap_or(0)).unsigned_abs();
                return Duration::from_micros(upper.min(self.longest));
            }
        }
        Duration::ZERO
    }

    fn finish(&self) -> Durations {
        let of = |status: Status| self.by_status.get(status.as_str()).copied().unwrap_or(0);
        let (completed, failed) = (of(Status::Completed), of(Status::Failed));
        let count: u64 = self.buckets.values().sum();
        let judged = completed + failed;
        Durations {
            completed,
            failed,
            cancelled: of(Status::Cancelled),
            success_rate: (judged > 0).then(|| completed as f64 / judged as f64),
            mean: Duration::from_micros(self.total.checked_div(count).unwrap_or(0)),
            p50: self.percentile(0.5),
            p95: self.p95(),
            max: Duration::from_micros(self.longest),
        }
    }
}

/// Reads the statistics of a workflow, or of all; a user only sees those of their own workflows.
pub(crate) fn statistics(
    sql: &mut dyn Sql,
    visibility: Visibility,
    which: Option<&str>,
) -> Answer<Vec<Statistics>> {
    let rows = match (which, visibility) {
        (Some(which), _) => {
            let found = resolve(sql, visibility, which)?;
            if !found.is_own {
                return Ok(Vec::new());
            }
            let id = [Value::Int(found.id)];
            let inserted = sql.query(INSERTED_OF_ONE, &id)?;
            (sql.query(ONE, &id)?, sql.query(BUCKETS_OF_ONE, &id)?, inserted)
        }
        (None, Visibility::All | Visibility::Staff(_)) => {
            let inserted = sql.query(INSERTED, &[])?;
            (sql.query(ALL, &[])?, sql.query(BUCKETS_OF_ALL, &[])?, inserted)
        }
        (None, Visibility::User(user)) => {
            let user = [Value::Int(user)];
            let inserted = sql.query(INSERTED_OF_OWN, &user)?;
            (sql.query(OWN, &user)?, sql.query(BUCKETS_OF_OWN, &user)?, inserted)
        }
    };
    let (workflows, buckets, inserted) = rows;
    let mut sums: BTreeMap<(i64, String), Sum> = BTreeMap::new();
    for row in &buckets {
        sums.entry((row.int(0)?, row.text(1)?)).or_default().add(row)?;
    }
    for row in &inserted {
        sums.entry((row.int(0)?, String::new())).or_default().add_inserted(row)?;
    }
    let mut all = Vec::with_capacity(workflows.len());
    for row in &workflows {
        let id = row.int(0)?;
        let mut statistics = Statistics {
            workflow_id: id,
            workflow: row.text(1)?,
            requested: row.count(2)?,
            runs: Durations::default(),
            jobs: Vec::new(),
        };
        let of_this = sums.range((id, String::new())..).take_while(|((of, _), _)| *of == id);
        for ((_, job), sum) in of_this {
            match job.as_str() {
                "" => {
                    statistics.runs = sum.finish();
                    // Other applications may not count inserted runs.
                    statistics.requested = statistics.requested.max(statistics.runs.ended());
                }
                _ => statistics
                    .jobs
                    .push(JobStatistics { job: job.clone(), durations: sum.finish() }),
            }
        }
        all.push(statistics);
    }
    Ok(all)
}

/// Workflows and their run counts, including runs that other applications have inserted and may not
/// have counted.
macro_rules! workflows {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, coalesce(execution_count, 0) FROM workflows_workflow WHERE ",
            $rest
        )
    };
}

pub(crate) const ONE: &str = workflows!("id = $1");
const ALL: &str = workflows!(
    "(execution_count > 0 OR id IN (SELECT workflow_id FROM workflows_workflowrun \
     WHERE definition_id IS NULL)) ORDER BY name, id"
);
pub(crate) const OWN: &str = workflows!(
    "user_id = $1 AND (execution_count > 0 OR id IN (SELECT workflow_id \
     FROM workflows_workflowrun WHERE definition_id IS NULL AND workflow_user_id = $1)) \
     ORDER BY name, id"
);

/// The newest runs that other applications have inserted. They have no events, from which other
/// statistics are counted.
macro_rules! inserted {
    ($which:literal) => {
        concat!(
            "SELECT workflow_id, status, started_at, completed_at FROM workflows_workflowrun \
             WHERE definition_id IS NULL AND events = 0 ",
            $which,
            " ORDER BY id DESC LIMIT 100000"
        )
    };
}

pub(crate) const INSERTED_OF_ONE: &str = inserted!("AND workflow_id = $1");
pub(crate) const INSERTED_OF_OWN: &str = inserted!("AND workflow_user_id = $1");
const INSERTED: &str = inserted!("");

pub(crate) const BUCKETS_OF_OWN: &str = "SELECT workflow_id, job, status, bucket, count, total, \
    longest FROM workflows_duration WHERE workflow_id IN \
    (SELECT id FROM workflows_workflow WHERE user_id = $1)";
pub(crate) const BUCKETS_OF_ONE: &str = "SELECT workflow_id, job, status, bucket, count, total, \
    longest FROM workflows_duration WHERE workflow_id = $1";
const BUCKETS_OF_ALL: &str =
    "SELECT workflow_id, job, status, bucket, count, total, longest FROM workflows_duration";
