//! Narrowed graphs for engines that limit the number of inputs: jobs with too many inputs read them
//! through a tree of additional nodes, each of which folds a part.

use super::Shape;

/// The computation of a node in a narrowed graph.
#[derive(Clone, Copy)]
pub enum Step {
    /// The value of a job from all its inputs.
    Job(u32),
    /// A part of the inputs of a job.
    Gather,
    /// Several parts into one.
    Merge,
    /// The value of a job from its parts.
    Seal(u32),
}

/// A node of a narrowed graph, with the nodes it depends on.
pub struct Node {
    pub step: Step,
    pub inputs: Vec<u32>,
}

/// A graph whose nodes have a limited number of inputs.
pub struct Narrow {
    /// All nodes, dependencies first.
    pub nodes: Vec<Node>,
    /// For every job, the node with its value.
    pub of_job: Vec<u32>,
}

impl Narrow {
    /// Narrows `shape` to `limit` inputs per node.
    pub fn of(shape: &Shape, limit: usize) -> Self {
        let mut narrow = Self {
            nodes: Vec::with_capacity(shape.len()),
            of_job: Vec::with_capacity(shape.len()),
        };
        for job in shape.jobs() {
            let inputs = shape.inputs(job);
            let inputs: Vec<_> = inputs.iter().map(|&j| narrow.of_job[j as usize]).collect();
            let node = narrow.add(job, inputs, limit);
            narrow.of_job.push(node);
        }
        narrow
    }

    fn add(&mut self, job: u32, inputs: Vec<u32>, limit: usize) -> u32 {
        if inputs.len() <= limit {
            return self.push(Step::Job(job), inputs);
        }
        let mut parts = self.level(Step::Gather, &inputs, limit);
        while parts.len() > limit {
            parts = self.level(Step::Merge, &parts, limit);
        }
        self.push(Step::Seal(job), parts)
    }

    fn level(&mut self, step: Step, inputs: &[u32], limit: usize) -> Vec<u32> {
        let parts = inputs.chunks(limit);
        parts.map(|part| self.push(step, part.to_vec())).collect()
    }

    fn push(&mut self, step: Step, inputs: Vec<u32>) -> u32 {
        self.nodes.push(Node { step, inputs });
        self.nodes.len() as u32 - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Outcome;
    use crate::plan::{Plan, Work};
    use crate::shapes;

    #[test]
    fn a_narrowed_graph_has_the_same_values() {
        let plan = Plan::new(shapes::fan(100), Work::Derive);
        let narrow = Narrow::of(&plan.shape, 3);
        let mut values: Vec<u64> = Vec::new();
        for node in &narrow.nodes {
            assert!(node.inputs.len() <= 3);
            let inputs = node.inputs.iter().map(|&input| values[input as usize]);
            let value = plan.step(node.step, inputs);
            values.push(value);
        }
        let of_job = narrow.of_job.iter().map(|&node| values[node as usize]);
        plan.check("narrowed", &Outcome::All(of_job.collect()));
    }
}
