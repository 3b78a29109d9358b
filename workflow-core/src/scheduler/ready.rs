//! The queue of jobs that may start: first in, first out, or by priority once a job has one.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};

use crate::graph::Graph;

pub(super) enum Ready {
    Line(VecDeque<u32>),
    /// Highest rank first, and in order of arrival within a rank.
    Ranked {
        jobs: BTreeSet<(Reverse<i32>, i64, u32)>,
        arrivals: i64,
    },
}

impl Ready {
    pub(super) fn new(graph: &Graph) -> Self {
        let ranked = graph.policies.values().any(|policy| policy.priority != 0);
        if ranked { Self::ranked() } else { Self::Line(VecDeque::new()) }
    }

    fn ranked() -> Self {
        Self::Ranked { jobs: BTreeSet::new(), arrivals: 0 }
    }

    #[inline]
    pub(super) fn push(&mut self, job: u32, rank: i32) {
        match self {
            Self::Line(jobs) if rank == 0 => jobs.push_back(job),
            Self::Line(jobs) => {
                // The first job with a rank was started by another job during the run.
                let earlier = std::mem::take(jobs);
                *self = Self::ranked();
                earlier.into_iter().for_each(|job| self.push(job, 0));
                self.push(job, rank);
            }
            Self::Ranked { jobs, arrivals } => {
                *arrivals += 1;
                jobs.insert((Reverse(rank), *arrivals, job));
            }
        }
    }

    /// Adds a job at the front, because it has waited already.
    pub(super) fn push_front(&mut self, job: u32) {
        match self {
            Self::Line(jobs) => jobs.push_front(job),
            Self::Ranked { jobs, arrivals } => {
                *arrivals += 1;
                jobs.insert((Reverse(i32::MAX), -*arrivals, job));
            }
        }
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<u32> {
        match self {
            Self::Line(jobs) => jobs.pop_front(),
            Self::Ranked { jobs, .. } => jobs.pop_first().map(|(_, _, job)| job),
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Self::Line(jobs) => jobs.clear(),
            Self::Ranked { jobs, .. } => jobs.clear(),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Line(jobs) => jobs.len(),
            Self::Ranked { jobs, .. } => jobs.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_that_comes_late_sorts_what_was_there() {
        let mut ready = Ready::Line(VecDeque::from([1, 2]));
        ready.push(3, 5);
        ready.push(4, -1);
        ready.push_front(9);
        let order: Vec<u32> = std::iter::from_fn(|| ready.pop()).collect();
        assert_eq!(order, [9, 3, 1, 2, 4]);
    }
}
