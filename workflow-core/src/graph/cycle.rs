//! Finds one full cycle among jobs that wait on each other, for an error.

use std::collections::{HashMap, HashSet};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::GraphBuilder;

impl GraphBuilder {
    /// Returns one full cycle among the jobs that were not released.
    pub(super) fn find_cycle(&self, released: &[u32]) -> Vec<String> {
        let cycle = self.member_that_waits().unwrap_or_else(|| {
            let waits = self.stuck(released);
            let component = kosaraju_scc(&waits).into_iter().find(|component| {
                component.len() > 1
                    || component.iter().any(|node| waits.contains_edge(*node, *node))
            });
            let cycle = follow_cycle(&waits, &component.unwrap_or_default());
            cycle.into_iter().map(|node| waits[node]).collect()
        });
        // Groups have no names and are left out.
        let jobs = cycle.into_iter().filter(|node| *node < self.cells.len());
        jobs.map(|job| self.names.get(job).to_owned()).collect()
    }

    /// Returns a job that waits for a group of which it is a member.
    fn member_that_waits(&self) -> Option<Vec<usize>> {
        let members = self.groups.members();
        let both = self.groups.waiting().iter().filter(|pair| members.binary_search(pair).is_ok());
        both.map(|(_, job)| *job as usize).min().map(|job| vec![job])
    }

    /// The graph of jobs that were not released, and of groups, which are numbered after the jobs.
    fn stuck(&self, released: &[u32]) -> DiGraph<usize, ()> {
        let released: HashSet<usize> = released.iter().map(|job| *job as usize).collect();
        let jobs = self.cells.len();
        let mut waits = DiGraph::new();
        let mut nodes = vec![None; jobs + self.groups.len()];
        for node in (0..nodes.len()).filter(|node| !released.contains(node)) {
            nodes[node] = Some(waits.add_node(node));
        }
        let mut edge = |from: usize, to: usize| {
            if let (Some(from), Some(to)) = (nodes[from], nodes[to]) {
                waits.add_edge(from, to, ());
            }
        };
        for job in 0..jobs {
            self.dependencies(job).for_each(|other| edge(*other as usize, job));
        }
        for (group, job) in self.groups.members() {
            edge(*job as usize, jobs + *group as usize);
        }
        for (group, job) in self.groups.waiting() {
            edge(jobs + *group as usize, *job as usize);
        }
        waits
    }
}

/// Follows edges inside of a strongly connected component until a job repeats.
fn follow_cycle(waits: &DiGraph<usize, ()>, component: &[NodeIndex]) -> Vec<NodeIndex> {
    let members: HashSet<NodeIndex> = component.iter().copied().collect();
    let Some(mut at) = component.iter().copied().min_by_key(|node| waits[*node]) else {
        return Vec::new();
    };
    let mut trail: Vec<NodeIndex> = Vec::new();
    let mut place = HashMap::new();
    while !place.contains_key(&at) {
        place.insert(at, trail.len());
        trail.push(at);
        let next = waits.neighbors(at).filter(|node| members.contains(node));
        let Some(next) = next.min_by_key(|node| waits[*node]) else { break };
        at = next;
    }
    let mut cycle = trail.split_off(place.get(&at).copied().unwrap_or(0));
    let first = (0..cycle.len()).min_by_key(|index| waits[cycle[*index]]).unwrap_or(0);
    cycle.rotate_left(first);
    cycle
}
