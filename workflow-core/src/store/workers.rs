//! What stores know of workers and of the runs that wait for them.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{OwnerId, Queues, StoredRun, WorkflowSnapshot};

/// Identifies a worker: its engine, and its number among the workers of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkerId {
    /// The engine that drives its runs.
    pub owner: OwnerId,
    /// The number of the worker in its process, from 0.
    pub number: u32,
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.owner, self.number)
    }
}

/// What a worker reports with each heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerReport {
    /// The worker.
    pub id: WorkerId,
    /// The name that people see: by default the ID of the process and the name of the machine, as
    /// `4711@build-3`.
    pub name: String,
    /// The task queues that it serves.
    pub queues: Queues,
    /// The largest number of runs in progress; `None` without a limit.
    pub max_concurrent_workflows: Option<usize>,
    /// The largest number of running jobs; `None` without a limit.
    pub max_concurrent_activities: Option<usize>,
    /// The largest number of waiting runs that it keeps in memory; `None` without a limit.
    #[serde(default)]
    pub max_cached_workflows: Option<usize>,
    /// The number of its runs in progress, without those whose jobs all wait.
    pub workflows: usize,
    /// The number of its running jobs.
    pub activities: usize,
    /// The number of runs in its memory whose jobs all wait: for a signal, for a time, or for their
    /// next attempt.
    pub waiting: usize,
    /// The time for which the worker counts as alive without another heartbeat.
    pub lifetime: Duration,
    /// The workflows of its program; `None` if a resolver of its engine decides.
    #[serde(default)]
    pub program: Option<ProgramWorkflows>,
}

/// The workflows that a program can run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramWorkflows {
    /// The names of its registered workflows.
    pub registered: Vec<String>,
    /// The keys of the [sources](WorkflowSnapshot::source) that it can read, such as those of files.
    pub formats: Vec<String>,
}

impl ProgramWorkflows {
    /// Whether the program has this workflow, or can read it.
    pub fn contains(&self, workflow: &WorkflowSnapshot) -> bool {
        let source = workflow.source.as_deref();
        let is_read = source
            .is_some_and(|source| self.formats.iter().any(|format| source.get(format).is_some()));
        is_read || (!workflow.is_file() && self.registered.contains(&workflow.name))
    }
}

/// A worker as a store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWorker {
    /// Its latest report.
    pub report: WorkerReport,
    /// The time of its first heartbeat, by the store's clock.
    pub since: SystemTime,
    /// The time of its latest heartbeat, by the store's clock.
    pub last_heartbeat: SystemTime,
    /// The time since its latest heartbeat.
    pub silent_for: Duration,
    /// Whether its latest heartbeat is younger than its lifetime.
    pub is_alive: bool,
}

impl StoredWorker {
    /// Whether it is alive and serves this task queue.
    pub fn serves(&self, queue: &str) -> bool {
        self.is_alive && self.report.queues.contains(queue)
    }

    /// Whether its program has this workflow, as far as that is known.
    pub fn has(&self, workflow: &WorkflowSnapshot) -> bool {
        self.report.program.as_ref().is_none_or(|program| program.contains(workflow))
    }

    /// Whether half of its lifetime has passed without a heartbeat: several are missing.
    pub fn is_late(&self) -> bool {
        self.silent_for >= self.report.lifetime / 2
    }

    /// Whether it drives as many runs as it may.
    pub fn is_full(&self) -> bool {
        let report = &self.report;
        report.max_concurrent_workflows.is_some_and(|limit| report.workflows >= limit)
    }

    /// Whether as many of its jobs run as may.
    pub fn has_no_job_slot(&self) -> bool {
        let report = &self.report;
        report.max_concurrent_activities.is_some_and(|limit| report.activities >= limit)
    }
}

/// What waits in a task queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The task queue.
    pub queue: String,
    /// The number of waiting runs.
    pub waiting: u64,
    /// The number of waiting jobs: of runs in progress, whose job names this queue.
    pub jobs: u64,
    /// The time since which the oldest of them waits: a run was requested, or a job was ready.
    pub oldest: SystemTime,
}

/// Counts waiting runs and jobs, of which the queue and the time are given, in the order of the
/// queues' names.
pub(super) fn count(
    runs: impl IntoIterator<Item = StoredRun>,
    jobs: impl IntoIterator<Item = (String, SystemTime)>,
) -> Vec<Backlog> {
    let mut backlogs = std::collections::BTreeMap::<String, Backlog>::new();
    let mut add = |queue: String, since: SystemTime, runs: u64, jobs: u64| {
        let new = Backlog { queue: queue.clone(), waiting: 0, jobs: 0, oldest: since };
        let backlog = backlogs.entry(queue).or_insert(new);
        (backlog.waiting, backlog.jobs) = (backlog.waiting + runs, backlog.jobs + jobs);
        backlog.oldest = backlog.oldest.min(since);
    };
    runs.into_iter().for_each(|run| add(run.task_queue, run.created_at, 1, 0));
    jobs.into_iter().for_each(|(queue, since)| add(queue, since, 0, 1));
    backlogs.into_values().collect()
}
