//! The graphs: for every job, the earlier jobs it depends on.
//!
//! Jobs are numbered in topological order, and random graphs are seeded, so that every run of the
//! program measures the same graphs.

pub mod narrow;
mod random;
pub mod successors;

use random::Random;

/// A graph in two flat arrays.
pub struct Shape {
    /// The dependencies of job `j` are `inputs[starts[j]..starts[j + 1]]`.
    starts: Vec<u32>,
    inputs: Vec<u32>,
}

impl Shape {
    fn new() -> Self {
        Self { starts: vec![0], inputs: Vec::new() }
    }

    /// Adds a job and returns its number.
    fn push(&mut self, inputs: impl IntoIterator<Item = u32>) -> u32 {
        let job = self.len() as u32;
        self.inputs.extend(inputs);
        self.starts.push(self.inputs.len() as u32);
        job
    }

    /// The number of jobs.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// All jobs, dependencies first.
    pub fn jobs(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.len() as u32
    }

    /// The dependencies of `job`.
    #[inline]
    pub fn inputs(&self, job: u32) -> &[u32] {
        let job = job as usize;
        &self.inputs[self.starts[job] as usize..self.starts[job + 1] as usize]
    }

    /// The jobs without dependents.
    pub fn sinks(&self) -> Vec<u32> {
        let mut sink = vec![true; self.len()];
        for &input in &self.inputs {
            sink[input as usize] = false;
        }
        self.jobs().filter(|&job| sink[job as usize]).collect()
    }
}

/// Every job depends on the one before it.
pub fn chain(jobs: u32) -> Shape {
    let mut shape = Shape::new();
    for job in 0..jobs {
        shape.push(job.checked_sub(1));
    }
    shape
}

/// One job, `width` jobs that depend on it, and one that depends on all of those.
pub fn fan(width: u32) -> Shape {
    let mut shape = Shape::new();
    let source = shape.push([]);
    for _ in 0..width {
        shape.push([source]);
    }
    shape.push(1..=width);
    shape
}

/// Layers of jobs, each of which depends on three random jobs of the layer before.
pub fn layered(layers: u32, width: u32) -> Shape {
    let mut random = Random::new(1);
    let mut shape = Shape::new();
    for layer in 0..layers {
        for _ in 0..width {
            match layer.checked_sub(1) {
                None => shape.push([]),
                Some(above) => shape.push(random.distinct(3, above * width, width)),
            };
        }
    }
    shape
}

/// Every job depends on two random earlier ones, except the first two.
pub fn random(jobs: u32) -> Shape {
    let mut random = Random::new(2);
    let mut shape = Shape::new();
    for job in 0..jobs {
        shape.push(random.distinct(job.min(2), 0, job));
    }
    shape
}

/// Four jobs: one, two that depend on it, and one that depends on both.
pub fn diamond() -> Shape {
    let mut shape = Shape::new();
    let top = shape.push([]);
    let sides = [shape.push([top]), shape.push([top])];
    shape.push(sides);
    shape
}

/// Jobs without dependencies.
pub fn independent(jobs: u32) -> Shape {
    let mut shape = Shape::new();
    for _ in 0..jobs {
        shape.push([]);
    }
    shape
}
