//! Totals of a transaction, written once for many operations.

use std::collections::{BTreeMap, BTreeSet};

use workflow_core::Status;

use crate::db::sql::{Sql, SqlError};
use crate::db::value::Value;
use crate::histogram::bucket;
use crate::rows::beginning::QueuePlace;
use crate::rows::deferred::{self, DeferredWrite};
use crate::rows::slots::{self, Patience};

/// Counters that many operations of a transaction change. They are written in the same order by all
/// processes, which avoids deadlocks.
#[derive(Debug, Default)]
pub(crate) struct TxTotals {
    /// Whether rows of runs may be written with the others.
    pub(crate) waits: bool,
    pub(crate) deferred: Vec<DeferredWrite>,
    /// Runs that wait in their task queues from now on.
    pub(crate) queued: Vec<QueuePlace>,
    /// Runs with limits that have ended, with their keys of concurrency limits.
    pub(crate) ended: BTreeMap<i64, Option<Box<str>>>,
    /// Jobs whose tasks are over, or with `None` all jobs of the run.
    pub(crate) tasks_ended: BTreeSet<(i64, Option<Box<str>>)>,
    begun: BTreeMap<i64, (i64, i64)>,
    /// For each run, what it waits for from now on, or that it no longer waits.
    waiting: BTreeMap<i64, Option<String>>,
    durations: BTreeMap<(i64, Box<str>, &'static str, i32), Durations>,
}

#[derive(Debug, Default)]
struct Durations {
    count: i64,
    total: i64,
    longest: i64,
}

impl TxTotals {
    /// Counts a run of the workflow that began at this time, in microseconds.
    pub(crate) fn begin(&mut self, workflow: i64, at: i64) {
        let (count, last) = self.begun.entry(workflow).or_insert((0, at));
        *count += 1;
        *last = at.max(*last);
    }

    /// Adds the duration of a job, or with an empty name of a run, in microseconds.
    pub(crate) fn took(&mut self, workflow: i64, job: &str, status: Status, micros: i64) {
        let micros = micros.max(0);
        let key = (workflow, job.into(), status.as_str(), bucket(micros));
        let durations = self.durations.entry(key).or_default();
        durations.count += 1;
        durations.total = durations.total.saturating_add(micros);
        durations.longest = durations.longest.max(micros);
    }

    /// Records what a run waits for, or that it no longer waits.
    pub(crate) fn wait(&mut self, run: i64, body: Option<String>) {
        self.waiting.insert(run, body);
    }

    /// Writes all totals.
    pub(crate) fn write(self, sql: &mut dyn Sql) -> Result<(), SqlError> {
        // Before the rows of a batch are locked, because claims have these locks, too.
        let freed: Vec<&str> = self.ended.values().filter_map(Option::as_deref).collect();
        slots::lock(sql, &freed, Patience::Full)?;
        let begun: Vec<_> = self
            .begun
            .iter()
            .map(|(workflow, (count, last))| {
                [Value::Int(*count), Value::Time(*last), Value::Int(*workflow)]
            })
            .collect();
        let took: Vec<_> = self
            .durations
            .iter()
            .map(|((workflow, job, status, bucket), durations)| {
                [
                    Value::Int(*workflow),
                    Value::Text(job),
                    Value::Text(status),
                    Value::Int((*bucket).into()),
                    Value::Int(durations.count),
                    Value::Int(durations.total),
                    Value::Int(durations.longest),
                ]
            })
            .collect();
        let begun = begun.iter().map(|values| (BEGUN, values.as_slice()));
        let waiting: Vec<_> = self
            .waiting
            .iter()
            .map(|(run, body)| match body {
                Some(body) => (WAIT, vec![Value::Int(*run), Value::Text(body)]),
                None => (WAIT_NO_MORE, vec![Value::Int(*run)]),
            })
            .collect();
        let waiting = waiting.iter().map(|(text, values)| (*text, values.as_slice()));
        let took = took.iter().map(|values| (TOOK, values.as_slice()));
        let queued: Vec<_> = self.queued.iter().map(QueuePlace::statement).collect();
        let queued = queued.iter().map(|(text, values)| (*text, values.as_slice()));
        let tasks: Vec<_> = self
            .tasks_ended
            .iter()
            .map(|(run, job)| match job {
                Some(job) => (FORGET_TASKS, vec![Value::Int(*run), Value::Text(job)]),
                None => (FORGET_ALL_TASKS, vec![Value::Int(*run)]),
            })
            .collect();
        let tasks = tasks.iter().map(|(text, values)| (*text, values.as_slice()));
        let statements: Vec<_> =
            begun.chain(took).chain(waiting).chain(queued).chain(tasks).collect();
        deferred::write(sql, &self.deferred, &statements)?;
        slots::free(sql, &self.ended)
    }
}

const BEGUN: &str = "UPDATE workflows_workflow SET execution_count = coalesce(execution_count, 0) + $1, \
    last_executed_at = CASE WHEN last_executed_at > $2 THEN last_executed_at ELSE $2 END \
    WHERE id = $3";

const TOOK: &str = "INSERT INTO workflows_duration \
    (workflow_id, job, status, bucket, count, total, longest) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) \
    ON CONFLICT (workflow_id, job, status, bucket) DO UPDATE SET \
    count = workflows_duration.count + excluded.count, \
    total = workflows_duration.total + excluded.total, \
    longest = CASE WHEN workflows_duration.longest > excluded.longest \
    THEN workflows_duration.longest ELSE excluded.longest END";

const WAIT: &str = "INSERT INTO workflows_waiting (run, body) VALUES ($1, $2) \
    ON CONFLICT (run) DO UPDATE SET body = excluded.body";

pub(crate) const FORGET_TASKS: &str = "DELETE FROM workflows_task WHERE run = $1 AND job = $2";

const FORGET_ALL_TASKS: &str = "DELETE FROM workflows_task WHERE run = $1";

const WAIT_NO_MORE: &str = "DELETE FROM workflows_waiting WHERE run = $1";
