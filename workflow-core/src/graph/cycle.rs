//! Jobs that wait on each other: one cycle, to be named in full.

use std::collections::{HashMap, HashSet};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::Sketch;

impl Sketch {
    /// One full cycle among the jobs that were not released.
    pub(super) fn find_cycle(&self, released: &[u32]) -> Vec<String> {
        let released: HashSet<u32> = released.iter().copied().collect();
        let mut waits = DiGraph::<u32, ()>::new();
        let stuck = (0..self.traits.len()).map(|job| u32::try_from(job).unwrap_or(u32::MAX));
        let nodes: HashMap<u32, NodeIndex> = stuck
            .filter(|job| !released.contains(job))
            .map(|job| (job, waits.add_node(job)))
            .collect();
        for (job, node) in &nodes {
            for dependency in self.dependencies(*job as usize) {
                if let Some(other) = nodes.get(dependency) {
                    waits.add_edge(*other, *node, ());
                }
            }
        }
        let knot = kosaraju_scc(&waits).into_iter().find(|knot| {
            knot.len() > 1 || knot.iter().any(|node| waits.contains_edge(*node, *node))
        });
        let cycle = walk_round(&waits, &knot.unwrap_or_default());
        cycle.into_iter().map(|node| self.names.get(waits[node] as usize).to_owned()).collect()
    }
}

/// Follows edges inside a strongly connected set until a job comes round again.
fn walk_round(waits: &DiGraph<u32, ()>, knot: &[NodeIndex]) -> Vec<NodeIndex> {
    let members: HashSet<NodeIndex> = knot.iter().copied().collect();
    let Some(mut at) = knot.iter().copied().min_by_key(|node| waits[*node]) else {
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
