//! A definition that was proven to be runnable: names resolved, no cycle, order fixed, flat arrays.
//!
//! Jobs are renumbered in the order of Kahn's algorithm, so that a run that takes ready jobs first
//! in, first out walks memory forwards. Knows neither values nor time.

mod compile;
mod cycle;
mod error;
mod group;
mod lists;
mod names;
mod record;
mod view;

use std::collections::HashMap;
use std::sync::Arc;

use crate::job::{Grace, JobFlags, OnFailure, Timeouts};
use crate::retry::RetryPolicy;

pub(crate) use compile::{GraphBuilder, NO_JOB};
pub use error::GraphError;
pub(crate) use group::GroupState;
use group::Groups;
use lists::Lists;
pub(crate) use names::{Names, is_generated};
pub use record::recorded_dependencies;

/// The jobs of a workflow and the order between them, ready to run.
///
/// Has views for people: [`mermaid`](Self::mermaid), [`dot`](Self::dot), [`tree`](Self::tree),
/// [`waves`](Self::waves).
pub struct Graph {
    /// For each job, the jobs that wait for it, in the order in which they were added.
    pub(crate) successors: Lists,
    pub(crate) groups: Groups,
    /// The initial state of each job in a scheduler.
    pub(crate) cells: Vec<JobState>,
    /// Only of jobs that set an option.
    pub(crate) policies: HashMap<u32, JobPolicy>,
    pub(crate) names: Names,
    pub(crate) settings: Settings,
}

/// The state of a job in a run: small, because a run has one per job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobState {
    /// The number of its dependencies and groups that have not ended.
    pub(crate) pending: u32,
    pub(crate) flags: JobFlags,
    pub(crate) phase: u8,
    /// The marks of dependencies that have ended.
    pub(crate) seen: u8,
}

/// The options of a job that concern scheduling.
#[derive(Debug, Clone, Default)]
pub(crate) struct JobPolicy {
    pub(crate) retry: RetryPolicy,
    pub(crate) timeouts: Timeouts,
    /// The time that the job has to clean up when it must stop.
    pub(crate) grace: Option<Grace>,
    pub(crate) priority: i32,
    /// Names of limits, with the amounts.
    pub(crate) limits: Vec<(String, usize)>,
    /// The task queue whose workers make its attempts.
    pub(crate) task_queue: Option<Arc<str>>,
    /// The most children of the job that run at once; 0 means no limit.
    pub(crate) concurrency: usize,
}

/// The settings of a run as a whole.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settings {
    pub(crate) on_failure: OnFailure,
    /// The most jobs that run at once.
    pub(crate) max_parallel: Option<usize>,
    pub(crate) timeout: Option<std::time::Duration>,
}

impl Graph {
    /// Returns the number of jobs.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Returns whether there are no jobs. A compiled graph has at least one.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Returns the names of the jobs, each after those of its dependencies.
    pub fn job_names(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.cells.len()).map(|job| self.names.get(job))
    }

    /// Returns the name, the retry policy and the timeouts of each job, in the order of
    /// [`job_names`](Self::job_names).
    pub fn policies(&self) -> impl ExactSizeIterator<Item = (&str, RetryPolicy, Timeouts)> {
        (0..self.cells.len()).map(|job| {
            let policy = self.policies.get(&(job as u32)).cloned().unwrap_or_default();
            (self.names.get(job), policy.retry, policy.timeouts)
        })
    }

    /// Returns the jobs that name a [task queue](crate::Call::task_queue), each with the queue, in the
    /// order of [`job_names`](Self::job_names).
    pub fn task_queues(&self) -> impl Iterator<Item = (&str, &str)> {
        (0..self.cells.len()).filter_map(|job| {
            let policy = self.policies.get(&(job as u32))?;
            Some((self.names.get(job), policy.task_queue.as_deref()?))
        })
    }

    /// Returns the direct edges as pairs of names: the second job waits for the first. Edges
    /// through groups are in [`groups`](Self::groups), so that a thousand jobs that wait for a
    /// thousand others are not a million pairs here.
    pub fn edges(&self) -> impl Iterator<Item = (&str, &str)> {
        self.edge_ids().map(|(from, to)| (self.names.get(from), self.names.get(to)))
    }

    /// Returns the groups as pairs of lists of names: each job of the second list waits for all
    /// jobs of the first.
    ///
    /// ```
    /// use workflow_core::definition::Definition;
    /// use workflow_core::graph::Graph;
    ///
    /// let mut definition =
    ///     Definition::new("etl")?.job("users", [])?.job("orders", [])?.job("report", [])?;
    /// definition.groups.push(vec![0, 1]);
    /// definition.jobs[2].depends_on_groups.push(0);
    /// let graph = Graph::compile(&definition)?;
    /// let groups: Vec<_> = graph.groups().collect();
    /// assert_eq!(groups, [(vec!["users", "orders"], vec!["report"])]);
    /// assert_eq!(graph.edges().count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (Vec<&str>, Vec<&str>)> {
        let members = self.groups.members(self.len());
        let name = |job: &u32| self.names.get(*job as usize);
        (0..self.groups.len()).map(move |group| {
            let [members, waiting] =
                [&members, &self.groups.waiting].map(|lists| lists.get(group as u32));
            (members.iter().map(name).collect(), waiting.iter().map(name).collect())
        })
    }

    /// Returns the number of stored edges between jobs, and between jobs and groups.
    #[cfg(test)]
    pub(crate) fn stored_edges(&self) -> usize {
        self.successors.total() + self.groups.of_job.total() + self.groups.waiting.total()
    }

    fn edge_ids(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.cells.len()).flat_map(move |from| {
            let mut to = self.successors.get(from as u32).to_vec();
            to.sort_unstable();
            to.dedup();
            to.into_iter().map(move |to| (from, to as usize))
        })
    }
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graph").field("jobs", &self.len()).finish_non_exhaustive()
    }
}
