//! A definition proven runnable: names resolved, no cycle, order fixed, flat arrays.
//!
//! Jobs are renumbered in the order in which Kahn's algorithm releases them, so that a run that
//! takes ready jobs first in, first out walks memory forwards. Knows no values and no time.

mod compile;
mod cycle;
mod error;
mod group;
mod lists;
mod names;
mod record;
mod view;

use std::collections::HashMap;

use crate::job::{Grace, JobFlags, OnFailure, Timeouts};
use crate::retry::RetryPolicy;

pub(crate) use compile::{GraphBuilder, NO_JOB};
pub use error::GraphError;
pub(crate) use group::GroupCell;
use group::Groups;
use lists::Lists;
pub(crate) use names::{Names, is_made};

/// The jobs of a workflow and the order between them, ready to run.
///
/// Prints itself: [`mermaid`](Self::mermaid), [`dot`](Self::dot), [`tree`](Self::tree).
pub struct Graph {
    /// Of each job, those that wait for it, in the order in which they were added.
    pub(crate) successors: Lists,
    pub(crate) groups: Groups,
    /// What each job's record in a scheduler starts as.
    pub(crate) cells: Vec<JobState>,
    /// Only the jobs that ask for something.
    pub(crate) policies: HashMap<u32, JobPolicy>,
    pub(crate) names: Names,
    pub(crate) settings: Settings,
}

/// A job's record: small, because a run has one per job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobState {
    /// How many of the jobs and groups that it waits for have not ended.
    pub(crate) pending: u32,
    pub(crate) flags: JobFlags,
    pub(crate) phase: u8,
    /// What the jobs that ended had become.
    pub(crate) seen: u8,
}

/// What a job asks for, in full.
#[derive(Debug, Clone, Default)]
pub(crate) struct JobPolicy {
    pub(crate) retry: RetryPolicy,
    pub(crate) timeouts: Timeouts,
    /// Whether the job has time to clean up when it is asked to stop.
    pub(crate) grace: Option<Grace>,
    pub(crate) priority: i32,
    /// Names of limits, and how much of each.
    pub(crate) limits: Vec<(String, usize)>,
    /// How many of the job's children may run at once; 0 means without limit.
    pub(crate) concurrency: usize,
}

/// What holds for a run as a whole.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settings {
    pub(crate) on_failure: OnFailure,
    /// How many jobs may run at once.
    pub(crate) max_parallel: Option<usize>,
    pub(crate) timeout: Option<std::time::Duration>,
}

impl Graph {
    /// How many jobs there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are no jobs; a graph that compiled has at least one.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The names of the jobs, each after those that it waits for.
    pub fn job_names(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.cells.len()).map(|job| self.names.get(job))
    }

    /// The direct edges, as pairs of names: the second job waits for the first. What jobs wait
    /// for by way of a group is in [`groups`](Self::groups), so that a thousand jobs that wait
    /// for a thousand others are not a million pairs here.
    pub fn edges(&self) -> impl Iterator<Item = (&str, &str)> {
        self.edge_ids().map(|(from, to)| (self.names.get(from), self.names.get(to)))
    }

    /// The groups, as pairs of lists of names: each job of the second waits for all of the first.
    ///
    /// ```
    /// use workflow_core::{Definition, Graph};
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

    /// How many pairs of jobs, or of a job and a group, the order takes.
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
